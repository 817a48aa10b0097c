"""Command line: a run of chaos, its figures, and one line of JSON at the end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .storm import Plan, run
from .verdict import Verdict

QUICK = {"sessions": 20, "kills": 30, "upgrades": 2, "seconds": 45.0}
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
    verdict = run(plan, sys.stderr.write if options.log else len)
    _print(verdict, as_json=options.json)
    return int(bool(verdict.problems))


def _print(verdict: Verdict, *, as_json: bool) -> None:
    if not as_json:
        for reason, count in verdict.reasons.most_common(20):
            print(f"{count:5}  {reason}")
        for problem in verdict.problems:
            print(f"failed: {problem}")
    print(json.dumps(verdict.figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute of it")
    parser.add_argument("--json", action="store_true", help="print nothing but the figures")
    parser.add_argument("--seed", type=int, default=4975, help="of kills, losses and octets")
    parser.add_argument("--no-keeper", action="store_true", help="see what a keeper is good for")
    parser.add_argument("--no-loss", action="store_true", help="a network that loses no datagram")
    parser.add_argument("--no-churn", action="store_true", help="no calls but those that last")
    parser.add_argument("--sessions", type=int, help="sessions that last")
    parser.add_argument("--kills", type=int, help="of the relay process")
    parser.add_argument("--upgrades", type=int)
    parser.add_argument("--seconds", type=float, help="longest time for all kills and upgrades")
    parser.add_argument("--log", action="store_true", help="print the relay's log as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
