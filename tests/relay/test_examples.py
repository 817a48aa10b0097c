"""The examples run as they stand against a real relay, and the client both ways."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from msrprelay import client

from ..interop.sip.programs import HOST, relay

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/abcdef;tcp\r\na=setup:active\r\n"
)


@dataclass
class Daemon:
    """Where a running relay is asked."""

    ng: int
    control: str


@pytest_asyncio.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with relay(tmp_path) as (_, ng):
        yield Daemon(ng, str(tmp_path / "relay.sock"))


async def run(example: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / example), *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_over_ng(daemon: Daemon) -> None:
    said = await run("over_ng.py", HOST, str(daemon.ng))
    assert said.count(f"a=path:msrp://{HOST}:") == 2
    assert "a=setup:actpass" in said


async def test_over_jsonrpc(daemon: Daemon) -> None:
    async with client.jsonrpc(daemon.control) as asked:
        await asked.offer(SDP, call_id="one", from_tag="alice")
    assert await run("over_jsonrpc.py", daemon.control) == "one aware offered 0 bytes\n"


@pytest.mark.parametrize(
    ("example", "arguments", "why"),
    [
        ("over_ng.py", [HOST, "1"], "no reply within 5 s: Connection refused"),
        ("over_jsonrpc.py", ["/nonexistent"], "/nonexistent: No such file or directory"),
    ],
)
async def test_without_a_relay_an_example_says_so(
    example: str, arguments: list[str], why: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / example), *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (1, f"{why}\n")


@pytest.mark.parametrize("way", ["ng", "jsonrpc"])
async def test_the_whole_client(daemon: Daemon, way: str) -> None:
    made = client.ng(HOST, daemon.ng) if way == "ng" else client.jsonrpc(daemon.control)
    async with made as asked:
        await asked.ping()
        offer = await asked.offer(SDP, call_id="c", from_tag="a")
        assert (await asked.offer(SDP, call_id="c", from_tag="a")) == offer, "no second pair"
        answer = await asked.answer(SDP, call_id="c", from_tag="a", to_tag="b")
        assert b"a=setup:passive" in answer.sdp
        again = SDP.replace(b"- 1 1", b"- 1 2")
        await asked.offer(again, call_id="c", from_tag="a", to_tag="b")
        await asked.rollback(call_id="c", from_tag="a")
        assert await asked.list() == ["c"]
        assert (await asked.query(call_id="c"))["msrp"]["sessions"][0]["state"] == "answered"
        assert await asked.delete(call_id="c", delete_delay=0) is None
        assert await asked.delete(call_id="c") == "Call-ID not found or tags didn't match"
        with pytest.raises(client.Refused, match="Unknown call-id"):
            await asked.query(call_id="c")
