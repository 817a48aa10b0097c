"""The host's strain is read from /proc, and what cannot be read bounds nothing."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.strain import (
    Strain,
    Strained,
    Taken,
    cgroup_of,
    cgroup_used,
    meminfo_bytes,
    ticks_of,
)

CPU = Strained("cpu", "CPU usage limit exceeded")
MEMORY = Strained("free-memory", "Load limit exceeded")
TOTAL = "MemTotal: 1000000 kB\n"


class Host:
    """Files by path."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def read(self, path: str) -> str:
        return self.files.get(path, "")

    def spend(self, busy: int, idle: int) -> None:
        before = ticks_of(self.read("/proc/stat"))
        was = (before.busy, before.total - before.busy) if before else (0, 0)
        spent = f"cpu  {was[0] + busy} 0 0 {was[1] + idle} 0 0 0 0 7 7\ncpu0 1 2 3 4\n"
        self.files["/proc/stat"] = spent


@pytest.mark.parametrize(
    ("busy", "idle", "reason"),
    [
        pytest.param(79, 21, None, id="below"),
        pytest.param(80, 20, CPU, id="at-the-bound"),
        pytest.param(100, 0, CPU, id="all"),
        pytest.param(0, 0, None, id="no-time-has-passed"),
    ],
)
def test_the_share_of_the_time_between_two_looks_counts(
    busy: int, idle: int, reason: Strained | None
) -> None:
    host = Host()
    strain = Strain(cpu=80, free_memory=0, read=host.read)
    host.spend(1000, 1)
    strain.sample()
    assert strain.reason() is None
    host.spend(busy, idle)
    strain.sample()
    assert strain.reason() == reason


def test_it_is_over_when_the_next_look_says_so() -> None:
    host = Host()
    strain = Strain(cpu=80, free_memory=0, read=host.read)
    for busy, idle in ((1, 1), (9, 1)):
        host.spend(busy, idle)
        strain.sample()
    assert strain.reason() == CPU
    host.spend(1, 9)
    strain.sample()
    assert strain.reason() is None


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"/proc/meminfo": TOTAL + "MemAvailable: 65536 kB\n"}, None, id="host"),
        pytest.param({"/proc/meminfo": TOTAL + "MemAvailable: 65535 kB\n"}, MEMORY, id="short"),
        pytest.param({}, None, id="unreadable"),
        pytest.param(
            {
                "/proc/meminfo": TOTAL + "MemAvailable: 900000 kB\n",
                "/proc/self/cgroup": "0::/a.service\n",
                "/sys/fs/cgroup/a.service/memory.max": f"{100 << 20}\n",
                "/sys/fs/cgroup/a.service/memory.current": f"{90 << 20}\n",
                "/sys/fs/cgroup/a.service/memory.stat": f"anon 5\ninactive_file {10 << 20}\n",
            },
            MEMORY,
            id="cgroup-short",
        ),
    ],
)
def test_memory_is_what_host_and_cgroup_have_left(
    files: dict[str, str], reason: Strained | None
) -> None:
    strain = Strain(cpu=0, free_memory=64 << 20, read=lambda path: files.get(path, ""))
    strain.sample()
    assert strain.reason() == reason


def test_0_bounds_nothing() -> None:
    host = Host()
    host.files["/proc/meminfo"] = TOTAL + "MemAvailable: 1 kB\n"
    strain = Strain(cpu=0, free_memory=0, read=host.read)
    for _ in range(2):
        host.spend(1, 0)
        strain.sample()
    assert strain.reason() is None


def test_this_host_can_be_read() -> None:
    strain = Strain(cpu=0, free_memory=1 << 60)
    strain.sample()
    assert strain.reason() == MEMORY


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/system.slice/x.service\n", "/system.slice/x.service"),
        ("12:cpu:/a\n0::/\n", ""),
        ("", ""),
    ],
)
def test_the_own_cgroup_is_the_unified_one(text: str, path: str) -> None:
    assert cgroup_of(text) == path


def test_a_cgroup_without_a_bound_bounds_nothing() -> None:
    files = {"/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/memory.current": "5\n"}
    strain = Strain(cpu=0, free_memory=1, read=lambda path: files.get(path, ""))
    strain.sample()
    assert [each.what for each in strain.taken()] == ["descriptors"]


def test_what_can_be_dropped_is_not_used() -> None:
    assert cgroup_used("100\n", "anon 5\ninactive_file 30\n") == 70
    assert cgroup_used("", "") is None


def test_what_is_taken_is_told_with_all_there_is() -> None:
    files = {
        "/proc/meminfo": TOTAL + "MemAvailable: 250000 kB\n",
        "/proc/self/cgroup": "0::/a.service\n",
        "/sys/fs/cgroup/a.service/memory.max": "1000\n",
        "/sys/fs/cgroup/a.service/memory.current": "900\n",
    }
    strain = Strain(
        cpu=0, free_memory=0, read=lambda path: files.get(path, ""), descriptors=lambda: 7
    )
    strain.sample()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert strain.taken() == (
        Taken("memory", 750_000 << 10, 1_000_000 << 10, "Load limit exceeded"),
        Taken("memory", 900, 1000, "Load limit exceeded"),
        Taken("descriptors", 7, hard, "Parallel session limit reached"),
    )


@given(text=st.text(max_size=60))
def test_any_first_line_is_read_or_not(text: str) -> None:
    ticks_of("x" + text)
    meminfo_bytes(text, "MemAvailable:")
