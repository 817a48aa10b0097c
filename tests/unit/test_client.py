"""The client of the control protocol against relays that lose, refuse, garble and go away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from msrprelay import client
from msrprelay.rpc import bencode

HOST = "127.0.0.1"
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=\xff\r\n"
Fields = dict[str, Any]


class FakeRelay(asyncio.DatagramProtocol):
    """Answers datagrams by ``act``; None is silence."""

    def __init__(self, act: Callable[[FakeRelay, Fields], object]) -> None:
        self.act = act
        self.heard: list[bytes] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.heard.append(data)
        cookie, _, body = data.partition(b" ")
        fields, _ = bencode.decode(body)
        reply = self.act(self, cast("Fields", fields))
        if isinstance(reply, bytes):
            self.transport.sendto(cookie + b" " + reply, addr)
        elif reply is not None:
            self.transport.sendto(cookie + b" " + bencode.encode(reply), addr)


@asynccontextmanager
async def ng_to(
    act: Callable[[FakeRelay, Fields], object], **options: float
) -> AsyncIterator[tuple[client.Relay, FakeRelay]]:
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(
        lambda: FakeRelay(act), local_addr=(HOST, 0)
    )
    try:
        port = transport.get_extra_info("sockname")[1]
        async with client.ng(HOST, port, **options) as relay:
            yield relay, fake
    finally:
        transport.close()


async def test_a_lost_datagram_is_repeated_with_the_same_cookie() -> None:
    def deaf_twice(fake: FakeRelay, fields: Fields) -> object:
        return {"result": "ok", "sdp": b"new"} if len(fake.heard) == 3 else None

    async with ng_to(deaf_twice, every=0.01) as (relay, fake):
        rewritten = await relay.offer(SDP, call_id="c", from_tag="a")
    assert rewritten == client.Rewritten(b"new", None)
    assert len(set(fake.heard)) == 1, "the relay must see one request three times"


async def test_the_keys_of_ng_are_keywords() -> None:
    seen: list[Fields] = []

    def keep(fake: FakeRelay, fields: Fields) -> object:
        seen.append(fields)
        return {"result": "ok", "sdp": SDP, "warning": b"odd"}

    async with ng_to(keep) as (relay, _):
        rewritten = await relay.answer(
            SDP, call_id="c", from_tag="a", to_tag="b", via_branch=None, msrp_path="sessmatch",
            flags=["debug"],
        )  # fmt: skip
    assert rewritten == client.Rewritten(SDP, "odd")
    assert seen == [
        {
            "call-id": b"c", "command": b"answer", "flags": [b"debug"], "from-tag": b"a",
            "msrp-path": b"sessmatch", "sdp": SDP, "to-tag": b"b",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "reason", "full"),
    [
        pytest.param({"result": "error", "error-reason": "No"}, "No", False, id="error"),
        pytest.param(
            {"result": "error", "error-reason": "Ran out of ports"}, "Ran out of ports", True,
            id="ports",
        ),
        pytest.param(
            {"result": "load limit", "message": "Parallel session limit reached"},
            "Parallel session limit reached", True, id="load-limit",
        ),
        pytest.param({"result": "pang"}, "pang", False, id="other-result"),
        pytest.param({}, "the reply has no result", False, id="no-result"),
    ],
)  # fmt: skip
async def test_a_refusal_tells_whether_another_relay_may_help(
    reply: Fields, reason: str, full: bool
) -> None:
    async with ng_to(lambda fake, fields: reply) as (relay, _):
        with pytest.raises(client.Refused) as refused:
            await relay.offer(SDP, call_id="c", from_tag="a")
    assert (refused.value.reason, refused.value.full) == (reason, full)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"le", id="no-dictionary"),
        pytest.param(b"hello", id="no-bencode"),
        pytest.param(b"d6:result", id="cut-off"),
        pytest.param(b"d6:result2:oke", id="no-sdp"),
    ],
)
async def test_what_is_no_reply_is_no_relay(reply: bytes) -> None:
    async with ng_to(lambda fake, fields: reply) as (relay, _):
        with pytest.raises(client.NotReached):
            await relay.offer(SDP, call_id="c", from_tag="a")


async def test_silence_ends() -> None:
    async with ng_to(lambda fake, fields: None, patience=0.05, every=0.01) as (relay, fake):
        with pytest.raises(client.NotReached, match=r"no reply within 0\.05 s"):
            await relay.ping()
    assert len(fake.heard) > 1


async def test_replies_find_their_question() -> None:
    """A reply that overtakes another, and one that comes twice."""
    held: list[bytes] = []

    def hold_the_first(fake: FakeRelay, fields: Fields) -> object:
        reply = bencode.encode({"result": "ok", "calls": [b"call %d" % fields["limit"]]})
        if not held:
            held.append(fake.heard[-1].partition(b" ")[0] + b" " + reply)
            return None
        return reply

    async with ng_to(hold_the_first, every=5) as (relay, fake):
        one, two = asyncio.create_task(relay.list(1)), asyncio.create_task(relay.list(2))
        assert await two == ["call 2"]
        assert fake.transport is not None
        peer = relay._channel._transport.get_extra_info("sockname")  # type: ignore[attr-defined]
        for _ in range(2):
            fake.transport.sendto(held[0], peer)
        assert await one == ["call 1"]
        assert await relay.list(3) == ["call 3"]


async def test_a_host_that_is_none_is_not_reached() -> None:
    with pytest.raises(client.NotReached, match="fe80::1%none port 2224"):
        async with client.ng("fe80::1%none"):
            pass


Answer = Callable[[dict[str, Any], asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def unix_relay(path: Path, answer: Answer) -> AsyncIterator[None]:
    served: list[asyncio.Future[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(ended := asyncio.get_running_loop().create_future())
        writers.append(writer)
        while line := await reader.readline():
            await answer(msgspec.json.decode(line), writer)
        writer.close()
        await writer.wait_closed()
        ended.set_result(None)

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*served)
        path.unlink()


def say(writer: asyncio.StreamWriter, document: object) -> None:
    writer.write(msgspec.json.encode(document) + b"\n")


async def test_jsonrpc_answers_may_come_in_any_order(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    async def when_both_are_there(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        if len(asked) == 2:
            say(writer, {"jsonrpc": "2.0", "method": "event", "params": {}})
            for each in reversed(asked):
                result = {"result": "ok", "calls": [str(each["params"]["limit"])]}
                say(writer, {"jsonrpc": "2.0", "id": each["id"], "result": result})

    path = tmp_path / "s"
    async with unix_relay(path, when_both_are_there), client.jsonrpc(str(path)) as relay:
        first, second = await asyncio.gather(relay.list(1), relay.list(2))
        assert (first, second) == (["1"], ["2"])


async def test_jsonrpc_carries_sdp_both_ways(tmp_path: Path) -> None:
    async def echo(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        result = {"result": "ok", "sdp": request["params"]["sdp"] + "a=x:\u00e9\r\n"}
        say(writer, {"jsonrpc": "2.0", "id": request["id"], "result": result})

    async with unix_relay(tmp_path / "s", echo), client.jsonrpc(str(tmp_path / "s")) as relay:
        rewritten = await relay.offer(b"v=0\r\n", call_id="c", from_tag="a")
        assert rewritten.sdp == "v=0\r\na=x:\u00e9\r\n".encode()
        with pytest.raises(client.Refused, match="use ng"):
            await relay.offer(SDP, call_id="c", from_tag="a")


async def test_a_jsonrpc_error_is_a_refusal(tmp_path: Path) -> None:
    async def refuse(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        error = {"code": -32000, "message": "Unknown call-id"}
        say(writer, {"jsonrpc": "2.0", "id": request["id"], "error": error})

    async with unix_relay(tmp_path / "s", refuse), client.jsonrpc(str(tmp_path / "s")) as relay:
        with pytest.raises(client.Refused, match="Unknown call-id"):
            await relay.query(call_id="c")


async def test_a_relay_that_goes_away_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def hang_up(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with client.jsonrpc(str(path), patience=0.2) as relay:
        with pytest.raises(client.NotReached, match="No such file"):
            await relay.ping()
        async with unix_relay(path, hang_up):
            with pytest.raises(client.NotReached, match="closed the connection"):
                await relay.ping()
        async with unix_relay(path, pong):
            await relay.ping()


@pytest.mark.parametrize("said", [b"no json\n", b'"text"\n', b'{"id": 1}\n'], ids=str)
async def test_a_line_that_is_no_answer_ends_the_wait(tmp_path: Path, said: bytes) -> None:
    async def babble(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with unix_relay(tmp_path / "s", babble), client.jsonrpc(str(tmp_path / "s")) as relay:
        with pytest.raises(client.NotReached):
            await relay.ping()


async def pong(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    say(writer, {"jsonrpc": "2.0", "id": request["id"], "result": {"result": "pong"}})


@pytest.mark.parametrize(
    "last_words",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b'{"id": 1, "resu', id="in-the-middle-of-a-line"),
    ],
)
async def test_what_a_relay_leaves_unanswered_the_next_one_is_asked(
    tmp_path: Path, last_words: bytes
) -> None:
    """By its cookie it knows whether the one before has done it."""
    asked: list[tuple[str, str]] = []

    async def die_twice(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        asked.append((request["method"], request["params"]["cookie"]))
        if len(asked) > 2:
            await pong(request, writer)
        else:
            writer.write(last_words)
            writer.close()

    async with unix_relay(tmp_path / "s", die_twice), client.jsonrpc(str(tmp_path / "s")) as relay:
        await relay.ping()
        await relay.ping()
    assert [method for method, _ in asked] == ["ping"] * 4
    first, second, third, other = (cookie for _, cookie in asked)
    assert first == second == third != other


async def test_what_is_under_way_at_the_end_opens_no_other_connection(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def hang(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        asked.set()

    async with unix_relay(tmp_path / "s", hang):
        async with client.jsonrpc(str(tmp_path / "s"), patience=0.5) as relay:
            asking = asyncio.create_task(relay.ping())
            await asked.wait()
        with pytest.raises(client.NotReached, match="the channel is closed"):
            await asking


async def test_a_relay_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async with client.jsonrpc(str(tmp_path / "s")) as relay:
        asking = asyncio.create_task(relay.ping())
        await asyncio.sleep(0)
        async with unix_relay(tmp_path / "s", pong):
            await asking


async def test_a_line_that_the_relay_cannot_read_is_refused(tmp_path: Path) -> None:
    """It says so without an id, and hangs up: to ask again would be of no use."""
    asked: list[int] = []

    async def too_long(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        asked.append(request["id"])
        error = {"code": -32600, "message": "a line has at most 9 bytes"}
        say(writer, {"jsonrpc": "2.0", "id": None, "error": error})
        writer.close()

    async with unix_relay(tmp_path / "s", too_long), client.jsonrpc(str(tmp_path / "s")) as relay:
        with pytest.raises(client.Refused, match="at most 9 bytes"):
            await relay.ping()
    assert len(asked) == 1


async def test_closing_does_not_wait_for_a_relay_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        async with client.jsonrpc(str(path), patience=0.05) as relay:
            unsent = (relay.query(call_id="c" * 100_000) for _ in range(30))
            ended = await asyncio.gather(*unsent, return_exceptions=True)
        assert {type(end) for end in ended} == {client.NotReached}


async def test_the_reason_why_nothing_comes_is_told() -> None:
    async with ng_to(lambda fake, fields: None, patience=0.05, every=0.01) as (relay, _):
        with pytest.raises(client.NotReached, match="Message too long"):
            await relay.query(call_id="c" * 70_000)


Way = Callable[[Path], AbstractAsyncContextManager[client.Relay]]


@pytest.mark.parametrize(
    ("way", "value"),
    [
        pytest.param(lambda path: client.ng(HOST, 9), 1.5, id="ng-float"),
        pytest.param(lambda path: client.ng(HOST, 9), "\ud800", id="ng-no-text"),
        pytest.param(lambda path: client.ng(HOST, 9), [object()], id="ng-object"),
        pytest.param(lambda path: client.jsonrpc(str(path)), "\ud800", id="jsonrpc-no-text"),
        pytest.param(lambda path: client.jsonrpc(str(path)), [b"\xff"], id="jsonrpc-no-utf-8"),
        pytest.param(lambda path: client.jsonrpc(str(path)), object(), id="jsonrpc-object"),
    ],
)
async def test_a_field_that_no_wire_carries_is_named(
    tmp_path: Path, way: Way, value: object
) -> None:
    async with way(tmp_path / "s") as relay:
        with pytest.raises(client.Refused, match="label cannot go by"):
            await relay.query(call_id="c", from_label=None, label=value)


async def test_jsonrpc_carries_bytes_in_lists(tmp_path: Path) -> None:
    seen: list[Fields] = []

    async def keep(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        seen.append(request["params"])
        await pong(request, writer)

    async with unix_relay(tmp_path / "s", keep), client.jsonrpc(str(tmp_path / "s")) as relay:
        await relay.ask("ping", flags=[b"debug", "fatal"])
    assert seen[0]["flags"] == ["debug", "fatal"]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        pytest.param(HOST, 70_000, id="port-above-65535"),
        pytest.param("x" * 70 + ".invalid", 9, id="label-too-long"),
    ],
)
async def test_an_address_that_cannot_be_is_not_reached(host: str, port: int) -> None:
    with pytest.raises(client.NotReached, match=f"port {port}"):
        async with client.ng(host, port):
            pass
