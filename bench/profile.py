"""Where a system's time goes in a work: ``python -m bench.profile WORK [SYSTEM] [--policy …]``.

Needs ``perf`` (Debian: linux-perf); samples by the CPU clock, so that it works in virtual machines.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import click

from .control import Daemon
from .ends import Policy
from .load import build
from .measure import measure
from .place import loopback, segments
from .processes import find
from .search import Search
from .systems import SYSTEMS
from .works import catalogue

RECORD = ("record", "--quiet", "--event", "cpu-clock", "--freq", "4000", "-g")
SHOW = ("report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.7")


@click.command()
@click.argument("work")
@click.argument("system", default="msrprelay", type=click.Choice(sorted(SYSTEMS)))
@click.option("--policy", type=click.Choice(["aware", "opaque"]), default="aware")
@click.option("--scale", type=float, default=1.0, help="So much of the work.")
@click.option("--threads", is_flag=True, help="Tell the threads of the system apart.")
@click.option("--callers", is_flag=True, help="Show who calls.")
def main(
    work: str, system: str, policy: Policy, scale: float, threads: bool, callers: bool
) -> None:
    """Do a work once, and show what the system's processes spend their time on."""
    build()
    (chosen,) = (each for each in catalogue().work if each.name == work)
    chosen = chosen.scaled(scale).fitting()
    with (
        (segments if chosen.place == "segments" else loopback)() as place,
        tempfile.TemporaryDirectory() as directory,
    ):
        if place is None:
            raise click.ClickException("this work needs namespaces")
        started = SYSTEMS[system](place)
        if isinstance(started, Search):
            raise click.ClickException("callgrind says more of that")
        data = str(Path(directory) / "perf.data")
        pids = ",".join(map(str, started.pids()))
        perf = subprocess.Popen([find("perf"), *RECORD, "--output", data, "--pid", pids])
        try:
            done = measure(chosen, started, place, policy)
        finally:
            perf.terminate()
            perf.wait()
            started.stop()
        click.echo(f"{done['cost']:.4g} {chosen.unit}")
        sort = "comm,dso,symbol" if threads or isinstance(started, Daemon) else "dso,symbol"
        shown = (*SHOW[:-4], "-g", "caller", *SHOW[-2:]) if callers else SHOW
        subprocess.run([find("perf"), *shown, "--sort", sort, "--input", data], check=False)


if __name__ == "__main__":
    main()
