"""The calls that a build learns from: ``python -m bench.training``.

The daemon, whose hot modules record (``make setup``; docs/decisions/0020-laid-out-by-a-profile.md),
is asked all that SIP servers were recorded to ask, over and over, and relays calls whose endpoints
meet, talk and change them. Which of the code that used, the compiler reads when it builds it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from msrprelay.rpc import bencode
from tests.conformance.call import Call
from tests.conformance.cases.a_framer import goes_on
from tests.conformance.relay import NgRelay
from tests.peers.daemon import Daemon
from tests.peers.ng import Ng, fresh_cookie
from tests.unit.rpc_recordings import REQUESTS

PASSES = 12
MEETINGS = 60
PORTS = 8000
# One call follows the other: its ports are free at once. No call is waited for in the end.
SETTINGS = {"timers.delete-delay": 0, "timers.port-quarantine": 0, "timers.drain": 0}


def replayed() -> Iterator[tuple[str, dict[str, object]]]:
    """What was recorded, in every pass about other calls."""
    for number in range(PASSES):
        for request in REQUESTS:
            fields, _ = bencode.decode(request.body)
            assert isinstance(fields, dict)
            call_id = f"{number}-{request.call_id}"
            yield request.command, {**fields, "call-id": call_id}


def meet(call: Call) -> None:
    """Two endpoints join and chat; one re-INVITE is accepted, one is not."""
    a, b = call.join()
    goes_on(a, b)
    call.reoffer()
    call.answer()
    call.reoffer()
    call.query()
    goes_on(a, b)


def main() -> None:
    """Train it."""
    with Daemon(SETTINGS, ports=PORTS, keeper=True) as daemon:
        ng = Ng(*daemon.ng_address)
        for command, fields in replayed():
            # Some of them it refuses, as it should.
            ng.exchange(fresh_cookie(), command, fields)
        ng.close()
        for _ in range(MEETINGS):
            with NgRelay(daemon.ng_address).call("aware") as call:
                meet(call)


if __name__ == "__main__":
    main()
