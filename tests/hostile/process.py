"""What a process costs, and its sockets: read from outside it."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

PIDFD_GETFD = 438
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
    """Duplicates of its TCP sockets (pidfd_getfd, as a debugger may)."""
    process = os.pidfd_open(pid)
    try:
        for number in descriptors(pid):
            copy = _libc.syscall(PIDFD_GETFD, process, number, 0)
            if copy < 0:
                continue
            try:
                found = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            with found:
                if found.type == socket.SOCK_STREAM and found.family == socket.AF_INET:
                    yield found
    finally:
        os.close(process)


def states(port: int) -> set[str]:
    """States (hexadecimal, as the kernel prints them) of IPv4 connections at this local port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[3] for line in lines if int(line.split()[1].partition(":")[2], 16) == port}


def kernel_tcp_memory() -> int:
    """Octets the kernel holds for TCP on the whole machine."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    tcp = next(line.split() for line in lines if line.startswith("TCP:"))
    return int(tcp[tcp.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
