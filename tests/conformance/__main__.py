"""Command line: play the cases against a relay and print the table."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence

from ..peers.wire import Address
from .cases import CHECKS
from .catalogue import cases
from .relay import TIMERS, NgRelay, Relay, TwoPortRelay
from .run import Outcome, Result, Row, play, table


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing failed; 1: something did; 2: wrong usage (argparse)."""
    options = _parser().parse_args(arguments)
    relay: Relay
    if options.ng:
        relay = NgRelay(
            options.ng, patience=options.patience, timers=options.timer, peer_host=options.peer
        )
    else:
        relay = TwoPortRelay(options.two_port, patience=options.patience, timers=options.timer)
    chosen = [
        check
        for check in CHECKS
        if (not options.case or check.case in options.case or check.id in options.case)
        and (options.policy is None or check.policy == options.policy)
    ]
    outcomes = []
    for check in chosen:
        outcome = play(relay, check, control=bool(options.ng), longest=options.longest)
        outcomes.append(outcome)
        if sys.stderr.isatty():
            print(f"\r{check.case:3} {outcome.result:<14} {check.name:.60}\033[K", end="",
                  file=sys.stderr)  # fmt: skip
    shown = [case for case in cases() if not options.case or case.number in options.case]
    rows = list(table(shown, outcomes))
    _print(rows, outcomes, as_json=options.json)
    return int(any(row.result is Result.FAIL for row in rows))


def _print(rows: list[Row], outcomes: list[Outcome], *, as_json: bool) -> None:
    counts = Counter(row.result.value for row in rows)
    if as_json:
        checks = [
            {"check": each.check.id, "result": each.result, "reason": each.reason,
             "seconds": round(each.seconds, 3)}
            for each in outcomes
        ]  # fmt: skip
        told = [
            {"case": row.case, "result": row.result, "reason": row.reason, "input": row.title}
            for row in rows
        ]
        print(json.dumps({"counts": counts, "cases": told, "checks": checks}, indent=1))
        return
    for row in rows:
        reason = f"  [{row.reason}]" if row.reason else ""
        print(f"{row.case:3}  {row.result:<14}  {row.title}{reason}")
    print(", ".join(f"{counts[result]} {result}" for result in Result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--ng", type=_address, metavar="HOST:PORT", help="control port (UDP)")
    target.add_argument("--two-port", type=_two, metavar="HOST:PORT,HOST:PORT", help="no control")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--case", action="append", type=_case, help="this case or check only")
    parser.add_argument(
        "--policy", choices=["aware", "cema", "sessmatch"], help="play it by this policy only"
    )
    parser.add_argument("--patience", type=float, default=5.0, help="seconds for every wait")
    parser.add_argument("--longest", type=float, default=15.0, help="skip timers above (seconds)")
    parser.add_argument(
        "--timer", action=_Timer, default={}, metavar="NAME=SECONDS",
        help=f"what the relay is set to: {', '.join(TIMERS)}",
    )  # fmt: skip
    parser.add_argument("--peer", default="127.0.0.1", help="local address of the peers")
    return parser


class _Timer(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        name, equals, seconds = str(values).partition("=")
        if name not in TIMERS or not equals:
            parser.error(f"{values!r}: one of {', '.join(TIMERS)}, =, and seconds")
        namespace.timer = {**namespace.timer, name: float(seconds)}


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _two(text: str) -> tuple[Address, Address]:
    one, other = text.split(",")
    return _address(one), _address(other)


def _case(text: str) -> int | str:
    return int(text) if text.isdigit() else text


if __name__ == "__main__":
    sys.exit(main())
