"""An SDP is a stranger's text: whom the relay may not dial is not dialled."""

from __future__ import annotations

import pytest

from ..conformance.call import Call
from ..peers import sdp
from ..peers.msrp import bind
from ..peers.wire import End
from .conftest import Start

ALLOWED = ("--dial-allow=127.0.0.0/8",)


@pytest.mark.parametrize(
    ("host", "options"),
    [
        pytest.param("127.0.0.1", (), id="loopback"),
        pytest.param("localhost", (), id="a name for loopback"),
        pytest.param("127.0.0.1", (*ALLOWED, "--dial-deny=127.0.0.1/32"), id="denied by name"),
    ],
)
def test_a_denied_target_is_not_dialled(start: Start, host: str, options: tuple[str, ...]) -> None:
    _, relay = start({"timers.join": 0.5, "timers.grace": 0.2}, options=options)
    with relay.call("aware", "active", "passive") as call:
        assert call.b.listener is not None
        call.offer()
        call.b.path = (call.b.path[0].replace("127.0.0.1", host),)
        reply = call.answer(sdp.body(call.b.section()))
        # A name is looked up after the reply; an address is judged at once.
        assert host != "127.0.0.1" or "dial-denied" in str(reply["warning"])
        call.a.dial()
        call.a.send(bind())
        assert call.a.wire.end() is End.FIN
        assert not call.b.listener.is_dialled()
        assert reason(call) == "dial-denied"


def reason(call: Call) -> str:
    return str(call.query()["msrp"]["sessions"][0]["reason"])
