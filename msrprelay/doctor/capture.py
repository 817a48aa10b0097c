"""Frames out of pcap, pcapng and gzip files, streamed through libpcap.

libpcap knows the formats and their damage; this module adds compressed files, progress, and an
error that says which packet could not be read.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from . import linktypes, unpack
from .errors import INSTALL, CaptureError

try:
    import cypcap
except ImportError:  # lint and check-host do without it
    cypcap = None

STANDARD_INPUT = 0
PROGRESS_EVERY = 4096
"""Frames between two progress calls."""

DIFFERING = "snapshot length"
"""What libpcap's refusal of interfaces with differing snap lengths says."""

ORPHAN_SECONDS = 1.0
"""How long a feed that nobody reads may wait for more of a pipe."""

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
        self._name = str(path)
        try:
            self._open()
        except (OSError, cypcap.Error) as error:
            self._close()
            raise CaptureError(f"{path}: {_reason(error)}") from error
        self.linktype = _number(self._pcap.datalink())
        if self.linktype not in linktypes.READ:
            name = _linktype_name(self.linktype)
            self._close()
            raise CaptureError(f"{path}: {name} cannot be read here")

    def _open(self) -> None:
        """Let libpcap read the file, or a feed where it could not: gzip, and all kinds of pipes.

        What comes through a pipe is gone once it has been looked at, hence the feed looks.
        """
        self._pcap: Any = None
        piped = self._name == "-" or _is_pipe(os.stat(self._name).st_mode)
        self._size = 0 if piped else os.stat(self._name).st_size
        if piped or _compressed(self._name):
            self._open_fed()
        else:
            self._pcap = cypcap.open_offline(self._name)

    def _open_fed(self) -> None:
        self._feed = _Feed(self._name, self._size)
        try:
            self._pcap = cypcap.open_offline(self._feed.path)
        finally:
            self._feed.release()

    def _close(self) -> str | None:
        """What was wrong with the compressed data, if anything."""
        if self._pcap is not None:
            self._pcap.close()
        return None if self._feed is None else self._feed.finish()

    def __iter__(self) -> Iterator[Frame]:
        """Frames in file order; stops at the first one that cannot be read."""
        linktype, read = self.linktype, 0
        for header, data in self._records():
            self.frames += 1
            read += len(data) + RECORD_HEAD
            yield Frame(self.frames, header.ts, linktype, data, header.len)
            if self._progress is not None and self.frames % PROGRESS_EVERY == 0:
                self._progress(self._position(read), self._size)
        if fault := self._close():
            self.damage = f"after packet {self.frames} the compressed data {fault}"

    def _records(self) -> Iterator[Any]:
        try:
            yield from self._pcap
        except (OSError, cypcap.Error, ValueError) as error:
            if self._feed is None and DIFFERING in _reason(error):
                # Interfaces may come anywhere in a file: it is read once more from its beginning.
                self._pcap.close()
                self._open_fed()
                yield from islice(self._records(), self.frames, None)
            else:
                self.damage = f"packet {self.frames + 1} cannot be read: {_reason(error)}"

    def _position(self, read: int) -> int:
        if self._size == 0:
            return read
        return self._feed.position if self._feed is not None else min(read, self._size)


class _Feed:
    """Unpacks a file or a pipe into a pipe for libpcap (``size`` as :mod:`.unpack` wants it).

    A process of its own, not a thread: libpcap's reads hold the interpreter, so a thread that
    has to fill the pipe would never run.
    """

    def __init__(self, name: str, size: int) -> None:
        self._raw = os.dup(STANDARD_INPUT) if name == "-" else os.open(name, os.O_RDONLY)
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
        try:
            _, complaint = self._child.communicate(timeout=ORPHAN_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            _, complaint = self._child.communicate()
        return complaint.decode("utf-8", "replace").strip() or None


def _is_pipe(mode: int) -> bool:
    """Whether it may be readable only once: a pipe, a socket, a terminal."""
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _compressed(name: str) -> bool:
    with open(name, "rb") as file:
        return file.read(len(unpack.GZIP_MAGIC)) == unpack.GZIP_MAGIC


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
