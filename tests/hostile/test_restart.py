"""A restart soon after: the ports are still in TIME_WAIT."""

from __future__ import annotations

from ..conformance.cases.a_framer import goes_on
from ..peers.wire import End
from .conftest import Start
from .process import TIME_WAIT, states


def test_a_restart_finds_its_ports_in_time_wait(start: Start) -> None:
    daemon, relay = start(ports=2)
    with relay.call("aware") as call:
        a, b = call.join()
        call.delete()
        # The relay sends FIN first, so the wait is on its side.
        for party in (a, b):
            party.wire.expect_end(how=End.FIN)
            party.close()
        ports = [party.where.port for party in (a, b)]
    daemon.stop()
    assert all(TIME_WAIT in states(port) for port in ports)
    _, again = start(ports=2, first_port=min(ports))
    with again.call("aware") as call:
        goes_on(*call.join())
