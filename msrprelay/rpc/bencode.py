"""Bencode, read with tolerance: the dictionaries of Kamailio and OpenSIPS are unsorted.

Strings are bytes, dictionary keys are str (UTF-8, what is not UTF-8 by surrogate escapes), numbers
are int. The crate reads and writes it, as msgspec does JSON.
"""

from typing import TypeAlias

from .._native import BencodeError, Truncated, decode_bencode, encode_bencode

__all__ = ["BencodeError", "Truncated", "Value", "decode", "encode"]

Value: TypeAlias = "bytes | int | list[Value] | dict[str, Value]"


def decode(data: bytes, start: int = 0) -> tuple[Value, int]:
    """Read the value that begins at ``start``; returns it and the offset behind it.

    Bytes behind the value are not looked at. Raises Truncated if the value is cut off,
    BencodeError if it is none; their ``offset`` is where that was seen. A value may nest 32 deep,
    a number has at most 18 digits, and the last of two equal keys holds.
    """
    return decode_bencode(data, start)


def encode(value: object) -> bytes:
    """``value`` as bencode: bytes, str, int, bool (as 0 and 1), lists, tuples and dictionaries.

    Dictionaries keep their order. An entry that is None is left out: bencode has no null.
    Raises TypeError for any other type, ValueError for what nests deeper than 32.
    """
    return encode_bencode(value)
