"""What /proc says of processes: CPU time, memory, descriptors, socket memory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "cpu_seconds",
    "descriptors",
    "family",
    "is_served",
    "kernel_seconds",
    "queued_bytes",
    "resident_bytes",
    "socket_pages",
]

PROC = Path("/proc")
# Threads of the kernel to which network work may move.
KERNEL_THREADS = re.compile(r"ksoftirqd/|kworker/|napi/")
LISTEN = "0A"


def family(root: int) -> list[int]:
    """A process and all its descendants."""
    found = [root]
    for pid in found:
        for task in tasks(pid):
            children = text(task / "children")
            found.extend(map(int, children.split()))
    return found


def tasks(pid: int) -> Iterator[Path]:
    """The threads of a process that exist now."""
    try:
        yield from (PROC / str(pid) / "task").iterdir()
    except FileNotFoundError:
        return


def cpu_seconds(pids: list[int], chosen: Callable[[str], bool] = lambda name: True) -> float:
    """Run time of the threads whose names are chosen, to the nanosecond."""
    total = 0
    for pid in pids:
        for task in tasks(pid):
            if chosen(text(task / "comm").strip()):
                total += int((text(task / "schedstat") or "0").split()[0])
    return total / 1e9


def kernel_seconds() -> float:
    """Run time of the kernel's own threads that move packets, machine-wide."""
    total = 0.0
    for entry in PROC.iterdir():
        if entry.name.isdigit() and KERNEL_THREADS.match(text(entry / "comm")):
            total += cpu_seconds([int(entry.name)])
    return total


def resident_bytes(pids: list[int]) -> int:
    """Resident memory, pages shared with nobody counted once per process."""
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = (text(PROC / str(pid) / "statm").split() for pid in pids)
    return sum(int(fields[1]) * page for fields in sizes if fields)


def descriptors(pids: list[int]) -> int:
    """Open file descriptors."""
    return sum(len(list((PROC / str(pid) / "fd").iterdir())) for pid in pids)


def socket_pages(pid: int) -> int:
    """Pages of TCP memory in the whole machine, as the namespace of ``pid`` is told."""
    sockstat = text(PROC / str(pid) / "net" / "sockstat")
    found = re.search(r"^TCP:.* mem (\d+)", sockstat, re.MULTILINE)
    return int(found.group(1)) if found else 0


def is_served(pid: int, port: int, protocol: str) -> bool:
    """Whether a process or a descendant of it serves a port, ``tcp`` or ``udp`` (IPv4)."""
    rows = (row for row in sockets(pid, protocol) if row.port == port)
    serving = {row.inode for row in rows if protocol == "udp" or row.state == LISTEN}
    return any(inodes(process) & serving for process in family(pid))


def queued_bytes(pid: int) -> int:
    """Bytes in the send and receive queues of the TCP sockets that ``pid`` holds."""
    own = inodes(pid)
    return sum(row.queued for row in sockets(pid, "tcp") if row.inode in own)


class Socket(NamedTuple):
    """One line of /proc/net/tcp or udp."""

    port: int
    state: str
    queued: int
    inode: str


def sockets(pid: int, protocol: str) -> Iterator[Socket]:
    """All sockets (IPv4) of the namespace in which ``pid`` lives."""
    for line in text(PROC / str(pid) / "net" / protocol).splitlines()[1:]:
        row = line.split()
        queued = sum(int(queue, 16) for queue in row[4].split(":"))
        yield Socket(int(row[1].rpartition(":")[2], 16), row[3], queued, row[9])


def inodes(pid: int) -> set[str]:
    """The sockets that a process holds; none where it has ended."""
    found = set()
    with suppress(FileNotFoundError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(os.readlink(descriptor))
    return {link.removeprefix("socket:[").rstrip("]") for link in found if "socket:" in link}


def text(path: Path) -> str:
    """The file, or nothing where the process has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
