"""Where a system's time goes in a work: ``python -m bench.profile WORK [SYSTEM] [--policy …]``.

Needs ``perf`` (Debian: linux-perf). ``python -m bench.spent`` compares systems.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from .ends import Policy
from .load import build
from .systems import SYSTEMS
from .watched import do_watched, told
from .works import catalogue

SHOW = ("--stdio", "--no-children", "--percent-limit", "0.7", "-g")


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
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "perf.data"
        done = do_watched(chosen.scaled(scale).fitting(), system, policy, data)
        click.echo(f"{done['cost']:.4g} {chosen.unit}")
        sort = "comm,dso,symbol" if threads or chosen.load["kind"] == "call" else "dso,symbol"
        shown = (*SHOW, "caller" if callers else "none", "--sort", sort)
        click.echo(told(data, "report", *shown))


if __name__ == "__main__":
    main()
