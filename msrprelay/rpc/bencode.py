# cython: annotation_typing=False
"""Bencode, read with tolerance: the dictionaries of Kamailio and OpenSIPS are unsorted.

Strings are bytes, dictionary keys are str (UTF-8, what is not UTF-8 by surrogate escapes), numbers
are int. Bytes behind the value are not looked at. The same file runs compiled (Cython, with the
types of ``bencode.pxd``) and as it is.
"""

from typing import TypeAlias

Value: TypeAlias = "bytes | int | list[Value] | dict[str, Value]"

# A message of a SIP server nests three deep; a hostile one must not cost a stack.
MAX_DEPTH = 32
# What fits a 64-bit number whatever the digits are.
MAX_DIGITS = 18

DICTIONARY = 0x64  # d
LIST = 0x6C  # l
NUMBER = 0x69  # i
END = 0x65  # e
COLON = 0x3A
MINUS = 0x2D
ZERO = 0x30
NINE = 0x39


class BencodeError(ValueError):
    """Bytes that are no bencode; :attr:`offset` is where that was seen."""

    def __init__(self, rule: str, offset: int) -> None:
        super().__init__(f"{rule} at byte {offset}")
        self.offset = offset


class Truncated(BencodeError):
    """Bytes that may become bencode when more arrive."""

    def __init__(self, offset: int) -> None:
        super().__init__("more bytes are needed", offset)


def decode(data: bytes, start: int = 0) -> tuple[Value, int]:
    """Read the value that begins at ``start``; returns it and the offset behind it.

    Raises Truncated if the value is cut off, BencodeError if it is none.
    """
    enclosing: list[tuple[list[Value], int]] = []
    items: list[Value] = []
    opener = 0  # of the list or dictionary that ``items`` fills; 0: none is open
    pos = start
    end = len(data)
    # The same bytes: compiled they are a pointer, of which a slice costs less.
    text = data
    while True:
        if pos >= end:
            raise Truncated(pos)
        char = data[pos]
        value: Value
        if ZERO <= char <= NINE:
            length, pos = number(data, pos, end, COLON)
            if length > end - pos:
                raise Truncated(end)
            value = text[pos : pos + length]
            pos += length
        elif char == NUMBER:
            total, pos = number(data, pos + 1, end, END)
            value = total
        elif char in (DICTIONARY, LIST):
            if len(enclosing) == MAX_DEPTH:
                raise BencodeError("nested too deep", pos)
            enclosing.append((items, opener))
            items = []
            opener = char
            pos += 1
            continue
        elif char == END and opener:
            value = dictionary(items, pos) if opener == DICTIONARY else items
            items, opener = enclosing.pop()
            pos += 1
        else:
            raise BencodeError("no value begins like this", pos)
        if not opener:
            return value, pos
        items.append(value)


def number(data: bytes, start: int, end: int, stop: int) -> tuple[int, int]:
    """The decimal number at ``start`` and the offset behind its ``stop`` byte.

    A sign is taken only where a number ends with ``e``: a length has none.
    """
    pos = start
    negative = stop == END and pos < end and data[pos] == MINUS
    if negative:
        pos += 1
    first = pos
    total = 0
    while pos < end and ZERO <= data[pos] <= NINE:
        if pos - first == MAX_DIGITS:
            raise BencodeError("number with too many digits", pos)
        total = total * 10 + (data[pos] - ZERO)
        pos += 1
    if pos == end:
        raise Truncated(pos)
    if pos == first or data[pos] != stop:
        raise BencodeError("not a number", pos)
    return -total if negative else total, pos + 1


def dictionary(items: list[Value], offset: int) -> dict[str, Value]:
    """Pairs from the flat list of keys and values that was read up to ``offset``."""
    if len(items) % 2:
        raise BencodeError("key without a value", offset)
    pairs: dict[str, Value] = {}
    for index in range(0, len(items), 2):
        key = items[index]
        if not isinstance(key, bytes):
            raise BencodeError("key that is no string", offset)
        name = KEYS.get(key)
        pairs[new_key(key) if name is None else name] = items[index + 1]
    return pairs


def new_key(key: bytes) -> str:
    """A key as text, kept for the next message that has it."""
    name = key.decode("utf-8", "surrogateescape")
    if len(key) < FEW:
        if len(KEYS) >= REMEMBERED:
            KEYS.clear()
        KEYS[key] = name
    return name


def encode(value: object) -> bytes:
    """``value`` as bencode: bytes, str, int, bool (as 0 and 1), lists, tuples and dictionaries.

    Dictionaries keep their order. An entry that is None is left out: bencode has no null.
    Raises TypeError for any other type.
    """
    parts: list[bytes] = []
    write(value, parts)
    return b"".join(parts)


def write(value: object, parts: list[bytes]) -> None:
    """Append the pieces of ``value`` to ``parts``."""
    if isinstance(value, str):
        write_text(value, parts)
    elif isinstance(value, bytes):
        write_string(value, parts)
    elif isinstance(value, int):
        # A bool is written as the number it is.
        parts.append(ZERO_ITEM if value == 0 else b"i%de" % value)
    elif isinstance(value, dict):
        write_dictionary(value, parts)
    elif isinstance(value, (list, tuple)):
        parts.append(b"l")
        for item in value:
            write(item, parts)
        parts.append(b"e")
    else:
        raise TypeError(f"bencode has no {type(value).__name__}")


def write_dictionary(value: dict[object, object], parts: list[bytes]) -> None:
    """Append a dictionary in its order; keys are not sorted, as in the messages that come."""
    parts.append(b"d")
    for key, item in value.items():
        if item is not None:
            write(key, parts)
            write(item, parts)
    parts.append(b"e")


def write_text(value: str, parts: list[bytes]) -> None:
    """Append text; what was no UTF-8 comes out as the bytes that it was."""
    item = ITEMS.get(value)
    parts.append(new_item(value) if item is None else item)


def new_item(value: str) -> bytes:
    """Text as it is written, kept for the next message that has it."""
    text = value.encode("utf-8", "surrogateescape")
    item = b"%d:%b" % (len(text), text)
    if len(item) < FEW:
        if len(ITEMS) >= REMEMBERED:
            ITEMS.clear()
        ITEMS[value] = item
    return item


def write_string(value: bytes, parts: list[bytes]) -> None:
    """Append a string's length and the string."""
    length = len(value)
    parts.append(PREFIXES[length] if length < FEW else b"%d:" % length)
    parts.append(value)


# Lengths that are ready made: nearly all there are.
FEW = 64
PREFIXES = [b"%d:" % length for length in range(FEW)]
ZERO_ITEM = b"i0e"
# Short keys that have been read, and short text as it is written: it is the same few words again
# and again. Strangers' words come among them, so there is a bound, and then all begins anew.
REMEMBERED = 1024
KEYS: dict[bytes, str] = {}
ITEMS: dict[str, bytes] = {}
