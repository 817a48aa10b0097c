"""What libpcap does not do by itself: gzip, and interfaces with differing snap lengths.

Also run as a program of its own, ``python -I unpack.py BYTES < FILE > PIPE``, with the size of the
file or 0 for that of a pipe, which is not known; hence it imports nothing of this package.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

CHUNK = 1 << 18
"""Bytes read or decompressed at once."""

FREE, RATIO = 64 << 20, 50
"""Decompressed bytes that any file may have, and the times its own size that a larger one may."""

ANY_SNAP = 262_144
"""The greatest snap length of libpcap."""

GZIP_MAGIC = b"\x1f\x8b"
SECTION, BIG_ENDIAN, INTERFACE = b"\x0a\x0d\x0d\x0a", b"\x1a\x2b\x3c\x4d", 1
"""A section of pcapng, the byte order that it tells, and the type of the blocks that matter."""

BLOCK_HEAD = 16
"""Bytes of a block that tell a section's byte order, or an interface's snap length."""


def with_one_snap_length(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same file; if it is pcapng, all interfaces of all its sections have one snap length.

    libpcap refuses others, which mergecap writes.
    """
    data, walk = bytearray(), _Walk()
    for piece in pieces:
        data += piece
        done = walk.rewrite(data)
        yield bytes(data[:done])
        del data[:done]
    yield bytes(data)


class _Walk:
    """Where the next block of a file begins: ``at`` counts from what has not been passed on."""

    def __init__(self) -> None:
        self.at = 0
        self.order = ""  # a file that begins with no section is not pcapng
        self.lost = False

    def rewrite(self, data: bytearray) -> int:
        """Write the snap lengths in the blocks that begin in ``data``; give what can go out."""
        while not self.lost and self.at + BLOCK_HEAD <= len(data):
            self.at += self._block(data, self.at)
        done = len(data) if self.lost else min(self.at, len(data))
        self.at -= done
        return done

    def _block(self, data: bytearray, at: int) -> int:
        """The size of the block at ``at``."""
        if data.startswith(SECTION, at):
            self.order = ">" if data.startswith(BIG_ENDIAN, at + 8) else "<"
        kind, size = struct.unpack_from(f"{self.order}II", data, at)
        self.lost = not self.order or size < 12 or size % 4 != 0
        if kind == INTERFACE and not self.lost:
            struct.pack_into(f"{self.order}I", data, at + 12, ANY_SNAP)
        return int(size)


def plain(source: BinaryIO) -> Iterator[bytes]:
    """The file as it is."""
    while piece := source.read(CHUNK):
        yield piece


def unpacked(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """What is in the file, be it gzip or not."""
    first = next(blocks, b"")
    whole = chain([first], blocks)
    return gunzipped(whole, size) if first.startswith(GZIP_MAGIC) else whole


def gunzipped(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The members of a gzip file of ``size`` bytes; ValueError if it is damaged or a bomb.

    With ``size`` 0 what has been read so far counts.
    """
    made = taken = 0
    member, inside = zlib.decompressobj(31), False
    for block in blocks:
        taken += len(block)
        rest = block
        while rest:
            inside = True
            for piece in _inflated(member, rest):
                made += len(piece)
                if made > max(FREE, RATIO * (size or taken)):
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
        write(with_one_snap_length(unpacked(plain(source), size)), sink)
    except BrokenPipeError:
        os._exit(0)  # libpcap has seen enough; an ordinary exit would flush once more
    except ValueError as error:
        sys.stderr.write(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
