"""The journal on disk: behind the one in memory by about a second, and in nobody's way.

A thread copies what has been written since it looked last. If the disk is full, read-only, gone or
slow, the relay does not notice: the copy is made anew, whole, as soon as it can be.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from .file import FIRST, Found, read, write_title
from .journal import Journal

NAME, UNREADABLE = "journal", "journal.unreadable"
# Seconds between copies, and the longest until another try after a failure.
PACE = 1.0
LONGEST_WAIT = 30.0
# Seconds without a finished copy after which the disk is called slow.
SLOW = 10.0
# Bytes copied at a time.
PIECE = 256 << 10
# Bytes on disk that need not count before the file is made anew.
SLACK = 4 << 20


class Taken(OSError):
    """Another process uses the directory."""


class DiskCopy:
    """A journal's copy in a directory, which is this process's as long as it lives.

    :meth:`read` what a dead process left before :meth:`start`.
    """

    def __init__(self, directory: Path, *, slow: float = SLOW) -> None:
        """Raises Taken if another process has the directory; other faults may pass."""
        self._directory = directory
        self._slow = slow
        self._lock: int | None = None
        self._fd: int | None = None
        # What of the journal the file holds: from where, and to where.
        self._base = self._copied = 0
        self._error: str | None = None
        # When the step began that is not done yet.
        self._begun: float | None = None
        self._journal: Journal | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        try:
            self._take()
        except Taken:
            raise
        except OSError as error:
            self._error = _said(error)

    @property
    def degraded(self) -> str | None:
        """Why a cold start would not find what there is now; None: it would."""
        if self._error is not None:
            return self._error
        begun = self._begun
        late = 0.0 if begun is None else time.monotonic() - begun
        return f"no copy for {late:.0f} s" if late > self._slow else None

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return FIRST + self._copied - self._base if self._fd is not None else 0

    def read(self) -> Found | None:
        """What the last process left; None: nothing. Raises OSError, Unreadable."""
        try:
            fd = os.open(self._directory / NAME, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return read(fd)
        finally:
            os.close(fd)

    def set_aside(self) -> Path:
        """Keep what cannot be read under another name. Raises OSError."""
        return (self._directory / NAME).replace(self._directory / UNREADABLE)

    def watch(self, journal: Journal) -> None:
        """Have :meth:`step` copy ``journal``."""
        self._journal = journal

    def start(self, journal: Journal) -> None:
        """Copy ``journal`` from now on, in a thread."""
        self.watch(journal)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Copy what is left and end; wait for it so many seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def step(self) -> None:
        """Copy what is new. Raises OSError; then the next step makes the file anew."""
        journal = self._journal
        if journal is None:
            return
        head, tail = journal.span
        on_disk, counts = tail - self._base, tail - head
        self._begun = time.monotonic()
        try:
            anew = self._copied < head or on_disk > 2 * counts + SLACK
            if self._fd is None or anew or not _is_at(self._fd, self._directory / NAME):
                self._renew(journal)
            elif self._copied < tail:
                self._copy(self._fd, journal, tail)
                os.fdatasync(self._fd)
        except OSError as error:
            self._close()
            self._error = _said(error)
            raise
        finally:
            self._begun = None
        self._error = None

    def _run(self) -> None:
        wait = PACE
        while not self._stopping.wait(wait):
            try:
                self.step()
                wait = PACE
            except OSError:
                wait = min(2 * wait, LONGEST_WAIT)
        try:
            self.step()
        except OSError:
            return
        finally:
            self._close()

    def _take(self) -> None:
        """Make the directory ours, also the one that has taken the place of ours."""
        if self._lock is not None:
            if _is_at(self._lock, self._directory):
                return
            os.close(self._lock)
            self._lock = None
        self._directory.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise Taken(error.errno, f"{self._directory}: another process uses it") from None
        self._lock = lock

    def _renew(self, journal: Journal) -> None:
        """Write another file and put it in the place of the old one."""
        self._close()
        self._take()
        new = self._directory / f"{NAME}.new"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(new, flags, 0o600)
        write_title(self._fd)
        head, tail = journal.span
        self._base = self._copied = head
        self._copy(self._fd, journal, tail)
        os.fdatasync(self._fd)
        new.rename(self._directory / NAME)
        if self._lock is not None:
            os.fsync(self._lock)

    def _copy(self, fd: int, journal: Journal, tail: int) -> None:
        while self._copied < tail:
            piece = memoryview(journal.piece(self._copied, min(PIECE, tail - self._copied)))
            while piece:
                written = os.pwrite(fd, piece, FIRST + self._copied - self._base)
                self._copied += written
                piece = piece[written:]

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _is_at(fd: int, path: Path) -> bool:
    """Whether what was opened is still there."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _said(error: OSError) -> str:
    return error.strerror or str(error)
