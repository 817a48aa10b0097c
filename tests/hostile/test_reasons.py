"""Every end of a session has its reason, and the legs theirs (docs/states.md)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from msrprelay.ladder import draw

from ..conformance.call import Call
from ..conformance.relay import NgRelay
from ..peers import sdp
from ..peers.daemon import Daemon
from ..peers.msrp import bind, message
from ..peers.wire import End, Failure

HASTY = {
    "timers.join": 0.3,
    "timers.own-bind": 0.1,
    "timers.grace": 0.2,
    "timers.chunk-stall": 0.3,
    "timers.offer": 0.3,
}
Scene = Callable[[Call], None]
SCENES: dict[str, tuple[Scene, dict[str, Any]]] = {}


def scene(code: str, **details: Any) -> Callable[[Scene], Scene]:
    """What leads to a session's end with this reason; `details` of the call."""

    def register(play: Scene) -> Scene:
        SCENES[code] = (play, details)
        return play

    return register


@scene("hangup")
def both_leave(call: Call) -> None:
    a, b = call.join()
    a.wire.fin()
    b.wire.expect_end()
    b.wire.fin()


@scene("cut-chunk")
def one_leaves_in_mid_chunk(call: Call) -> None:
    a, _ = call.join()
    a.send(message()[:-20])
    a.wire.fin()


@scene("peer-reset")
def one_resets(call: Call) -> None:
    a, _ = call.join()
    a.wire.reset()


@scene("malformed")
def one_sends_no_msrp(call: Call) -> None:
    a, _ = call.join()
    a.send(b"no MSRP at all\r\n")


@scene("chunk-stalled")
def one_stops_in_mid_chunk(call: Call) -> None:
    a, _ = call.join()
    a.send(message()[:-20])


@scene("idle", flags={"msrp-idle": "1"})
def nobody_speaks(call: Call) -> None:
    call.join()


@scene("join-timeout")
def nobody_comes(call: Call) -> None:
    call.agree()


@scene("leg-missing")
def one_does_not_come(call: Call) -> None:
    call.agree()
    call.a.dial()
    call.a.send(bind())


@scene("dial-failed", answered="passive")
def the_dialled_one_does_not_listen(call: Call) -> None:
    assert call.b.listener is not None
    call.offer()
    body = sdp.body(call.b.section())
    call.b.listener.close()
    call.answer(body)
    call.a.dial()
    call.a.send(bind())


@scene("dial-denied", answered="passive", listens="")
def the_dialled_one_must_not_be(call: Call) -> None:
    call.agree()
    call.a.dial()
    call.a.send(bind())


@scene("own-bind-refused", answered="passive")
def the_relays_bind_is_refused(call: Call) -> None:
    call.agree()
    call.a.dial()
    call.a.send(message(b"a body first"))
    wire = call.b.accept()
    wire.answer(wire.frame(), b"403 no")


@scene("own-bind-timeout", answered="passive")
def the_relays_bind_is_not_answered(call: Call) -> None:
    call.agree()
    call.a.dial()
    call.a.send(message(b"a body first"))
    call.b.accept().frame()


@scene("deleted")
def the_sip_side_deletes(call: Call) -> None:
    call.join()
    call.delete()


@scene("terminated")
def the_operator_ends_it(call: Call) -> None:
    call.join()
    terminate(call)


@scene("offer-timeout")
def nobody_answers(call: Call) -> None:
    call.offer()


# Not played here: a shutdown, the longest life (a whole second at least), a bug, a vanished peer.
ELSEWHERE = {"drained", "final-timeout", "internal", "peer-timeout"}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    # The dialled one whose address must not be dialled names port 9; the others are on loopback.
    with Daemon(HASTY, options=("--dial-allow=127.0.0.0/8",), ports=64) as daemon:
        yield daemon


@pytest.mark.parametrize("code", sorted(SCENES))
def test_the_reason_is_told(daemon: Daemon, code: str) -> None:
    play, details = SCENES[code]
    with NgRelay(daemon.ng_address).call("aware", **details) as call:
        call.flags = {**call.flags, "control": str(daemon.control)}
        play(call)
        told = ended(call)
        assert told["reason"] == code
        assert told["sentence"].endswith(".")


def test_a_failed_dial_is_told_with_address_and_errno(daemon: Daemon) -> None:
    with NgRelay(daemon.ng_address).call("aware", answered="passive") as call:
        port = call.b.port
        the_dialled_one_does_not_listen(call)
        told = ended(call)
        where = {"address": "127.0.0.1", "n": port, "side": "b"}
        assert events(told, "dialling") == [{"what": "dialling", **where}]
        failed = {"what": "dial-failed", **where, "reason": "ECONNREFUSED"}
        assert events(told, "dial-failed") == [failed]
        assert f"no connection to 127.0.0.1:{port}: ECONNREFUSED" in draw(told)
        line = logged(daemon, call, "dial-failed")
        assert line["reason"] == f"ECONNREFUSED at 127.0.0.1:{port}"


def test_a_dial_that_is_denied_is_in_the_ladder(daemon: Daemon) -> None:
    with NgRelay(daemon.ng_address).call("aware", answered="passive", listens="") as call:
        the_dialled_one_must_not_be(call)
        assert "leg b has no address to be dialled" in draw(ended(call))


def test_a_refusal_is_told_by_the_session_of_the_port(daemon: Daemon) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        call.agree()
        stranger = call.a.dial()
        port = stranger.sock.getsockname()[1]
        stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.end() is End.FIN
        told = call.query()["msrp"]["sessions"][0]
        why = {"address": "127.0.0.1", "n": port, "reason": "not-msrp", "side": "a"}
        assert events(told, "refused") == [{"what": "refused", **why}]
        assert f"127.0.0.1:{port} > {call.a.where.address[1]} refused: not-msrp" in draw(told)


def events(told: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """The session's events of this kind, without their time."""
    found = [event for event in told["events"] if event["what"] == what]
    return [{key: event[key] for key in event if key != "at"} for event in found]


def logged(daemon: Daemon, call: Call, name: str) -> dict[str, Any]:
    """The log's line of this event of a call."""
    for _ in range(20_000):
        for line in map(json.loads, tuple(daemon.log)):
            if (line["event"], line.get("call_id")) == (name, call.call_id):
                return dict(line)
        call.query()
    raise Failure(f"no {name} in the log")


def ended(call: Call) -> dict[str, Any]:
    """The session as `query` tells it once it is closed."""
    for _ in range(20_000):
        told: dict[str, Any] = call.query()["msrp"]["sessions"][0]
        if told["reason"]:
            return told
    raise Failure(f"still {told['state']}")


def terminate(call: Call) -> None:
    """By JSON-RPC: the operator's command is not for SIP servers."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(call.flags["control"]))
        request = '{"jsonrpc":"2.0","id":1,"method":"terminate","params":{"call-id":"%s"}}\n'
        control.sendall((request % call.call_id).encode())
        assert b'"terminated":1' in control.recv(4096).replace(b" ", b"")
