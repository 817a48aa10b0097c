"""Limits of this host that a relay would meet: files, memory, ports, conntrack, clock.

Reads /proc and /sys below a given root, so that every judgement can be tested.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import click

FDS_PER_SESSION = 2
FDS_SPARE = 512
WHOLE_BUFFER = (512 << 10) // 2
"""What the relay asks for per leg and direction, in bytes: the kernel doubles it."""

BIG_PIPE = 1 << 20
GOOD_CONGESTION = frozenset({"cubic", "bbr"})
CONNTRACK_PER_SESSION = 2
CONNTRACK_FULL = 0.8
MIN_BACKLOG = 1024
GOOD_CLOCKS = frozenset({"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"})

State = Literal["ok", "warning", "error"]


class Wanted(NamedTuple):
    """What the relay is to do: its port range and its sessions."""

    port_min: int
    port_max: int
    sessions: int


class Check(NamedTuple):
    """One limit: what it is, whether it will do, what to do if not."""

    name: str
    state: State
    found: str
    remedy: str


Judge = Callable[[Wanted, Path], Iterator[Check]]


def run(wanted: Wanted, root: Path) -> list[Check]:
    """All checks, in order."""
    judges: tuple[Judge, ...] = (
        _files,
        _buffers,
        _pipes,
        _ports,
        _backlog,
        _conntrack,
        _congestion,
        _clock,
    )
    return [check for judge in judges for check in judge(wanted, root)]


def _read(root: Path, path: str) -> str | None:
    try:
        return (root / path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _numbers(root: Path, path: str) -> list[int]:
    text = _read(root, path) or ""
    return [int(word) for word in text.split() if word.isdigit()]


def _files(wanted: Wanted, root: Path) -> Iterator[Check]:
    # The relay raises the soft limit to the hard one by itself.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted.sessions * FDS_PER_SESSION + FDS_SPARE
    unlimited = most == resource.RLIM_INFINITY
    fine = unlimited or most >= need
    yield Check(
        "open files (nofile)",
        "ok" if fine else "error",
        f"hard limit {'none' if unlimited else most}, {need} wanted for {wanted.sessions} sessions",
        f"LimitNOFILE={need} in msrprelayd.service, or ulimit -Hn {need}",
    )
    allowed = _numbers(root, "proc/sys/fs/nr_open")
    if allowed and allowed[0] < need:
        yield Check(
            "fs.nr_open", "error", f"{allowed[0]}, {need} wanted", f"sysctl -w fs.nr_open={need}"
        )


def _buffers(wanted: Wanted, root: Path) -> Iterator[Check]:
    for name in ("rmem_max", "wmem_max"):
        found = _numbers(root, f"proc/sys/net/core/{name}")
        if found:
            fine = found[0] >= WHOLE_BUFFER
            yield Check(
                f"net.core.{name}",
                "ok" if fine else "warning",
                f"{found[0]} bytes, {WHOLE_BUFFER} wanted per leg",
                f"sysctl -w net.core.{name}={WHOLE_BUFFER}",
            )
    memory = _numbers(root, "proc/sys/net/ipv4/tcp_mem")
    if len(memory) == 3:
        pressure = memory[1] * 4096
        fine = pressure >= wanted.sessions * 16_384
        yield Check(
            "net.ipv4.tcp_mem",
            "ok" if fine else "warning",
            f"pressure from {pressure >> 20} MiB on, shared by the whole machine",
            "raise tcp_mem, or allow fewer sessions: stalled legs share this memory",
        )


def _pipes(wanted: Wanted, root: Path) -> Iterator[Check]:
    size = _numbers(root, "proc/sys/fs/pipe-max-size")
    if size:
        yield Check(
            "fs.pipe-max-size",
            "ok" if size[0] >= BIG_PIPE else "warning",
            f"{size[0]} bytes, {BIG_PIPE} wanted for bulk transfers",
            f"sysctl -w fs.pipe-max-size={BIG_PIPE}",
        )
    pages = _numbers(root, "proc/sys/fs/pipe-user-pages-soft")
    if pages and pages[0]:
        pipes = pages[0] * 4096 // BIG_PIPE
        yield Check(
            "fs.pipe-user-pages-soft",
            "ok" if pipes >= 64 else "warning",
            f"{pages[0]} pages: {pipes} pipes of 1 MiB, then smaller ones (slower, not wrong)",
            "sysctl -w fs.pipe-user-pages-soft=0, or accept slower bulk transfers",
        )


def _ports(wanted: Wanted, root: Path) -> Iterator[Check]:
    have = (wanted.port_max - wanted.port_min + 1) // 2
    yield Check(
        "port range",
        "ok" if have >= wanted.sessions else "warning",
        f"{wanted.port_min}-{wanted.port_max}: {have} sessions of two ports",
        "widen --port-min/--port-max, or add an interface",
    )
    ephemeral = _numbers(root, "proc/sys/net/ipv4/ip_local_port_range")
    if len(ephemeral) == 2:
        low, high = ephemeral
        shared = range(max(low, wanted.port_min), min(high, wanted.port_max) + 1)
        loose = set(shared) - set(_reserved(root))
        yield Check(
            "ephemeral range",
            "error" if loose else "ok",
            f"{low}-{high}"
            + (f" overlaps the relay's ports, {len(loose)} of them not reserved" if loose else ""),
            f"move the relay's range, or sysctl -w net.ipv4.ip_local_reserved_ports="
            f"{wanted.port_min}-{wanted.port_max}",
        )


def _reserved(root: Path) -> Iterator[int]:
    """Ports that the kernel gives to nobody who does not ask for them."""
    for span in (_read(root, "proc/sys/net/ipv4/ip_local_reserved_ports") or "").split(","):
        ends = [int(end) for end in span.split("-") if end.strip().isdigit()]
        if ends:
            yield from range(ends[0], ends[-1] + 1)


def _backlog(wanted: Wanted, root: Path) -> Iterator[Check]:
    found = _numbers(root, "proc/sys/net/core/somaxconn")
    if found:
        yield Check(
            "net.core.somaxconn",
            "ok" if found[0] >= MIN_BACKLOG else "warning",
            f"{found[0]}",
            f"sysctl -w net.core.somaxconn={MIN_BACKLOG}",
        )


def _conntrack(wanted: Wanted, root: Path) -> Iterator[Check]:
    most = _numbers(root, "proc/sys/net/netfilter/nf_conntrack_max")
    if not most:
        yield Check("conntrack", "ok", "not in use", "")
        return
    count = (_numbers(root, "proc/sys/net/netfilter/nf_conntrack_count") or [0])[0]
    need = wanted.sessions * CONNTRACK_PER_SESSION + count
    fine = need <= most[0] * CONNTRACK_FULL
    yield Check(
        "conntrack",
        "ok" if fine else "error",
        f"{count} of {most[0]} entries in use, {need} with all sessions",
        "leave the relay's ports out of tracking (nft: notrack), or raise "
        "net.netfilter.nf_conntrack_max",
    )


def _congestion(wanted: Wanted, root: Path) -> Iterator[Check]:
    found = _read(root, "proc/sys/net/ipv4/tcp_congestion_control")
    if found:
        yield Check(
            "congestion control",
            "ok" if found in GOOD_CONGESTION else "warning",
            found,
            "sysctl -w net.ipv4.tcp_congestion_control=cubic (or bbr)",
        )


def _clock(wanted: Wanted, root: Path) -> Iterator[Check]:
    found = _read(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
    if found:
        yield Check(
            "clock source",
            "ok" if found in GOOD_CLOCKS else "warning",
            found,
            "a clock that needs a system call or a port (hpet, acpi_pm) slows every timer: see "
            "the boot messages for why tsc was refused",
        )
    stamps = _numbers(root, "proc/sys/net/ipv4/tcp_timestamps")
    if stamps:
        yield Check(
            "TCP timestamps",
            "ok" if stamps[0] else "warning",
            "on" if stamps[0] else "off",
            "sysctl -w net.ipv4.tcp_timestamps=1: without them a fast leg cannot tell old segments",
        )


def as_json(checks: list[Check]) -> str:
    """One line."""
    fine = not any(check.state == "error" for check in checks)
    return json.dumps({"checks": [check._asdict() for check in checks], "healthy": fine})


COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


def as_text(checks: list[Check]) -> str:
    """A line per check, and what to do under those that are not fine."""
    lines = []
    for check in checks:
        state = click.style(f"{check.state:<8}", fg=COLOURS[check.state])
        lines.append(f"{state} {check.name:<24} {check.found}")
        if check.state != "ok":
            lines.append(f"{'':<9}{'':<24} → {check.remedy}")
    return "\n".join(lines) + "\n"
