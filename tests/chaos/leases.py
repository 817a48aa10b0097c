"""Leases of ports by the million, on a clock of their own: no port twice, none before its time."""

from __future__ import annotations

import random
from dataclasses import dataclass

from msrprelay.errors import RAN_OUT, CommandError
from msrprelay.net.ports import PortPool

PORTS = range(20000, 20200)
QUARANTINE = 60.0
# Of the steps; above one half, so that the pool is mostly near its end.
LEASING = 0.7


@dataclass
class Outcome:
    """How many leases were had, and how often there was none."""

    leases: int = 0
    exhaustions: int = 0


def cycle(leases: int, seed: int) -> Outcome:
    """Lease and free so often. Raises AssertionError for a port that should not have been had."""
    dice, outcome, now = random.Random(seed), Outcome(), 0.0
    pool = PortPool(PORTS, quarantine=QUARANTINE, seed=seed)
    held: list[int] = []
    rests_until: dict[int, float] = {}
    while outcome.leases < leases:
        now += dice.expovariate(len(PORTS) / QUARANTINE)
        if held and dice.random() > LEASING:
            port = held.pop(dice.randrange(len(held)))
            pool.free(port, now)
            rests_until[port] = now + QUARANTINE
            continue
        available = len(PORTS) - len(held) - sum(until > now for until in rests_until.values())
        port_or_none = _lease(pool, now)
        if port_or_none is None:
            assert available == 0, f"none of {available} free ports at {now}"
            outcome.exhaustions += 1
            # Somebody hangs up.
            now += QUARANTINE / 10
            continue
        assert port_or_none in PORTS
        assert port_or_none not in held, f"{port_or_none} is leased twice"
        assert rests_until.pop(port_or_none, now) <= now, f"{port_or_none} has not rested"
        held.append(port_or_none)
        outcome.leases += 1
    assert pool.leased == len(held)
    return outcome


def _lease(pool: PortPool, now: float) -> int | None:
    try:
        return pool.lease(now)
    except CommandError as refused:
        if refused.reason != RAN_OUT:
            raise
        return None
