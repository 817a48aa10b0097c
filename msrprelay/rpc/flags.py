# cython: annotation_typing=False
"""Words and flags as SIP servers write them, and the ``rtpp-flags`` string of newer Kamailio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .bencode import Value

# What needs no line in the log: the relay acts on it, or does as it says with it and without. Any
# other flag is rtpengine's business, or a mistake in a script.
KNOWN = frozenset(
    {
        "SIP-source-address",
        "debug",
        "fast",
        "fatal",
        "loop-protect",
        "port-latching",
        "provisional",
        "reset",
        "strict-source",
        "to-tag",
        "trust-address",
    }
)


def dashed(name: str) -> str:
    """``name`` in the one spelling: rtpengine takes space and underscore for a dash."""
    return name.translate(_DASHES) if " " in name or "_" in name else name


def word(value: Value | None) -> str | None:
    """A string or number as text; None if it is missing, empty, or something else."""
    if isinstance(value, bytes):
        return text(value) or None
    return str(value) if isinstance(value, int) else None


def text(octets: bytes) -> str:
    """Text that may hold octets which are no UTF-8."""
    return octets.decode("utf-8", "surrogateescape")


def words(value: Value | None) -> list[str]:
    """A list of strings as text; a single string counts as a list of one."""
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        said = word(item)
        if said is not None:
            found.append(said)
    return found


def expand(bundle: bytes, fields: Mapping[str, Value]) -> dict[str, Value]:
    """``fields`` with the words of an ``rtpp-flags`` string in their places.

    The string has bare flags, ``key=value`` and ``key=[list of words]``. It wins over a key beside
    it; flags, replacements and directions are added to those that are there.
    """
    merged = dict(fields)
    added: dict[str, list[Value]] = {key: [] for key in ("flags", "replace", "direction")}
    for token in tokens(text(bundle)):
        key, equals, value = token.partition("=")
        key = dashed(key)
        if not equals:
            place, name = spot(key)
            added[place].append(name.encode("utf-8", "surrogateescape"))
        elif key in added:
            added[key].extend(listed(value))
        else:
            merged[key] = single(value)
    for key, values in added.items():
        if values:
            present = merged.get(key, [])
            merged[key] = [*(present if isinstance(present, list) else [present]), *values]
    return merged


def tokens(text: str) -> Iterator[str]:
    """The words of ``text``; a space between brackets separates nothing."""
    depth = 0
    pieces: list[str] = []
    for piece in text.split(" "):
        pieces.append(piece)
        depth = max(0, depth + piece.count("[") - piece.count("]"))
        if not depth:
            yield from filter(None, [" ".join(pieces)])
            pieces = []
    yield from filter(None, [" ".join(pieces)])


def spot(flag: str) -> tuple[str, str]:
    """Where a bare flag belongs: the module used to sort these before it sent them."""
    if flag.startswith("replace-"):
        return "replace", flag.removeprefix("replace-")
    if flag in ("internal", "external"):
        return "direction", flag
    return "flags", flag


def single(value: str) -> Value:
    """``[a b]`` as a list, anything else as a string."""
    if value.startswith("["):
        return listed(value)
    return value.encode("utf-8", "surrogateescape")


def listed(value: str) -> list[Value]:
    """The words of ``[a b]`` or of ``a``."""
    inner = value.removeprefix("[").removesuffix("]")
    return [piece.encode("utf-8", "surrogateescape") for piece in inner.split()]


_DASHES = str.maketrans(" _", "--")
