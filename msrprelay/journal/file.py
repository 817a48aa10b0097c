"""A journal as a file: one page of head, then records. The same in memory and on disk.

The head says where the first record that counts is. It has two places, written in turns, so that
one of them is whole whenever the writer dies.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import NamedTuple

from .frames import Entry, frames

# Of records and head; a journal of another version is not read.
VERSION = 1
MAGIC = b"msrprelay journal "
FIRST = 4096
_TITLE = MAGIC + b"%d\n" % VERSION
_PLACES = (64, 128)
# A number that grows with every change, where the first record is, CRC-32 of both.
_HEAD = struct.Struct("<QQI")


# Where a record is, how long, and until when it counts (0: for ever).
Place = tuple[int, int, float]


class Unreadable(Exception):
    """No journal, or one of another version; says which."""


class Found(NamedTuple):
    """What a journal holds: every key that is there, with its newest value.

    ``head`` and ``end`` are where its records begin and end; ``torn`` bytes behind the end are no
    records.
    """

    entries: dict[bytes, Entry]
    places: dict[bytes, Place]
    turn: int
    head: int
    end: int
    torn: int


def write_title(fd: int) -> None:
    """Begin a journal. Raises OSError."""
    os.pwrite(fd, _TITLE, 0)
    write_head(fd, 0, FIRST)


def write_head(fd: int, turn: int, head: int) -> None:
    """Say where the first record is; ``turn`` grows with every call. Raises OSError."""
    said = struct.pack("<QQ", turn, head)
    os.pwrite(fd, said + struct.pack("<I", zlib.crc32(said)), _PLACES[turn % 2])


def read(fd: int) -> Found:
    """Read a journal up to the first record that is torn or corrupt.

    Raises Unreadable if it has no head; OSError.
    """
    page = _read(fd, 0, FIRST)
    turn, head = _head(page)
    data = _read(fd, head, max(0, os.fstat(fd).st_size - head))
    entries: dict[bytes, Entry] = {}
    places: dict[bytes, Place] = {}
    end = 0
    for found in frames(data):
        end = found.offset + found.size
        if found.entry.value is None:
            entries.pop(found.key, None)
            places.pop(found.key, None)
        else:
            entries[found.key] = found.entry
            places[found.key] = (head + found.offset, found.size, found.entry.until)
    return Found(entries, places, turn, head, head + end, len(data) - end)


def _head(page: bytes) -> tuple[int, int]:
    if not page.startswith(MAGIC):
        raise Unreadable("it is no journal")
    if not page.startswith(_TITLE):
        raise Unreadable("it is of another version")
    heads = [
        (turn, head)
        for turn, head, checksum in (
            _HEAD.unpack_from(page.ljust(FIRST, b"\0"), place) for place in _PLACES
        )
        if checksum == zlib.crc32(struct.pack("<QQ", turn, head)) and head >= FIRST
    ]
    if not heads:
        raise Unreadable("its head is torn")
    return max(heads)


def _read(fd: int, start: int, size: int) -> bytes:
    """As many of these bytes as there are."""
    parts = []
    while size > 0 and (part := os.pread(fd, size, start)):
        parts.append(part)
        start, size = start + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
