"""ng over UDP: rtpengine's strings, its silence, and each command run once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.commands import Origin
from msrprelay.errors import CommandError
from msrprelay.rpc import bencode
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.ng import LARGEST_REPLY, NgResponder
from msrprelay.rpc.reply_cache import ReplyCache

from .rpc_fakes import FakeCommands
from .rpc_recordings import REQUESTS, Recorded, request

ORIGIN = Origin("udp", "127.0.0.1", 5000)
OFFER = bencode.encode({"call-id": "c", "from-tag": "f", "sdp": "v=0", "command": "offer"})


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def cache() -> ReplyCache:
    return ReplyCache()


@pytest.fixture
def responder(commands: FakeCommands, cache: ReplyCache) -> NgResponder:
    return NgResponder(Dispatcher(commands, clock=lambda: 0.0), cache, clock=lambda: 0.0)


def error(reason: str) -> bytes:
    return bencode.encode({"result": "error", "error-reason": reason})


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        pytest.param(b"d7:command4:pinge", b"d6:result4:ponge", id="ping"),
        pytest.param(b"d7:command4:pingeXYZ", b"d6:result4:ponge", id="trailing-bytes"),
        pytest.param(b'{"command":"ping"}', b'{"result":"pong"}', id="json-ping"),
        pytest.param(b'{"command": "ping"}\n', b'{"result":"pong"}', id="json-with-a-line-end"),
        pytest.param(b"", error("Invalid data (no payload)"), id="no-payload"),
        pytest.param(b"x", error("Invalid NG data format"), id="neither"),
        pytest.param(b" d7:command4:pinge", error("Invalid NG data format"), id="two-spaces"),
        pytest.param(b"le", error("Invalid NG data format"), id="a-list"),
        pytest.param(b"d7:command4:pi", error("Could not decode bencode dictionary"), id="cut-off"),
        pytest.param(
            b"d7:commande", error("Could not decode bencode dictionary"), id="half-a-pair"
        ),
        pytest.param(b"de", error('Dictionary contains no key "command"'), id="no-command"),
        pytest.param(
            b"d7:commandi1ee", error('Dictionary contains no key "command"'), id="command-a-number"
        ),
        pytest.param(
            b"d7:command5:startse", error("Could not decode bencode dictionary"), id="odd"
        ),
        pytest.param(b"d7:command3:\xff\xfe\xfde", error("Unrecognized command"), id="odd-command"),
        pytest.param(
            b'{"command":',
            b'{"result":"error","error-reason":"Failed to parse JSON document"}',
            id="json-cut-off",
        ),
        pytest.param(
            b'{"a":' * 5000,
            b'{"result":"error","error-reason":"Failed to parse JSON document"}',
            id="json-too-deep",
        ),
        pytest.param(
            b'{"command":"ping","a":' + b"[" * 40 + b"]" * 40 + b"}",
            b'{"result":"error","error-reason":"Failed to parse JSON document"}',
            id="json-deep",
        ),
        pytest.param(
            b'{"command":"nope"}',
            b'{"result":"error","error-reason":"Unrecognized command"}',
            id="json-unrecognized",
        ),
        pytest.param(
            b"d7:command5:offere", error("No SDP body in message"), id="offer-without-sdp"
        ),
        pytest.param(
            b"d7:command6:answer7:call-id1:c3:sdp1:v8:from-tag1:f6:to-tag1:te",
            error("Unknown call-id"),
            id="answer-to-nothing",
        ),
        pytest.param(
            b"d7:command6:delete7:call-id1:ce",
            bencode.encode({"warning": "Call-ID not found or tags didn't match", "result": "ok"}),
            id="delete-of-nothing",
        ),
    ],
)
def test_answers(responder: NgResponder, body: bytes, reply: bytes) -> None:
    assert responder.answer(b"1_2_3 " + body, ORIGIN, 0.0) == b"1_2_3 " + reply


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        pytest.param(b"", "no-cookie", id="empty"),
        pytest.param(b"d7:command4:pinge", "no-cookie", id="no-cookie"),
        pytest.param(b" d7:command4:pinge", "no-cookie", id="empty-cookie"),
        pytest.param(b"c d4:" + bytes(70_000), "too-long", id="too-long"),
    ],
)
def test_is_silent_and_counts(responder: NgResponder, datagram: bytes, why: str) -> None:
    assert responder.answer(datagram, ORIGIN, 0.0) is None
    assert responder.counts == {why: 1}


def test_json_and_bencode_ask_the_same(responder: NgResponder, commands: FakeCommands) -> None:
    fields = {"call-id": "ç", "from-tag": "f", "sdp": "v=0\r\n", "command": "offer", "x": None}
    texts: dict[str, object] = {
        **fields,
        "flags": ["fatal"],
        "delete-delay": 3,
        "y": True,
        "z": 0.5,
    }
    a = responder.answer(b"1 " + bencode.encode({**texts, "z": 5}), ORIGIN, 0.0)
    b = responder.answer(b"2 " + msgspec.json.encode(texts), ORIGIN, 0.0)
    assert commands.asked[0] == commands.asked[1]
    assert a == b"1 d3:sdp5:v=0\r\n6:result2:oke"
    assert b == b'2 {"sdp":"v=0\\r\\n","result":"ok"}'


def test_a_repeated_datagram_gets_the_same_bytes_and_runs_once(
    responder: NgResponder, commands: FakeCommands
) -> None:
    replies = {responder.answer(b"1 " + OFFER, ORIGIN, now) for now in (0.0, 1.0, 59.0)}
    assert len(replies) == 1
    assert len(commands.asked) == 1
    assert responder.counts["duplicate"] == 2


@pytest.mark.parametrize(
    ("cookie", "body", "origin"),
    [
        pytest.param(b"1", OFFER + b" ", ORIGIN, id="other-body"),
        pytest.param(b"2", OFFER, ORIGIN, id="other-cookie"),
        pytest.param(b"1", OFFER, ORIGIN._replace(port=5001), id="other-socket"),
    ],
)
def test_another_request_runs(
    responder: NgResponder, commands: FakeCommands, cookie: bytes, body: bytes, origin: Origin
) -> None:
    responder.answer(b"1 " + OFFER, ORIGIN, 0.0)
    responder.answer(cookie + b" " + body, origin, 0.0)
    assert len(commands.asked) == 2


def test_a_cookie_used_twice_runs_both_and_is_counted(
    responder: NgResponder, commands: FakeCommands
) -> None:
    ping = b"1 d7:command4:pinge"
    assert responder.answer(b"1 " + OFFER, ORIGIN, 0.0) != responder.answer(ping, ORIGIN, 0.0)
    assert responder.counts == {"cookie-reused": 1}
    for datagram in (ping, b"1 " + OFFER):
        responder.answer(datagram, ORIGIN, 1.0)
    assert responder.counts == {"cookie-reused": 1, "duplicate": 2}
    assert len(commands.asked) == 2


@pytest.mark.parametrize("reason", ["Ran out of ports", "Parallel session limit reached"])
def test_a_refusal_that_a_retry_cures_is_not_repeated(
    responder: NgResponder, commands: FakeCommands, reason: str
) -> None:
    commands.fail = lambda: CommandError(reason)
    assert responder.answer(b"1 " + OFFER, ORIGIN, 0.0) == b"1 " + error(reason)
    commands.fail = None
    assert responder.answer(b"1 " + OFFER, ORIGIN, 1.0) == b"1 d3:sdp3:v=06:result2:oke"


def test_a_long_list_is_not_kept(
    responder: NgResponder, commands: FakeCommands, cache: ReplyCache
) -> None:
    ask = b"1 d7:command4:list5:limiti9999ee"
    commands.calls = [f"{number:020}" for number in range(1000)]
    responder.answer(ask, ORIGIN, 0.0)
    commands.calls = commands.calls[:3]
    assert len(cache) == 0
    responder.answer(ask, ORIGIN, 0.0)
    assert len(cache) == 1


def test_a_reply_that_fits_no_datagram_is_an_error(
    responder: NgResponder, commands: FakeCommands
) -> None:
    commands.calls = [f"{number:020}" for number in range(5000)]
    reply = responder.answer(b"1 d7:command4:list5:limiti9999ee", ORIGIN, 0.0)
    assert reply == b"1 " + error("Reply too long for a datagram")


def test_a_delete_is_answered_though_its_report_fits_no_datagram(
    responder: NgResponder, commands: FakeCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {"warning": "w", "msrp": {"sessions": ["x" * 70_000]}}
    monkeypatch.setattr(commands, "delete", lambda _: dict(report))
    ask = b"1 d7:command6:delete7:call-id1:c8:from-tag1:fe"
    reply = responder.answer(ask, ORIGIN, 0.0)
    assert reply == b"1 d6:result2:ok7:warning1:we"
    monkeypatch.setattr(commands, "delete", lambda _: {})
    assert responder.answer(ask, ORIGIN, 1.0) == reply


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one.id)
def test_every_recorded_request_is_answered(
    responder: NgResponder, commands: FakeCommands, one: Recorded
) -> None:
    commands.calls = [one.call_id]
    datagram = b"cookie " + one.body
    reply = responder.answer(datagram, ORIGIN, 0.0)
    assert reply is not None
    cookie, _, body = reply.partition(b" ")
    fields, _ = bencode.decode(body)
    assert isinstance(fields, dict)
    assert (cookie, fields["result"]) == (b"cookie", b"pong" if one.command == "ping" else b"ok")
    assert responder.answer(datagram, ORIGIN, 59.0) == reply
    assert len(commands.asked) == 1


@given(datagram=st.binary(max_size=300))
def test_any_datagram_is_answered_with_its_cookie_or_ignored(datagram: bytes) -> None:
    responder = NgResponder(Dispatcher(FakeCommands()), ReplyCache())
    reply = responder.answer(datagram, ORIGIN, 0.0)
    cookie, space, _ = datagram.partition(b" ")
    assert (reply is not None) == bool(cookie and space)
    assert reply is None or reply.startswith(cookie + b" ")
    assert reply is None or len(reply) <= LARGEST_REPLY


@given(length=st.integers(0, 900), spoilt=st.integers(0, 900), byte=st.integers(0, 255))
def test_a_cut_or_spoilt_request_is_answered(length: int, spoilt: int, byte: int) -> None:
    responder = NgResponder(Dispatcher(FakeCommands()), ReplyCache())
    data = bytearray(request("kamailio", 23).data[: length + 12])
    data[12 + spoilt % (len(data) - 11) - 1] = byte
    assert responder.answer(bytes(data), ORIGIN, 0.0) is not None
