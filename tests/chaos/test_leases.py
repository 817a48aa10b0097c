"""A small part of the million leases that `make chaos` cycles through."""

from __future__ import annotations

from .leases import PORTS, cycle


def test_leases_are_exclusive_and_rest() -> None:
    outcome = cycle(20_000, seed=1)
    assert outcome.leases == 20_000
    assert outcome.exhaustions > len(PORTS)
