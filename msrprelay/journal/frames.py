"""Records on a medium that may be torn anywhere: length, checksum, key, value. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

# CRC-32 of everything behind it; bytes of key and value together; bytes of the key; whether the
# key is gone; until when the record counts (0: for ever), seconds of the writer's clock.
_HEAD = struct.Struct("<III?3xd")
_BODY = struct.Struct("<II?3xd")
_SUM = struct.Struct("<I")
HEAD_SIZE = _HEAD.size


class Entry(NamedTuple):
    """What is kept under a key: None is gone. ``until`` is 0 for what does not expire."""

    value: bytes | None
    until: float = 0.0


class Frame(NamedTuple):
    """A record that was found whole; ``size`` includes its head."""

    offset: int
    size: int
    key: bytes
    entry: Entry


def frame(key: bytes, value: bytes | None, until: float = 0.0) -> bytes:
    """The bytes of one record."""
    gone, value = value is None, value or b""
    said = _BODY.pack(len(key) + len(value), len(key), gone, until) + key
    checksum = zlib.crc32(value, zlib.crc32(said))
    return b"".join((_SUM.pack(checksum), said, value))


def frames(data: bytes) -> Iterator[Frame]:
    """The records in ``data``, up to the first that is torn or corrupt. Never raises."""
    view = memoryview(data)
    at, end = 0, len(data)
    while end - at >= HEAD_SIZE:
        checksum, size, key_size, gone, until = _HEAD.unpack_from(data, at)
        start, stop = at + HEAD_SIZE, at + HEAD_SIZE + size
        if stop > end or key_size > size:
            return
        if zlib.crc32(view[at + _SUM.size : stop]) != checksum:
            return
        middle = start + key_size
        value = None if gone else data[middle:stop]
        yield Frame(at, stop - at, data[start:middle], Entry(value, until))
        at = stop


def keys(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Offset, size and key of the records in ``data``, which are known to be good.

    The last one may be cut off, and is left out then.
    """
    at, end = 0, len(data)
    while end - at >= HEAD_SIZE:
        _, size, key_size, _, _ = _HEAD.unpack_from(data, at)
        start = at + HEAD_SIZE
        if start + size > end:
            return
        yield at, HEAD_SIZE + size, data[start : start + key_size]
        at = start + size


def size_of(data: bytes) -> int:
    """The size of the record that begins with ``data``; at least :data:`HEAD_SIZE` bytes."""
    size: int = _HEAD.unpack_from(data)[1]
    return HEAD_SIZE + size
