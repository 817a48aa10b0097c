"""``python -m bench``: measure, compare, leave the results in ``bench/results``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
import msgspec

from . import load
from .environment import environment
from .place import loopback
from .report import RESULTS, judgement, text_table, write
from .rounds import run
from .rows import rows
from .works import Work, catalogue

ROUNDS, QUICK_ROUNDS = 7, 3


@click.command()
@click.option("--quick", is_flag=True, help="A minute's worth: the works that matter most.")
@click.option("--rounds", type=click.IntRange(1), help="How often each work is done by each.")
@click.option("--work", "names", multiple=True, help="Only this work; repeatable.")
@click.option("--peer", "peers", multiple=True, help="Only this peer; repeatable.")
@click.option("--scale", type=float, default=1.0, help="So much of each amount of work.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    quick: bool,
    rounds: int | None,
    names: tuple[str, ...],
    peers: tuple[str, ...],
    scale: float,
    out: Path,
) -> None:
    """Measure the engine beside its peers."""
    # Whoever is told to end removes what it made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    load.build()
    known = catalogue()
    works = [work.scaled(scale).against(peers) for work in chosen(known.work, names, quick=quick)]
    with loopback() as place:
        record = environment(place)
    say(f"uid {record['uid']}, effective capabilities {record['capabilities']}, "
        f"namespace: {record['settings'].get('namespace', 'own')}, "
        f"load average {record['load_average'][0]:.1f}")  # fmt: skip
    samples = list(run(works, rounds or (QUICK_ROUNDS if quick else ROUNDS), quick=quick, say=say))
    found = rows(known, works, samples)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (("latest", found), ("samples", samples), ("run", record)):
        encoded = msgspec.json.format(msgspec.json.encode(content), indent=1)
        (out / f"{name}.json").write_bytes(encoded + b"\n")
    write(out)
    click.echo(text_table(found))
    click.echo(judgement(found))


def chosen(works: list[Work], names: tuple[str, ...], *, quick: bool) -> list[Work]:
    """The works asked for, as large as this machine's limits allow."""
    if unknown := set(names) - {work.name for work in works}:
        sys.exit(f"no such work: {', '.join(sorted(unknown))}")
    asked = [work for work in works if not names or work.name in names]
    small = [work.quickly() for work in asked] if quick else asked
    return [work.fitting() for work in small if work is not None]


def say(line: str) -> None:
    """Progress goes beside the result."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
