"""A relay, what stands before it, Sippy's B2BUA as a program, and two phones."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from msrprelay import client

from ..sip.middle import Middle, middle
from ..sip.phone import phone
from ..sip.programs import HOST, Program, Ready, free_udp_port, program, relay
from .call import Party

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "sippy_b2bua.py"


@dataclass
class Laboratory:
    """All of it; ``proxy`` is the B2BUA's SIP port."""

    alice: Party
    bob: Party
    proxy: int
    middle: Middle
    relay: client.Relay
    b2bua: Program

    def asked(self) -> list[str]:
        """The commands that Sippy has sent, in order."""
        return [exchange.command for exchange in self.middle.exchanges]

    async def all_ended(self) -> None:
        """Wait until the relay has no call any more."""
        while await self.relay.list():
            pass


@contextlib.asynccontextmanager
async def laboratory(folder: Path, way: str) -> AsyncIterator[Laboratory]:
    """``way`` is how Sippy reaches the relay: ``udp`` (seen by the middle) or ``unix``."""
    proxy = free_udp_port()
    async with (
        relay(folder) as (_, ng),
        middle(ng) as between,
        client.ng(HOST, ng) as asked,
        phone("alice", proxy) as alice,
        phone("bob", proxy) as bob,
    ):
        where = f"udp:{HOST}:{between.port}" if way == "udp" else f"unix:{folder}/relay.sock"
        command = [
            "env", f"MSRPRELAY={where}", "SIPLOG_BEND=none", "PYTHONUNBUFFERED=1",
            sys.executable, str(EXAMPLE), "-f", "-u", "-A", "0", "-l", HOST, "-p", str(proxy),
            "-s", f"{HOST}:{bob.port}", "-c", str(folder / "sippy.sock"),
        ]  # fmt: skip
        with program("sippy", command, folder) as b2bua:
            await Ready(proxy, question(proxy)).wait(b2bua)
            yield Laboratory(Party(alice), Party(bob), proxy, between, asked, b2bua)
        assert "Traceback" not in b2bua.log.read_text()


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Laboratory]:
    """Sippy asks the relay by ng."""
    async with laboratory(tmp_path, "udp") as made:
        yield made


def question(port: int) -> bytes:
    """A request that Sippy's B2BUA answers at once, outside of any call."""
    return (
        f"NOTIFY sip:{HOST}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {HOST}:9;rport;branch=z9hG4bKready\r\n"
        f"From: <sip:ready@{HOST}>;tag=ready\r\nTo: <sip:{HOST}>\r\nCall-ID: ready@{HOST}\r\n"
        f"CSeq: 1 NOTIFY\r\nContact: <sip:ready@{HOST}:9>\r\nContent-Length: 0\r\n\r\n"
    ).encode()
