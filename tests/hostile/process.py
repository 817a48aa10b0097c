"""What a process costs, and its sockets: read from outside it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import stat
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

PIDFD_GETFD = 438
# sock_diag.h: SK_MEMINFO_RMEM_ALLOC is the first of nine, SK_MEMINFO_WMEM_QUEUED the sixth.
SO_MEMINFO = 55
TIME_WAIT = "06"
_libc = ctypes.CDLL(None, use_errno=True)


def resident(pid: int) -> int:
    """Octets of memory the process has of its own (anonymous, resident)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:")
    )


def processor_seconds(pid: int) -> float:
    """User and system time the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> list[int]:
    """Its open file descriptors."""
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def sockets(pid: int) -> Iterator[socket.socket]:
    """Duplicates of its connections and listeners over IPv4."""
    for copy in duplicates(pid):
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            continue
        with socket.socket(fileno=os.dup(copy)) as found:
            if found.type == socket.SOCK_STREAM and found.family == socket.AF_INET:
                yield found


def held_by_kernel(pid: int) -> int:
    """Octets of kernel memory that its sockets and pipes hold: received, unsent, on the way."""
    of_sockets = sum(map(socket_memory, sockets(pid)))
    return of_sockets + sum(map(pipe_content, duplicates(pid)))


def socket_memory(leg: socket.socket) -> int:
    """What waits in a socket's receive and send queues, with the kernel's own part of it."""
    fields = struct.unpack("9I", leg.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    received, queued = fields[0], fields[5]
    return int(received + queued)


def pipe_content(descriptor: int) -> int:
    """Octets in a pipe; 0 for what is none. Its writing end is not counted again."""
    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    if not is_pipe or fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])


def duplicates(pid: int) -> Iterator[int]:
    """A duplicate of each of its descriptors (pidfd_getfd, as a debugger may), closed again."""
    process = os.pidfd_open(pid)
    try:
        for number in descriptors(pid):
            copy = _libc.syscall(PIDFD_GETFD, process, number, 0)
            if copy >= 0:
                try:
                    yield copy
                finally:
                    os.close(copy)
    finally:
        os.close(process)


def states(port: int) -> set[str]:
    """States (hexadecimal, as the kernel prints them) of IPv4 connections at this local port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[3] for line in lines if int(line.split()[1].partition(":")[2], 16) == port}
