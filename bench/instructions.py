"""Instructions of framing and rewriting, counted by callgrind: ``python -m bench.instructions``.

Counts hardly depend on how busy the machine is, so that a change of 2 % shows. They are compared
with those in ``instructions.json``, and written there with ``--keep``. Pace is measured besides,
for the end-line search in GB/s; that does depend on the machine.
"""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from .load import build
from .processes import find
from .search import PROGRAM

KEPT = Path(__file__).with_name("instructions.json")
# What start and end cost is the same in both, and drops out of the difference.
FEW, MANY = 1, 5
PACE_PASSES = 200
NOTABLE = 0.02
GIGA = 1e9


def cases() -> list[str]:
    """Names of all inputs."""
    return output(str(PROGRAM), "--list").split()


def instructions(case: str) -> float:
    """Instructions per message; per KiB where the whole input is one chunk."""
    done = json.loads(output(str(PROGRAM), case, "1"))
    spent = (counted(case, MANY) - counted(case, FEW)) / (MANY - FEW)
    return float(spent / (done["messages"] if done["messages"] > 1 else done["bytes"] / 1024))


def counted(case: str, passes: int) -> int:
    """Instructions of a whole run."""
    valgrind = [find("valgrind"), "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    ran = subprocess.run(
        [*valgrind, str(PROGRAM), case, str(passes)], capture_output=True, text=True, check=True
    )
    found = re.search(r"Collected : (\d+)", ran.stderr)
    assert found is not None, ran.stderr
    return int(found.group(1))


def pace(case: str) -> float:
    """GB/s, the best of three: others can only slow it down."""
    runs = [json.loads(output(str(PROGRAM), case, str(PACE_PASSES))) for _ in range(3)]
    rates: list[float] = [run["bytes"] * PACE_PASSES / run["seconds"] for run in runs]
    return max(rates) / GIGA


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@click.command()
@click.option("--keep", is_flag=True, help="Write the counts for later comparison.")
def main(keep: bool) -> None:
    """Count, compare, show."""
    build()
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    names = cases()
    with ThreadPoolExecutor() as pool:
        counts = dict(zip(names, pool.map(instructions, names), strict=True))
    for name, count in counts.items():
        before = kept.get(name)
        change = count / before - 1 if before else 0.0
        mark = "  <--" if abs(change) >= NOTABLE else ""
        unit = "KiB" if name.startswith("scan") else "message"
        click.echo(
            f"{name:20} {count:12.1f} instructions/{unit:8} {change:+8.1%}"
            f" {pace(name):7.2f} GB/s{mark}"
        )
    if keep:
        rounded = {name: round(count, 1) for name, count in counts.items()}
        KEPT.write_text(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    main()
