"""Command line: a run of chaos, its figures, and one line of JSON at the end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .keepers import both, keepers
from .kept import keep
from .points import points
from .scarcity import files, leases, ports
from .storm import Plan, storm, unkept
from .verdict import Verdict

PHASES = {
    each.__name__: each for each in (storm, points, keepers, both, unkept, leases, ports, files)
}
QUICK_PHASES = ("storm",)

QUICK = {"sessions": 20, "kills": 30, "upgrades": 2, "seconds": 90.0}
FULL = {"sessions": 50, "kills": 300, "upgrades": 20, "seconds": 1200.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing was lost; 1: something was, or too little happened."""
    options = _parser().parse_args(arguments)
    chosen = {**(QUICK if options.quick else FULL)}
    chosen.update({k: v for k in chosen if (v := getattr(options, k)) is not None})
    plan = Plan(
        seed=options.seed, sessions=int(chosen["sessions"]), kills=int(chosen["kills"]),
        upgrades=int(chosen["upgrades"]), seconds=chosen["seconds"],
        keeper=not options.no_keeper, lossy=not options.no_loss, churn=not options.no_churn,
    )  # fmt: skip
    names = options.phases or (QUICK_PHASES if options.quick else PHASES)
    verdicts = []
    for name in names:
        verdicts.append(PHASES[name](plan))
        if options.keep:
            keep(verdicts[-1])
        if not options.json:
            _tell(verdicts[-1])
    print(json.dumps(_line(verdicts)))
    return int(any(verdict.problems for verdict in verdicts))


def _tell(verdict: Verdict) -> None:
    print(f"{verdict.phase}: {json.dumps(verdict.figures)}")
    for reason, count in verdict.reasons.most_common(20):
        print(f"{count:5}  {reason}")
    for problem in verdict.problems:
        print(f"failed: {verdict.phase}: {problem}")


def _line(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """The figures of the first phase, and those of the others by name."""
    first, *others = verdicts
    return {**first.figures, **{each.phase: each.figures for each in others}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=f"of {', '.join(PHASES)}")
    parser.add_argument("--quick", action="store_true", help="a minute of it")
    parser.add_argument("--keep", action="store_true", help="the figures, for the manual")
    parser.add_argument("--json", action="store_true", help="print nothing but the figures")
    parser.add_argument("--seed", type=int, default=4975, help="of kills, losses and octets")
    parser.add_argument("--no-keeper", action="store_true", help="see what a keeper is good for")
    parser.add_argument("--no-loss", action="store_true", help="a network that loses no datagram")
    parser.add_argument("--no-churn", action="store_true", help="no calls but those that last")
    parser.add_argument("--sessions", type=int, help="sessions that last")
    parser.add_argument("--kills", type=int, help="of the relay process")
    parser.add_argument("--upgrades", type=int)
    parser.add_argument("--seconds", type=float, help="longest time for all kills and upgrades")
    return parser


if __name__ == "__main__":
    sys.exit(main())
