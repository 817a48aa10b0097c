# cython: annotation_typing=False
"""How strained the host is: processor, memory, descriptors; from /proc and the own cgroup.

The reasons are rtpengine's words, at which SIP servers try the next relay.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import CPU_LIMIT, LOAD_LIMIT, PARALLEL_LIMIT

CGROUPS = "/sys/fs/cgroup"
Read = Callable[[str], str]


class Strained(NamedTuple):
    """Which bound is reached, and the reason a SIP server reads."""

    what: str
    reason: str


class Taken(NamedTuple):
    """How much of something is taken, and of how much."""

    what: str
    taken: int
    most: int
    # What a SIP server reads where too much is taken.
    reason: str


class Ticks(NamedTuple):
    """Processor time since the boot, all processors together: spent, and in all."""

    busy: int
    total: int


def read_file(path: str) -> str:
    """The text of a small file; empty if it cannot be read."""
    try:
        return Path(path).read_text("ascii", "replace")
    except OSError:
        return ""


def open_descriptors() -> int:
    """How many this process has; 0 where the kernel does not say it (before Linux 6.2)."""
    return os.stat("/proc/self/fd").st_size


class Strain:
    """Judges by the last :meth:`sample`; take one about every second.

    ``cpu``: per cent of all processors that may be busy; ``free_memory``: bytes that must be
    available; 0 is no bound. What cannot be read bounds nothing.
    """

    def __init__(
        self,
        *,
        cpu: int,
        free_memory: int,
        read: Read = read_file,
        descriptors: Callable[[], int] = open_descriptors,
    ) -> None:
        self.cpu = cpu
        self.free_memory = free_memory
        self._read = read
        self._descriptors = descriptors
        self._ticks: Ticks | None = None
        self._now: Strained | None = None
        self._taken: tuple[Taken, ...] = ()

    def sample(self) -> None:
        """Look at the host."""
        ticks = ticks_of(self._read("/proc/stat"))
        before, self._ticks = self._ticks, ticks
        self._now = None
        if self.cpu and before and ticks and busy_share(before, ticks) * 100 >= self.cpu:
            self._now = Strained("cpu", CPU_LIMIT)
        self._taken = tuple(self._look())
        available = [each.most - each.taken for each in self._taken if each.what == "memory"]
        if min(available, default=self.free_memory) < self.free_memory:
            self._now = Strained("free-memory", LOAD_LIMIT)

    def reason(self) -> Strained | None:
        """Why the host should take no more; None: it may."""
        return self._now

    def taken(self) -> tuple[Taken, ...]:
        """How much of the host's memory, the cgroup's and the descriptors is taken."""
        return self._taken

    def _look(self) -> Iterator[Taken]:
        memory = self._read("/proc/meminfo")
        total, free = meminfo_bytes(memory, "MemTotal:"), meminfo_bytes(memory, "MemAvailable:")
        if total is not None and free is not None:
            yield Taken("memory", total - free, total, LOAD_LIMIT)
        group = CGROUPS + cgroup_of(self._read("/proc/self/cgroup"))
        most = self._read(f"{group}/memory.max")
        used = cgroup_used(
            self._read(f"{group}/memory.current"), self._read(f"{group}/memory.stat")
        )
        if most.strip().isdigit() and used is not None:
            yield Taken("memory", used, int(most), LOAD_LIMIT)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield Taken("descriptors", self._descriptors(), hard, PARALLEL_LIMIT)


def ticks_of(stat: str) -> Ticks | None:
    """The first line of /proc/stat: user nice system idle iowait irq softirq steal guest ..."""
    name, *fields = stat.partition("\n")[0].split() or [""]
    if name != "cpu" or len(fields) < 8:
        return None
    # Guest time is counted in user time already.
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, fields[:8])
    busy = user + nice + system + irq + softirq + steal
    return Ticks(busy, busy + idle + iowait)


def busy_share(before: Ticks, after: Ticks) -> float:
    """Which part of the time between was spent, 0 to 1."""
    elapsed = after.total - before.total
    return (after.busy - before.busy) / elapsed if elapsed > 0 else 0.0


def meminfo_bytes(text: str, name: str) -> int | None:
    """Bytes of a ``name  123 kB`` line of /proc/meminfo."""
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def cgroup_of(text: str) -> str:
    """The path of the own cgroup (version 2), below the mount; empty if there is none."""
    for line in text.splitlines():
        if line.startswith("0::/"):
            return line.removeprefix("0::").rstrip("/")
    return ""


def cgroup_used(current: str, stat: str) -> int | None:
    """Bytes that a cgroup uses, without what can be dropped from its cache."""
    if not current.strip().isdigit():
        return None
    lines = (line.split() for line in stat.splitlines())
    cache = next((int(line[1]) for line in lines if line[:1] == ["inactive_file"]), 0)
    return int(current) - cache
