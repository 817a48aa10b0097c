"""Commands are refused in rtpengine's words, and a bug costs one reply."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from msrprelay.commands import Origin, Reply
from msrprelay.errors import CommandError
from msrprelay.rpc import bencode
from msrprelay.rpc.dispatcher import JSON_RPC, Dispatcher, Outcome
from msrprelay.rpc.requests import Fields

from .rpc_fakes import FakeCommands

ORIGIN = Origin("udp", "127.0.0.1", 5000)
OFFER: dict[str, bencode.Value] = {"call-id": b"c", "from-tag": b"f", "sdp": b"v=0"}


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher(commands: FakeCommands, clock: Clock) -> Dispatcher:
    return Dispatcher(commands, clock=clock)


def test_a_reply_without_a_result_is_ok(dispatcher: Dispatcher) -> None:
    assert dispatcher.perform("offer", OFFER, ORIGIN) == Outcome(
        {"sdp": b"v=0", "result": "ok"}, True
    )
    assert dispatcher.perform("ping", {}, ORIGIN) == Outcome({"result": "pong"}, True)


@pytest.mark.parametrize(
    "name", ["start recording", "block media", "play media", "publish", "subscribe", "", "Offer"]
)
def test_what_is_not_for_a_relay_is_not_recognized(dispatcher: Dispatcher, name: str) -> None:
    expected: Reply = {"result": "error", "error-reason": "Unrecognized command"}
    assert dispatcher.perform(name, OFFER, ORIGIN) == Outcome(expected, True)


@pytest.mark.parametrize("name", ["terminate", "limits"])
def test_the_operators_commands_are_not_for_sip_servers(dispatcher: Dispatcher, name: str) -> None:
    dispatcher.perform("offer", OFFER, ORIGIN)
    assert dispatcher.perform(name, OFFER, ORIGIN).reply["result"] == "error"
    assert dispatcher.perform(name, OFFER, ORIGIN, JSON_RPC).reply["result"] == "ok"


@pytest.mark.parametrize(
    "reason",
    [
        "Parallel session limit reached",
        "CPU usage limit exceeded",
        "Load limit exceeded",
    ],
)
def test_a_load_limit_is_a_result_only_for_those_who_know_it(
    dispatcher: Dispatcher, commands: FakeCommands, reason: str
) -> None:
    commands.fail = lambda: CommandError(reason)
    knows: Fields = {**OFFER, "supports": [b"load limit"]}
    assert dispatcher.perform("offer", knows, ORIGIN).reply == {
        "result": "load limit",
        "message": reason,
    }
    assert dispatcher.perform("offer", OFFER, ORIGIN).reply == {
        "result": "error",
        "error-reason": reason,
    }


def test_running_out_of_ports_is_an_error_for_everyone(
    dispatcher: Dispatcher, commands: FakeCommands
) -> None:
    commands.fail = lambda: CommandError("Ran out of ports")
    outcome = dispatcher.perform("offer", {**OFFER, "supports": [b"load limit"]}, ORIGIN)
    assert outcome.reply == {"result": "error", "error-reason": "Ran out of ports"}


def bug() -> Exception:
    return ZeroDivisionError("of ours")


def refusal() -> Exception:
    return CommandError("Unknown call-id")


@pytest.mark.parametrize(
    ("fail", "fields", "lasting"),
    [
        pytest.param(None, OFFER, True, id="ok"),
        pytest.param(refusal, OFFER, False, id="a-refusal-by-the-sessions-may-be-cured"),
        pytest.param(bug, OFFER, False, id="a-bug-may-be-cured"),
        pytest.param(None, {}, True, id="a-bad-request-stays-bad"),
    ],
)
def test_what_a_retry_may_cure_is_not_lasting(
    dispatcher: Dispatcher,
    commands: FakeCommands,
    fail: Callable[[], Exception] | None,
    fields: Fields,
    lasting: bool,
) -> None:
    commands.fail = fail
    assert dispatcher.perform("offer", fields, ORIGIN).lasting == lasting


def test_a_bug_costs_one_reply_and_is_logged_with_its_traceback(
    dispatcher: Dispatcher, commands: FakeCommands
) -> None:
    commands.fail = bug
    with capture_logs() as lines:
        outcome = dispatcher.perform("offer", OFFER, ORIGIN)
    assert outcome.reply == {"result": "error", "error-reason": "Internal error"}
    assert [(line["log_level"], line["call_id"], line["exc_info"]) for line in lines] == [
        ("error", "c", True)
    ]
    commands.fail = None
    assert dispatcher.perform("offer", OFFER, ORIGIN).reply["result"] == "ok"


def test_counts_by_command_and_result(dispatcher: Dispatcher) -> None:
    for name in ("ping", "ping", "offer", "nonsense", "more nonsense"):
        dispatcher.perform(name, {}, ORIGIN)
    assert dispatcher.counts == {
        ("ping", "pong"): 2,
        ("offer", "error"): 1,
        ("unrecognized", "error"): 2,
    }


def test_an_unknown_flag_is_logged_once_in_a_while(dispatcher: Dispatcher, clock: Clock) -> None:
    flagged: Fields = {**OFFER, "flags": [b"fatal", b"symmetric"]}
    with capture_logs() as lines:
        for now in (0.0, 1.0, 59.9, 60.0):
            clock.now = now
            assert dispatcher.perform("offer", flagged, ORIGIN).reply["result"] == "ok"
    assert [(line["flag"], line["held_back"]) for line in lines] == [
        ("symmetric", 0),
        ("symmetric", 2),
    ]


LONG = b"\xc3\xa9" * 512
IDENTIFIERS = ["call-id", "from-tag", "to-tag", "via-branch"]


@pytest.mark.parametrize("key", IDENTIFIERS)
@pytest.mark.parametrize("name", ["offer", "answer"])
def test_a_name_has_a_bound(dispatcher: Dispatcher, name: str, key: str) -> None:
    fields = {**OFFER, "to-tag": b"t", key: LONG}
    assert "error-reason" not in dispatcher.perform("offer", fields, ORIGIN).reply
    outcome = dispatcher.perform(name, {**fields, key: LONG + b"x"}, ORIGIN)
    assert outcome.reply == {"result": "error", "error-reason": f"{key}: longer than 1024 bytes"}
    assert dispatcher.long_identifiers == 1


@pytest.mark.parametrize("name", ["query", "terminate", "delete", "rollback"])
def test_a_long_name_may_be_asked_for(
    dispatcher: Dispatcher, commands: FakeCommands, name: str
) -> None:
    # Calls of a process that had another bound.
    commands.calls = [(LONG + b"x").decode()]
    fields = {"call-id": LONG + b"x", "from-tag": b"f"}
    reply = dispatcher.perform(name, fields, ORIGIN, JSON_RPC).reply
    assert reply["result"] == "ok"
