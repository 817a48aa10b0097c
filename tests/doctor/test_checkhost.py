"""check-host judges what it reads below a root."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from msrprelay.doctor.checkhost import Wanted, as_json, as_text, run

WANTED = Wanted(20000, 29999, 1000)
GOOD = {
    "proc/sys/fs/nr_open": "1048576",
    "proc/sys/net/core/rmem_max": "4194304",
    "proc/sys/net/core/wmem_max": "4194304",
    "proc/sys/net/ipv4/tcp_mem": "100000 200000 300000",
    "proc/sys/fs/pipe-max-size": "1048576",
    "proc/sys/fs/pipe-user-pages-soft": "16384",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
    "proc/sys/net/core/somaxconn": "4096",
    "proc/sys/net/netfilter/nf_conntrack_max": "262144",
    "proc/sys/net/netfilter/nf_conntrack_count": "12",
    "proc/sys/net/ipv4/tcp_congestion_control": "cubic",
    "proc/sys/net/ipv4/tcp_timestamps": "1",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in GOOD.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n", "ascii")
    return tmp_path


def states(root: Path, wanted: Wanted = WANTED) -> dict[str, str]:
    checks = [check for check in run(wanted, root) if "nofile" not in check.name]
    return {check.name: check.state for check in checks if check.state != "ok"}


def test_a_good_host_is_fine(root: Path) -> None:
    assert states(root) == {}


@pytest.mark.parametrize(
    ("path", "text", "name", "state"),
    [
        ("proc/sys/fs/nr_open", "1024", "fs.nr_open", "error"),
        ("proc/sys/net/core/rmem_max", "212992", "net.core.rmem_max", "warning"),
        ("proc/sys/net/core/wmem_max", "212992", "net.core.wmem_max", "warning"),
        ("proc/sys/net/ipv4/tcp_mem", "1 2 3", "net.ipv4.tcp_mem", "warning"),
        ("proc/sys/fs/pipe-max-size", "65536", "fs.pipe-max-size", "warning"),
        ("proc/sys/fs/pipe-user-pages-soft", "1024", "fs.pipe-user-pages-soft", "warning"),
        ("proc/sys/net/ipv4/ip_local_port_range", "1024 65000", "ephemeral range", "error"),
        ("proc/sys/net/core/somaxconn", "128", "net.core.somaxconn", "warning"),
        ("proc/sys/net/netfilter/nf_conntrack_max", "2000", "conntrack", "error"),
        ("proc/sys/net/ipv4/tcp_congestion_control", "vegas", "congestion control", "warning"),
        ("proc/sys/net/ipv4/tcp_timestamps", "0", "TCP timestamps", "warning"),
        (
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "hpet",
            "clock source",
            "warning",
        ),
    ],
)
def test_names_what_is_too_small(root: Path, path: str, text: str, name: str, state: str) -> None:
    (root / path).write_text(text, "ascii")
    assert states(root) == {name: state}
    check = next(check for check in run(WANTED, root) if check.name == name)
    assert check.remedy
    assert check.remedy in as_text([check])


def test_too_few_ports_are_named(root: Path) -> None:
    assert states(root, Wanted(20000, 20099, 1000)) == {"port range": "warning"}


@pytest.mark.parametrize(
    ("reserved", "found"),
    [
        pytest.param("", "error", id="none"),
        pytest.param("20000-29999", "ok", id="all"),
        pytest.param("8080,20000-24999,25000-29999,40000", "ok", id="in-parts"),
        pytest.param("20000-29998", "error", id="all-but-one"),
        pytest.param("29999", "error", id="only-one"),
    ],
)
def test_ports_that_the_kernel_keeps_back_are_no_overlap(
    root: Path, reserved: str, found: str
) -> None:
    ports = root / "proc/sys/net/ipv4"
    (ports / "ip_local_port_range").write_text("1024\t65000\n", "ascii")
    (ports / "ip_local_reserved_ports").write_text(reserved + "\n", "ascii")
    assert states(root).get("ephemeral range", "ok") == found


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        pytest.param((1024, 1_048_576), "ok", id="the-relay-raises-it"),
        pytest.param((1024, 2_511), "error", id="hard-limit-too-low"),
        pytest.param((1024, resource.RLIM_INFINITY), "ok", id="no-hard-limit"),
    ],
)
def test_the_hard_limit_of_open_files_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], found: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    (check,) = (check for check in run(WANTED, root) if "nofile" in check.name)
    assert check.state == found


def test_a_host_that_hides_its_limits_is_survived(tmp_path: Path) -> None:
    assert states(tmp_path) == {}


def test_json_is_one_line(root: Path) -> None:
    text = as_json(run(WANTED, root))
    assert "\n" not in text
    assert {"checks", "healthy"} == set(json.loads(text))
