"""Calls from offer to delete through the whole daemon: what they took is there again.

``LIFECYCLES`` says how many calls, 2,000 if it does not; ``make soak`` asks for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from msrprelay import client
from msrprelay.sdp import parse

from ..interop.sip.programs import relay

LIVES = int(os.environ.get("LIFECYCLES", "2000"))
AT_ONCE = 20
SETTINGS = [
    *("--set", "timers.port-quarantine=0", "--set", "timers.delete-delay=0"),
    *("--set", "timers.reply-cache=0.2", "--log-level=warning"),
]


def sdp(name: str) -> bytes:
    return (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=message 9 TCP/MSRP *\r\na=accept-types:*\r\n"
        b"a=path:msrp://127.0.0.1:9/%s;tcp\r\na=setup:active\r\n" % name.encode()
    )


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def bind(body: bytes, name: str) -> End:
    """Dial what the SDP says and send the bind SEND of that peer."""
    section = parse(body).sections[0]
    reader, writer = await asyncio.open_connection("127.0.0.1", section.port)
    own, to = f"msrp://127.0.0.1:9/{name};tcp", section.path[0]
    frame = f"MSRP bind{name} SEND\r\nTo-Path: {to}\r\nFrom-Path: {own}\r\nMessage-ID: m{name}\r\n"
    writer.write(f"{frame}-------bind{name}$\r\n".encode())
    return reader, writer


async def one_call(asked: client.Relay, number: int) -> None:
    """A call of one of four kinds: not answered, answered, joined, joined and lost."""
    call, kind = f"call-{number}", number % 4
    to_b = await asked.offer(sdp("alice"), call_id=call, from_tag="a")
    ends: list[End] = []
    if kind:
        to_a = await asked.answer(sdp("bobby"), call_id=call, from_tag="a", to_tag="b")
        if kind > 1 and number % 20 < 4:
            ends = [await bind(to_a.sdp, "alice"), await bind(to_b.sdp, "bobby")]
            for reader, _ in ends:
                # The other one's bind: the session is joined.
                await reader.readuntil(b"$\r\n")
    if kind == 3:
        reset(ends)
    await asked.delete(call_id=call, from_tag="a")
    reset(ends)


def reset(ends: list[End]) -> None:
    """End with RST: nothing stays behind in TIME_WAIT."""
    for _, writer in ends:
        socket = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER
        writer.transport.abort()


async def many(asked: client.Relay, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        batch = range(start, min(start + AT_ONCE, numbers.stop))
        await asyncio.gather(*(one_call(asked, number) for number in batch))


async def at_rest(asked: client.Relay, pid: int) -> Mapping[str, Any]:
    """The figures once the last call has drained; its end is an event of the relay, not ours."""
    async with asyncio.timeout(30):
        while True:
            found = (await asked.ask("statistics"))["sessions"]
            if not found["calls"] and not found["sessions"] and not found["ports"][0]["in-use"]:
                return {"figures": found, "fds": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
            await asyncio.sleep(0)


def memory(pid: int) -> int:
    """Resident octets."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(1800)
async def test_calls_leave_nothing_behind(tmp_path: Path) -> None:
    async with (
        relay(tmp_path, ports=200, settings=SETTINGS) as (program, _),
        client.jsonrpc(str(tmp_path / "relay.sock")) as asked,
    ):
        pid, warm = program.process.pid, LIVES // 2
        await many(asked, range(warm))
        before, memory_before = await at_rest(asked, pid), memory(pid)
        await many(asked, range(warm, LIVES))
        after, grown = await at_rest(asked, pid), memory(pid) - memory_before
        engine = (await asked.ask("statistics"))["engine"]
    assert engine["joined"] == LIVES // 10
    assert after["fds"] == before["fds"]
    assert grown < 4 << 20
    (ports,) = after["figures"]["ports"]
    # A port whose rest is over stays among those that rest until the next lease.
    assert (ports["in-use"], ports["ports"]) == (0, 200)
