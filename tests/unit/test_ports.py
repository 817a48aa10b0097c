"""A port is in one lease at a time, rests in quarantine, and comes back."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from msrprelay.errors import CommandError
from msrprelay.net.ports import PortPool

QUARANTINE = 60.0


def test_an_empty_pool_refuses_in_the_words_kamailio_fails_over_on() -> None:
    pool = PortPool([20000], quarantine=QUARANTINE)
    pool.lease(0.0)
    with pytest.raises(CommandError, match=r"^Ran out of ports$"):
        pool.lease(0.0)


def test_a_freed_port_rests_until_the_quarantine_is_over() -> None:
    pool = PortPool([20000], quarantine=QUARANTINE)
    pool.free(pool.lease(0.0), 10.0)
    with pytest.raises(CommandError):
        pool.lease(10.0 + QUARANTINE - 0.001)
    assert pool.lease(10.0 + QUARANTINE) == 20000


def test_a_port_cannot_be_freed_twice() -> None:
    pool = PortPool([20000], quarantine=QUARANTINE)
    port = pool.lease(0.0)
    pool.free(port, 0.0)
    with pytest.raises(KeyError):
        pool.free(port, 0.0)


def test_a_port_that_was_leased_twice_rests_when_nobody_has_it_any_more() -> None:
    pool = PortPool([20000, 20001], quarantine=QUARANTINE)
    pool.restore([20000, 20000, 20001], [])
    pool.free(20000, 0.0)
    assert (pool.leased, pool.resting) == (2, 0)
    pool.free(20000, 10.0)
    assert (pool.leased, pool.resting) == (1, 1)
    with pytest.raises(CommandError):
        pool.lease(10.0 + QUARANTINE - 0.001)


def test_a_port_that_rests_by_two_records_rests_until_the_later_one() -> None:
    pool = PortPool([20000], quarantine=QUARANTINE)
    pool.restore([], [(60.0, 20000), (10.0, 20000)])
    with pytest.raises(CommandError):
        pool.lease(59.0)
    assert pool.lease(60.0) == 20000


def test_the_order_is_not_the_numbers() -> None:
    ports = range(20000, 20100)
    pool = PortPool(ports, quarantine=QUARANTINE, seed=1)
    leased = [pool.lease(0.0) for _ in ports]
    assert sorted(leased) == list(ports)
    assert leased != list(ports)


class Leases(RuleBasedStateMachine):
    """Lease and free in any order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = PortPool(range(8), quarantine=QUARANTINE, seed=0)
        self.now = 0.0
        self.held: list[int] = []
        self.freed_at: dict[int, float] = {}

    @rule(seconds=st.floats(0.0, 100.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def lease(self) -> None:
        try:
            port = self.pool.lease(self.now)
        except CommandError:
            resting = [at for at in self.freed_at.values() if at + QUARANTINE > self.now]
            assert len(self.held) + len(resting) == 8
            return
        # The same sum as the pool makes: a difference may round to the other side of it.
        assert self.freed_at.pop(port, -QUARANTINE) + QUARANTINE <= self.now
        self.held.append(port)

    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        if self.held:
            port = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
            self.freed_at[port] = self.now
            self.pool.free(port, self.now)

    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        if self.held:
            self.pool.put_back(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @invariant()
    def each_port_once(self) -> None:
        assert len(self.held) == len(set(self.held)) == self.pool.leased


TestLeases = Leases.TestCase
