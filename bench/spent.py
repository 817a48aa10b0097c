"""Where the time goes in works that miss a bar, ours beside a peer's: ``python -m bench.spent``.

Needs ``perf`` (Debian: linux-perf). Leaves ``docs/profile.json``, of which ``make docs`` makes a
table: of each system's time the part of each kind of system call, of the rest of the kernel, and of
the code outside it.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from .control import DAEMONS
from .costs import WHERE, keep, short
from .ends import Policy
from .environment import environment
from .load import build
from .place import loopback
from .systems import is_engine_thread, is_ours
from .watched import do_watched, told
from .works import Work, catalogue

# Works, how much of them, our policy, and whom they are compared with.
WORKS: tuple[tuple[str, float, Policy, str, str], ...] = (
    ("bulk-8", 2, "opaque", "msrprelay", "nginx-64k"),
    ("bulk-8-segments", 4, "opaque", "msrprelay", "haproxy-splice"),
    ("chunks-2k", 4, "aware", "msrprelay", "haproxy"),
    ("chunks-64k", 4, "aware", "msrprelay", "haproxy"),
    ("chat-100", 3, "aware", "msrprelay", "haproxy"),
    ("chat-100x8", 3, "aware", "msrprelay", "haproxy"),
    ("setup", 10, "aware", "msrprelay-deleted", "haproxy"),
    ("call", 4, "aware", "msrprelayd", "rtpengine"),
    ("call-16", 4, "aware", "msrprelayd", "rtpengine"),
)
# System calls by what they are for; each kind is a column.
KINDS = {
    "send": ("sendto", "sendmsg", "sendmmsg", "write", "writev"),
    "receive": ("recvfrom", "recvmsg", "recvmmsg", "read", "readv"),
    "splice": ("splice",),
    "wait": ("epoll_wait", "epoll_pwait", "poll", "ppoll", "futex", "nanosleep"),
    "open": ("socket", "bind", "listen", "accept", "accept4", "connect"),
    "set, watch": ("setsockopt", "getsockopt", "getsockname", "epoll_ctl", "fcntl", "ioctl"),
    "end": ("shutdown", "close"),
}
REST, OUTSIDE = "kernel, else", "outside the kernel"
COLUMNS = (*KINDS, REST, OUTSIDE)
_KIND = {call: kind for kind, calls in KINDS.items() for call in calls}
# What the kernel's functions of a system call are named: __x64_sys_close, __sys_sendmsg, do_writev.
_CALL = re.compile(r"(?:_sys_|ksys_|\bdo_)(\w+)")
# A line of perf's: an address, then the symbol; those of the kernel are in its half.
_KERNEL = re.compile(r"^\s*ffff")


def parts(samples: Iterable[tuple[str, list[str]]]) -> dict[str, float]:
    """Share of each column, of 1, in samples of (thread, frames from the innermost)."""
    counts = Counter(column(frames) for thread, frames in samples)
    return {name: counts[name] / max(1, counts.total()) for name in COLUMNS}


def column(frames: list[str]) -> str:
    """What a sample was taken in."""
    for call in filter(None, map(_CALL.search, frames)):
        if call[1] in _KIND:
            return _KIND[call[1]]
    return REST if frames and _KERNEL.match(frames[0]) else OUTSIDE


def samples_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """Samples as ``perf script -F comm,ip,sym`` prints them."""
    for block in text.split("\n\n"):
        thread, *frames = block.strip("\n").split("\n")
        if frames:
            yield thread.strip(), frames


def is_counted(system: str, thread: str, frames: list[str]) -> bool:
    """Of the engine's caller only what it has the kernel do for a session is the engine's."""
    if not is_ours(system) or system in DAEMONS or is_engine_thread(thread):
        return True
    return column(frames) in ("open", "set, watch", "end")


def watched(work: Work, system: str, policy: Policy) -> dict[str, Any]:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "perf.data"
        done = do_watched(work, system, policy, data)
        text = told(data, "script", "-F", "comm,ip,sym")
    counted = [each for each in samples_of(text) if is_counted(system, *each)]
    share = parts(counted)
    return {
        "work": work.title,
        "system": system,
        "policy": policy,
        "unit": work.unit,
        "cost": short(done["cost"]),
        "samples": len(counted),
        "parts": {name: short(part * done["cost"]) for name, part in share.items()},
    }


@click.command()
def main() -> None:
    """Do each work by ours and by the peer, and keep where the time went."""
    build()
    with loopback() as place:
        run = environment(place)
    works = {work.name: work for work in catalogue().work}
    lines = []
    for name, scale, policy, ours, peer in WORKS:
        work = works[name].scaled(scale).fitting()
        for system in (ours, peer):
            own = policy if is_ours(system) else "opaque"
            lines.append(watched(work, system, own))
            click.echo(f"{work.title}, {system}: {lines[-1]['cost']} {work.unit}")
    where = {key: run[key] for key in WHERE}
    keep("profile.json", {"run": where, "columns": COLUMNS, "lines": lines})


if __name__ == "__main__":
    main()
