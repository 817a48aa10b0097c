"""Frames out of pcap, pcapng and gzip files, streamed through libpcap.

libpcap knows the formats and their damage; this module adds compressed files, progress, and an
error that says which packet could not be read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import linktypes, unpack
from .errors import INSTALL, CaptureError

try:
    import cypcap
except ImportError:  # lint and check-host do without it
    cypcap = None

GZIP_MAGIC = b"\x1f\x8b"
PROGRESS_EVERY = 4096
"""Frames between two progress calls."""

RECORD_HEAD = 16
"""Bytes of a pcap record header; pcapng's differ little enough for a progress bar."""

Progress = Callable[[int, int], None]
"""Called with (bytes read so far, bytes in the file; 0 when unknown)."""


class Frame(NamedTuple):
    """One captured packet: ``number`` as Wireshark counts, ``time`` in seconds since 1970."""

    number: int
    time: float
    linktype: int
    data: bytes
    wire_length: int


class Capture:
    """The frames of one file; after the iteration ``damage`` says where the file broke off.

    Raises CaptureError when not even the file's head can be understood.
    """

    def __init__(self, path: str | Path, progress: Progress | None = None) -> None:
        if cypcap is None:
            raise CaptureError(f"reading captures needs cypcap: {INSTALL}")
        self.damage: str | None = None
        self.frames = 0
        self._progress = progress
        self._feed: _Feed | None = None
        name = str(path)
        try:
            self._size = 0 if name == "-" else os.stat(name).st_size
            packed = _unpacked_size(name)
            if packed is not None:
                self._feed = _Feed(name, packed)
                name = self._feed.path
            self._pcap = cypcap.open_offline(name)
        except (OSError, cypcap.Error) as error:
            if self._feed is not None:
                self._feed.release()
                self._feed.finish()
            raise CaptureError(f"{path}: {_reason(error)}") from error
        if self._feed is not None:
            self._feed.release()
        self.linktype = _number(self._pcap.datalink())
        if self.linktype not in linktypes.READ:
            name = _linktype_name(self.linktype)
            self._pcap.close()
            if self._feed is not None:
                self._feed.finish()
            raise CaptureError(f"{path}: {name} cannot be read here")

    def __iter__(self) -> Iterator[Frame]:
        """Frames in file order; stops at the first one that cannot be read."""
        linktype, number, read = self.linktype, 0, 0
        packets = iter(self._pcap)
        while True:
            try:
                header, data = next(packets)
            except StopIteration:
                break
            except (OSError, cypcap.Error, ValueError) as error:
                self.damage = f"packet {number + 1} cannot be read: {_reason(error)}"
                break
            number += 1
            self.frames = number
            read += len(data) + RECORD_HEAD
            yield Frame(number, header.ts, linktype, data, header.len)
            if self._progress is not None and number % PROGRESS_EVERY == 0:
                self._progress(self._position(read), self._size)
        self._pcap.close()
        if self._feed is not None and (fault := self._feed.finish()):
            self.damage = f"after packet {number} the compressed data {fault}"

    def _position(self, read: int) -> int:
        return self._feed.position if self._feed is not None else min(read, self._size)


class _Feed:
    """Unpacks a file into a pipe that libpcap reads (``size`` as :mod:`.unpack` wants it).

    A process of its own, not a thread: libpcap's reads hold the interpreter, so a thread that
    has to fill the pipe would never run.
    """

    def __init__(self, name: str, size: int) -> None:
        self._raw = os.open(name, os.O_RDONLY)
        self._reader, writer = os.pipe()
        command = [sys.executable, "-I", unpack.__file__, str(size)]
        self._child = subprocess.Popen(
            command, stdin=self._raw, stdout=writer, stderr=subprocess.PIPE
        )
        os.close(writer)
        self.path = f"/dev/fd/{self._reader}"

    @property
    def position(self) -> int:
        """Bytes of the file read; the child shares our file offset."""
        return os.lseek(self._raw, 0, os.SEEK_CUR)

    def release(self) -> None:
        """libpcap has its own descriptor by now; with ours closed the child sees it go."""
        os.close(self._reader)

    def finish(self) -> str | None:
        """What was wrong with the compressed data, if anything."""
        os.close(self._raw)
        _, complaint = self._child.communicate()
        return complaint.decode("utf-8", "replace").strip() or None


def _unpacked_size(name: str) -> int | None:
    """What a feed is to be told, if the file needs one: its size if it is gzip, 0 if not."""
    if name == "-":
        return None
    with open(name, "rb") as file:
        head = file.read(unpack.HEAD)
        if head.startswith(GZIP_MAGIC):
            return os.fstat(file.fileno()).st_size
    return 0 if unpack.differing_snap_lengths(head) else None


def _number(linktype: Any) -> int:
    """cypcap gives a member of an enum for the link types it knows, a bare number for others."""
    return int(getattr(linktype, "value", linktype))


def _linktype_name(number: int) -> str:
    known = {kind.value: kind.name for kind in cypcap.DatalinkType}
    return f"link type {number} ({known[number]})" if number in known else f"link type {number}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error.args[-1]) if error.args else str(error)
