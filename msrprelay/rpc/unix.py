"""Unix sockets on the file system: their mode, what a dead process left, and who connects."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path
from typing import NamedTuple

# Owner and group: who may ask the relay is decided by the directory and the group.
MODE = 0o660
# Of a directory that is made for a socket, less the mask.
DIRECTORY_MODE = 0o755


# Device and inode.
Identity = tuple[int, int]


class Peer(NamedTuple):
    """The process that connected, as the kernel knows it."""

    pid: int
    uid: int
    gid: int

    def __str__(self) -> str:
        return f"pid {self.pid} uid {self.uid} gid {self.gid}"


def listener(path: Path) -> socket.socket:
    """A listening stream socket at ``path``, mode 0660.

    A socket that a dead process left is replaced; its directory is made, but none above. Raises
    OSError, FileExistsError if something else is there or a living process listens at it.
    """
    make_directory(path.parent)
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    # The mode counts from the first moment: bind applies the mask, chmod would come later.
    mask = os.umask(0o777 & ~MODE)
    try:
        sock.bind(os.fspath(path))
        sock.listen()
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
    return sock


def make_directory(path: Path) -> None:
    """Have a directory for a socket: /run is empty after each start of the machine.

    Raises OSError that says which could not be made.
    """
    try:
        path.mkdir(DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        why = f"{error.strerror}: {path} is no directory and cannot be made one"
        where = "--control=PATH or --listen-ng-unix=PATH name another place"
        raise OSError(error.errno, f"{why}; {where}") from None


def remove_stale(path: Path) -> None:
    """Unlink ``path`` if it is a socket at which nobody listens.

    Raises FileExistsError if it is no socket, or one that is in use.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is not a socket: not replaced")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: somebody listens
    raise FileExistsError(f"{path} is in use by another process")


def identity(path: Path) -> Identity | None:
    """What tells the socket at ``path`` from one that somebody else puts there later.

    ``None`` if there is nothing, or nothing that can be seen.
    """
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove(path: Path, own: Identity | None) -> None:
    """Unlink ``path`` if what is there has still the identity ``own``, and that is allowed."""
    if own is not None and identity(path) == own:
        with contextlib.suppress(OSError):
            path.unlink()


def close(sock: socket.socket) -> None:
    """Close a listening socket of which others may hold duplicates, and unlink its path.

    One without a path is only closed. What somebody else listens at stays.
    """
    path = sock.getsockname() if sock.family == socket.AF_UNIX else ""
    if not path:
        sock.close()
        return
    # The duplicates too: else somebody would seem to listen.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    with contextlib.suppress(OSError):
        remove_stale(Path(path))


def peer(sock: socket.socket) -> Peer:
    """Who is at the other end (SO_PEERCRED: as it was when it connected)."""
    size = struct.calcsize("3i")
    return Peer(*struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)))
