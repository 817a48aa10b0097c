"""What libpcap does not do by itself: gzip, and interfaces with differing snap lengths.

Also run as a program of its own, ``python -I unpack.py BYTES < FILE > PIPE``, with the size of a
gzip file or 0 for a plain one; hence it imports nothing of this package.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

CHUNK = 1 << 18
"""Bytes read or decompressed at once."""

FREE, RATIO = 64 << 20, 50
"""Decompressed bytes that any file may have, and the times its own size that a larger one may."""

HEAD = 1 << 20
"""Bytes in front of the first packet that are looked through for interfaces."""

ANY_SNAP = 262_144
"""The greatest snap length of libpcap."""

SECTION, INTERFACE, PACKETS = 0x0A0D0D0A, 1, frozenset({2, 3, 6})
"""Block types of pcapng."""

BIG_ENDIAN = b"\x1a\x2b\x3c\x4d"


def differing_snap_lengths(head: bytes) -> bool:
    """Whether libpcap would refuse the file for its interfaces (mergecap writes such files)."""
    return len({head[at : at + 4] for at in _snap_lengths(head)[0]}) > 1


def _snap_lengths(data: bytes) -> tuple[list[int], bool]:
    """(where the snap lengths before the first packet stand, whether all of them are here)."""
    found: list[int] = []
    at, order = 0, "<"
    while at + 16 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = ">" if data[at + 8 : at + 12] == BIG_ENDIAN else "<"
        kind, size = struct.unpack_from(f"{order}II", data, at)
        known = at > 0 or kind == SECTION
        if not known or kind in PACKETS or size < 12 or size % 4:
            return found, True
        if kind == INTERFACE:
            found.append(at + 12)
        at += size
    return found, False


def with_one_snap_length(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same file, the snap lengths before its first packet made alike."""
    head = bytearray()
    places: list[int] = []
    for piece in pieces:
        head += piece
        places, whole = _snap_lengths(bytes(head))
        if whole or len(head) > HEAD:
            break
    order = ">" if head[8:12] == BIG_ENDIAN else "<"
    for at in places:
        head[at : at + 4] = struct.pack(f"{order}I", ANY_SNAP)
    yield bytes(head)
    yield from pieces


def plain(source: BinaryIO) -> Iterator[bytes]:
    """The file as it is."""
    while piece := source.read(CHUNK):
        yield piece


def gunzipped(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The members of a gzip file of ``size`` bytes; ValueError if it is damaged or a bomb."""
    left = max(FREE, RATIO * size)
    member, inside = zlib.decompressobj(31), False
    for block in plain(source):
        rest = block
        while rest:
            inside = True
            for piece in _inflated(member, rest):
                left -= len(piece)
                if left < 0:
                    raise ValueError(
                        f"expands to more than {RATIO} times its size: decompress the file "
                        "yourself if you trust it"
                    )
                yield piece
            rest = member.unused_data
            if member.eof:
                member, inside = zlib.decompressobj(31), False
    if inside:
        raise ValueError("is damaged: the file ends in the middle")


def _inflated(member: Any, block: bytes) -> Iterator[bytes]:
    """What ``block`` expands to, never more than CHUNK at once."""
    try:
        while True:
            piece = member.decompress(block, CHUNK)
            yield piece
            block = member.unconsumed_tail
            # A full piece may have left output behind in zlib although no input is left.
            if member.eof or (not block and len(piece) < CHUNK):
                return
    except zlib.error as error:
        raise ValueError(f"is damaged: {error}") from error


def write(pieces: Iterable[bytes], sink: BinaryIO) -> None:
    """Everything to ``sink``; what could be made goes out before the complaint about the rest."""
    try:
        for piece in pieces:
            sink.write(piece)
    finally:
        sink.flush()


def main(size: int) -> None:
    """The program: from standard input to standard output, its complaint to standard error."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        write(with_one_snap_length(gunzipped(source, size) if size else plain(source)), sink)
    except BrokenPipeError:
        os._exit(0)  # libpcap has seen enough; an ordinary exit would flush once more
    except ValueError as error:
        sys.stderr.write(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
