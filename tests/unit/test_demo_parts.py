"""The demo's own parts: it must notice every octet and answer that is wrong."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from msrprelay.demo.call import Plan, run
from msrprelay.demo.failure import DemoFailed, NotReached, within
from msrprelay.demo.ng import NgClient, Refused, ng_client
from msrprelay.demo.offers import Address, describe, section
from msrprelay.demo.outcome import Octets, Outcome
from msrprelay.demo.progress import Bars
from msrprelay.demo.script import CONTENT_TYPE, text
from msrprelay.demo.talk import Talk, WrongMessage
from msrprelay.endpoint import Answered, Message, Reported
from msrprelay.net.roles import Setup
from msrprelay.rpc import bencode

Answering = Callable[[bytes, int], list[bytes]]


class FakeRelay(asyncio.DatagramProtocol):
    """Answers every datagram with what ``answers`` makes of it and of how often it came."""

    def __init__(self, answers: Answering) -> None:
        self._answers = answers
        self.seen: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.seen.append(data)
        for reply in self._answers(data, len(self.seen)):
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def fake(answers: Answering) -> AsyncIterator[tuple[NgClient, FakeRelay]]:
    made = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: FakeRelay(answers), local_addr=("127.0.0.1", 0)
    )
    transport, relay = made
    try:
        async with ng_client(*transport.get_extra_info("sockname")) as client:
            yield client, relay
    finally:
        transport.close()


def reply(data: bytes, body: object) -> bytes:
    return data.split(b" ")[0] + b" " + bencode.encode(body)


async def test_a_lost_datagram_is_repeated_with_its_cookie() -> None:
    def second_time(data: bytes, times: int) -> list[bytes]:
        return [reply(data, {"result": "pong"})] if times > 1 else []

    async with fake(second_time) as (client, relay):
        assert await client.ask("ping", every=0.01) == {"result": "pong"}
    assert relay.seen[0] == relay.seen[1]


async def test_replies_with_another_cookie_are_nobodys() -> None:
    def strange(data: bytes, times: int) -> list[bytes]:
        return [b"other " + bencode.encode({"result": "pong"})]

    async with fake(strange) as (client, _):
        with pytest.raises(NotReached):
            await client.ask("ping", patience=0.05, every=0.01)


@pytest.mark.parametrize(
    ("body", "fault", "words"),
    [
        pytest.param(
            {"result": "error", "error-reason": "Ran out of ports"}, Refused, "ports", id="error"
        ),
        pytest.param({"result": "load limit"}, Refused, "load limit", id="load-limit"),
        pytest.param([], DemoFailed, "no dictionary", id="list"),
        pytest.param({}, Refused, "no result", id="empty"),
    ],
)
async def test_a_refusal_is_told_with_its_reason(
    body: object, fault: type[DemoFailed], words: str
) -> None:
    async with fake(lambda data, _: [reply(data, body)]) as (client, _):
        with pytest.raises(fault, match=words):
            await client.ask("offer", {"call-id": "x"})


async def test_a_limit_names_what_did_not_happen() -> None:
    with pytest.raises(DemoFailed, match="the bell rings: not within 0"):
        async with within(0, "the bell rings"):
            await asyncio.Event().wait()


@pytest.mark.parametrize("setup", [*Setup, None])
@pytest.mark.parametrize("cema", [False, True])
def test_the_demos_sdp_is_read_back(setup: Setup | None, cema: bool) -> None:
    address = Address("msrp://127.0.0.1:5000/abc;tcp", "127.0.0.1", 5000)
    found = section(describe(address, setup, cema=cema).decode())
    assert (found.path, found.setup, found.cema) == ((address.uri,), setup, cema)
    assert found.contact == ("127.0.0.1", 5000)


def test_an_sdp_without_a_live_section_is_a_failure() -> None:
    with pytest.raises(DemoFailed, match="no live message section"):
        section("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n")


class TestTalk:
    def test_the_other_sides_script_is_expected_in_order(self) -> None:
        talk = Talk("b")
        talk.take(Message("m0", CONTENT_TYPE, text("a", 0)))
        talk.take(Message("m1", CONTENT_TYPE, text("a", 1)))
        assert talk.received == 2

    @pytest.mark.parametrize(
        "message",
        [
            pytest.param(Message("m", CONTENT_TYPE, text("a", 1)), id="out-of-order"),
            pytest.param(Message("m", CONTENT_TYPE, text("b", 0)), id="own"),
            pytest.param(Message("m", CONTENT_TYPE, text("a", 0) + b" "), id="changed"),
            pytest.param(Message("m", "text/html", text("a", 0)), id="other-type"),
        ],
    )
    def test_anything_else_is_wrong(self, message: Message) -> None:
        with pytest.raises(WrongMessage):
            Talk("b").take(message)

    def test_answers_to_others_are_passed_over(self) -> None:
        talk = Talk("a")
        talk.take(Answered("file", 200, "OK"))
        talk.take(Reported("file", 413, None))
        assert (talk.responses, talk.reports) == (0, 0)


def leg(side: str, bytes_in: int, bytes_out: int) -> dict[str, Any]:
    counts = {"bytes-in": bytes_in, "bytes-out": bytes_out}
    return {"side": side, "role": "accept", "local-port": 20000, "reason": "fin", **counts}


def right_outcome() -> Outcome:
    return Outcome(
        policy="aware",
        roles="active/passive",
        messages=3,
        file_bytes=5,
        responses=6,
        reports=6,
        file_sha256_match=True,
        octets={"a": Octets(10, 20), "b": Octets(20, 10)},
        session={"legs": [leg("a", 10, 20), leg("b", 20, 10)]},
    )


def test_a_right_outcome_is_ok() -> None:
    outcome = right_outcome()
    outcome.judge()
    assert (outcome.ok, outcome.json()["reason"]) == (True, "")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        pytest.param("responses", 5, "5 responses to 6", id="lost-response"),
        pytest.param("reports", 7, "7 success REPORTs", id="doubled-report"),
        pytest.param("file_sha256_match", False, "not the file", id="other-file"),
        pytest.param("session", None, "both legs", id="no-legs"),
        pytest.param("octets", {"a": Octets(11, 20), "b": Octets(20, 10)}, "leg a", id="one-less"),
        pytest.param("octets", {"a": Octets(10, 20), "b": Octets(20, 9)}, "leg b", id="one-more"),
    ],
)
def test_every_wrong_figure_is_a_problem(field: str, value: object, words: str) -> None:
    outcome = right_outcome()
    setattr(outcome, field, value)
    outcome.judge()
    assert not outcome.ok
    assert words in str(outcome.json()["reason"])
    assert words in outcome.summary()


def test_what_never_began_has_no_figures() -> None:
    never = Outcome("aware", "active/active", 1000, 5, problems=["no relay answers"])
    assert never.summary() == "FAILED: active/active, aware\n  no relay answers"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_are_drawn_on_a_terminal_only() -> None:
    screen, file = Screen(), io.StringIO()
    for out in (screen, file):
        bars = Bars(out)
        bars.show("b", "chat", 1, 2)
        bars.show("a", "chat", 2, 2)
        bars.finish()
    assert screen.getvalue().endswith(
        "a > b [####################] 100%   b > a [##########..........]  50%\x1b[K\n"
    )
    assert file.getvalue() == ""


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        pytest.param("active/passive", "query does not tell of both legs", id="direct"),
        pytest.param("active/active", "ConnectionRefusedError", id="nobody-listens"),
    ],
)
async def test_a_call_that_no_relay_carries_fails(roles: str, problem: str) -> None:
    """A relay that gives every SDP back as it came: the endpoints are left to themselves."""

    def unchanged(data: bytes, times: int) -> list[bytes]:
        asked, _ = bencode.decode(data.partition(b" ")[2])
        assert isinstance(asked, dict)
        return [reply(data, {"result": "ok", "sdp": asked.get("sdp")})]

    async with fake(unchanged) as (client, _):
        outcome = await run(Plan("aware", roles, 3, 100), client, lambda *_: None)
    assert [problem in found for found in outcome.problems] == [True]
