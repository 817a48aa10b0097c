"""A work done once while perf looks on. Samples by the CPU clock, so in virtual machines too."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import click

from .ends import Policy
from .measure import measure
from .place import loopback, segments
from .processes import find
from .search import Search
from .systems import SYSTEMS, Measured
from .works import Work

RECORD = ("record", "--quiet", "--event", "cpu-clock", "--freq", "4000", "-g")


def do_watched(work: Work, system: str, policy: Policy, data: Path) -> dict[str, Any]:
    """Do it; perf's samples of the system's processes go to ``data``. What was measured."""
    with (segments if work.place == "segments" else loopback)() as place:
        if place is None:
            raise click.ClickException("this work needs namespaces")
        started: Measured = SYSTEMS[system](place)
        if isinstance(started, Search):
            raise click.ClickException("callgrind says more of that")
        pids = ",".join(map(str, started.pids()))
        watching = [find("perf"), *RECORD, "--output", str(data), "--pid", pids]
        perf = subprocess.Popen(watching)
        try:
            return measure(work, started, place, policy)
        finally:
            perf.terminate()
            perf.wait()
            started.stop()


def told(data: Path, command: str, *options: str) -> str:
    """What perf tells of the samples."""
    asked = (find("perf"), command, *options, "--input", str(data))
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
