"""JSON-RPC 2.0 and its codes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from msrprelay.commands import Origin
from msrprelay.errors import CommandError
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.encoding import fields_from_json, to_json
from msrprelay.rpc.jsonrpc import JsonRpcResponder
from msrprelay.rpc.reply_cache import ReplyCache

from .rpc_fakes import FakeCommands

ORIGIN = Origin("unix", "pid 1 uid 0 gid 0", 0)


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def responder(commands: FakeCommands) -> JsonRpcResponder:
    return JsonRpcResponder(Dispatcher(commands))


def call(method: str, number: object = 1, **params: object) -> dict[str, object]:
    named = {key.replace("_", "-"): value for key, value in params.items()}
    return {"jsonrpc": "2.0", "method": method, "params": named, "id": number}


def answer(responder: JsonRpcResponder, document: object) -> Any:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    reply = responder.answer(text, ORIGIN)
    return None if reply is None else json.loads(reply)


OFFER = call("offer", call_id="c", from_tag="f", sdp="v=0\r\n")


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        pytest.param(call("ping"), {"result": "pong"}, id="ping"),
        pytest.param({"jsonrpc": "2.0", "method": "ping", "id": 1}, {"result": "pong"}, id="bare"),
        pytest.param(OFFER, {"sdp": "v=0\r\n", "result": "ok"}, id="offer"),
        pytest.param(
            call("delete", call_id="x"),
            {"warning": "Call-ID not found or tags didn't match", "result": "ok"},
            id="delete",
        ),
        pytest.param(call("list"), {"calls": [], "result": "ok"}, id="list"),
    ],
)
def test_the_result_is_the_ng_reply(
    responder: JsonRpcResponder, request_: object, result: object
) -> None:
    assert answer(responder, request_) == {"jsonrpc": "2.0", "id": 1, "result": result}


@pytest.mark.parametrize("number", ["a", 7, -1.5, None, 2**70], ids=repr)
def test_the_id_comes_back(responder: JsonRpcResponder, number: object) -> None:
    assert answer(responder, call("ping", number))["id"] == number


@pytest.mark.parametrize(
    ("document", "code", "number"),
    [
        pytest.param(b"", -32700, None, id="empty"),
        pytest.param(b"\n", -32700, None, id="blank"),
        pytest.param(b"{", -32700, None, id="cut-off"),
        pytest.param(b'{"id": NaN}', -32700, None, id="no-json"),
        pytest.param(b"\xff", -32700, None, id="no-utf-8"),
        pytest.param(b"[" * 100_000, -32700, None, id="nested-without-end"),
        pytest.param([], -32600, None, id="empty-batch"),
        pytest.param([1] * 1001, -32600, None, id="batch-too-large"),
        pytest.param(3, -32600, None, id="number"),
        pytest.param({"method": "ping", "id": 4}, -32600, 4, id="no-version"),
        pytest.param({"jsonrpc": "1.0", "method": "ping", "id": 4}, -32600, 4, id="old-version"),
        pytest.param({"jsonrpc": "2.0", "id": 4}, -32600, 4, id="no-method"),
        pytest.param({"jsonrpc": "2.0", "method": 3, "id": 4}, -32600, 4, id="odd-method"),
        pytest.param(call("ping", {"a": 1}), -32600, None, id="odd-id"),
        pytest.param(call("ping", True), -32600, None, id="id-true"),
        pytest.param(call("start recording", 4), -32601, 4, id="unknown-method"),
        pytest.param(call("", 4), -32601, 4, id="empty-method"),
        pytest.param({**call("ping", 4), "params": [1]}, -32602, 4, id="params-by-place"),
        pytest.param({**call("ping", 4), "params": "x"}, -32602, 4, id="odd-params"),
        pytest.param(
            {**call("ping", 4), "params": json.loads("[" * 50 + "]" * 50)}, -32602, 4, id="deep"
        ),
        pytest.param(call("offer", 4), -32000, 4, id="refused-by-parsing"),
        pytest.param(call("query", 4, call_id="x"), -32000, 4, id="refused-by-the-sessions"),
    ],
)
def test_errors_have_the_codes_of_the_standard(
    responder: JsonRpcResponder, document: object, code: int, number: object
) -> None:
    reply = answer(responder, document)
    assert (reply["error"]["code"], reply["id"], reply["jsonrpc"]) == (code, number, "2.0")
    assert responder.counts == {code: 1}


AGAIN = call("terminate", call_id="c", cookie="1_1")


@pytest.mark.parametrize(
    ("first", "second", "origin", "times"),
    [
        pytest.param(AGAIN, {**AGAIN, "id": 2}, ORIGIN, 1, id="the-same"),
        pytest.param(AGAIN, [AGAIN, AGAIN], ORIGIN, 1, id="in-a-batch"),
        pytest.param(AGAIN, call("delete", call_id="c", cookie="1_1"), ORIGIN, 2, id="method"),
        pytest.param(AGAIN, call("terminate", all=1, cookie="1_1"), ORIGIN, 2, id="params"),
        pytest.param(AGAIN, call("terminate", call_id="c", cookie="1_2"), ORIGIN, 2, id="cookie"),
        pytest.param(AGAIN, AGAIN, Origin("unix", "pid 2 uid 0 gid 0", 0), 2, id="process"),
        pytest.param(*[call("delete", call_id="c")] * 2, ORIGIN, 2, id="no-cookie"),
        pytest.param(*[call("delete", call_id="c", cookie="")] * 2, ORIGIN, 2, id="empty"),
        pytest.param(*[call("delete", call_id="c", cookie=["1"])] * 2, ORIGIN, 2, id="no-word"),
        pytest.param(*[call("list", cookie="1_1")] * 2, ORIGIN, 2, id="only-asks"),
    ],
)
def test_a_request_is_known_again_by_its_cookie(
    commands: FakeCommands, first: object, second: object, origin: Origin, times: int
) -> None:
    """Also by the next process, which has the same cache."""
    commands.calls = ["c"]
    cache = ReplyCache()
    said = answer(JsonRpcResponder(Dispatcher(commands), cache), first)
    text = JsonRpcResponder(Dispatcher(commands), cache).answer(json.dumps(second).encode(), origin)
    assert len(commands.asked) == times
    if times == 1:
        replies = json.loads(text or b"")
        for reply in replies if isinstance(replies, list) else [replies]:
            assert reply["result"] == said["result"]


def test_what_was_refused_is_tried_when_it_is_asked_again(
    responder: JsonRpcResponder, commands: FakeCommands
) -> None:
    assert "error" in answer(responder, AGAIN)
    commands.calls = ["c"]
    assert answer(responder, AGAIN)["result"] == {"terminated": 1, "result": "ok"}


def test_a_refusal_carries_the_error_reason(responder: JsonRpcResponder) -> None:
    error = answer(responder, call("query", call_id="x"))["error"]
    assert error == {"code": -32000, "message": "Unknown call-id"}


def test_load_is_a_result_only_for_those_who_know_it(
    responder: JsonRpcResponder, commands: FakeCommands
) -> None:
    commands.fail = lambda: CommandError("Parallel session limit reached")
    fields = {"call_id": "c", "from_tag": "f", "sdp": "v=0"}
    knows = answer(responder, call("offer", supports=["load limit"], **fields))
    assert knows["result"] == {
        "result": "load limit",
        "message": "Parallel session limit reached",
    }
    assert answer(responder, call("offer", **fields))["error"]["code"] == -32000


def test_a_bug_of_ours_is_an_internal_error(
    responder: JsonRpcResponder, commands: FakeCommands
) -> None:
    commands.fail = lambda: ZeroDivisionError("of ours")
    with capture_logs():
        error = answer(responder, call("ping"))["error"]
    assert error == {"code": -32603, "message": "Internal error"}


def test_a_notification_is_obeyed_in_silence(
    responder: JsonRpcResponder, commands: FakeCommands
) -> None:
    silent = {key: value for key, value in OFFER.items() if key != "id"}
    assert answer(responder, silent) is None
    assert answer(responder, [silent, silent]) is None
    assert commands.calls == ["c"]
    assert len(commands.asked) == 3
    assert answer(responder, {**silent, "method": "nonsense"}) is None


def test_a_batch_is_answered_in_one_text(responder: JsonRpcResponder) -> None:
    silent = {key: value for key, value in OFFER.items() if key != "id"}
    replies = answer(responder, [call("ping", 1), silent, 3, call("list", 2)])
    assert [(reply["id"], "result" in reply) for reply in replies] == [
        (1, True),
        (None, False),
        (2, True),
    ]


def test_what_json_cannot_hold_is_shown_escaped(
    responder: JsonRpcResponder, commands: FakeCommands
) -> None:
    commands.calls = ["caf\udce9", "è", "\x1b[2J"]
    assert answer(responder, call("list"))["result"]["calls"] == ["caf\\xe9", "è", "\x1b[2J"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("caf\udce9", "caf\\xe9", id="no-utf-8"),
        pytest.param("caf\\xe9", "caf\\x5cxe9", id="what-looks-like-an-octet"),
        pytest.param("a\\b", "a\\b", id="another-backslash"),
        pytest.param("a\\x41", "a\\x41", id="an-escape-that-is-not-ours"),
        pytest.param("\\x5c\udcffxff", "\\x5cx5c\\xffxff", id="mixed"),
    ],
)
def test_a_call_is_asked_for_as_it_is_shown(
    responder: JsonRpcResponder, commands: FakeCommands, name: str, shown: str
) -> None:
    commands.calls = [name]
    assert answer(responder, call("list"))["result"]["calls"] == [shown]
    assert "result" in answer(responder, call("query", call_id=shown))
    assert answer(responder, call("terminate", call_id=shown))["result"]["terminated"] == 1


@given(name=st.binary(max_size=20) | st.text("\\x5ce9\xe9").map(str.encode))
def test_every_name_comes_back_from_json(name: bytes) -> None:
    shown = to_json(name.decode("utf-8", "surrogateescape"))
    assert fields_from_json(json.loads(json.dumps({"call_id": shown}))) == {"call_id": name}


def test_a_body_is_never_read_as_escapes(responder: JsonRpcResponder) -> None:
    body = "v=0\r\ns=\\xe9\r\n"
    asked = call("offer", call_id="c", from_tag="f", sdp=body)
    assert answer(responder, asked)["result"]["sdp"] == body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
requests = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "method": st.sampled_from(["ping", "offer", "list", "delete", "x"]) | json_values,
        "params": json_values
        | st.dictionaries(st.sampled_from(["call-id", "sdp", "limit", "flags"]), json_values),
        "id": json_values,
    },
)


@given(
    document=st.binary(max_size=60) | (requests | json_values | st.lists(requests)).map(json.dumps)
)
def test_any_text_is_answered_or_a_notification(document: bytes | str) -> None:
    text = document if isinstance(document, bytes) else document.encode()
    reply = JsonRpcResponder(Dispatcher(FakeCommands())).answer(text, ORIGIN)
    if reply is not None:
        assert b"\n" not in reply
        for one in [parsed] if isinstance(parsed := json.loads(reply), dict) else parsed:
            assert ("result" in one) != ("error" in one)
