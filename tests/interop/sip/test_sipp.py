"""sipp as both phones: it repeats, refuses and cancels by its own timers and state machines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from msrprelay.net.roles import Setup

from .chat import Chat, Media, chat, connected, told
from .document import Seen, tell
from .message import Message
from .middle import Faults
from .programs import HOST, Program, free_udp_port, program
from .site import Relay, Site, assert_all_octets

SCENARIOS = Path(__file__).parent / "sipp"
MESSAGES = "{}-messages.log"
PATIENCE_SECONDS = 30.0
# Half way between sipp's first repetition of an INVITE (0.5 s) and its second (1.5 s).
SLOW_RELAY = Faults(delay=1.0, commands=frozenset({"offer"}))


@dataclass
class SippCall:
    """Two sipp processes and the media that stand in their SDP."""

    call_id: str
    caller: Program
    called: Program
    caller_port: int
    a: Media
    b: Media

    def go_on(self) -> None:
        """The caller waits for this INFO before its next step."""
        headers = [
            ("Via", f"SIP/2.0/UDP {HOST}:9;branch=z9hG4bKgo"),
            ("From", f"<sip:test@{HOST}>;tag=test"),
            ("To", f"<sip:alice@{HOST}>"),
            ("Call-ID", self.call_id),
            ("CSeq", "1 INFO"),
        ]
        info = Message(f"INFO sip:alice@{HOST}:{self.caller_port} SIP/2.0", headers)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(info.encode(), (HOST, self.caller_port))

    @contextlib.asynccontextmanager
    async def conversation(self, relay: Relay) -> AsyncIterator[Chat]:
        """The ends connect as the relay's replies told them."""
        to_b = await relay.middle.rewritten(self.call_id, "offer")
        to_a = await relay.middle.rewritten(self.call_id, "answer")
        ends = await connected(self.a, told(to_a), self.b, told(to_b))
        with chat(*ends) as talk:
            yield talk

    async def wrote(self, text: str) -> None:
        """Until the caller has sent a message with this text."""
        log = self.caller.log.with_name(MESSAGES.format(self.caller.name))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in log.read_text(errors="replace"):
                await asyncio.sleep(0.01)

    async def ended(self) -> None:
        """Both have come to the end of their scenario."""
        for one in (self.caller, self.called):
            async with asyncio.timeout(PATIENCE_SECONDS):
                status = await asyncio.to_thread(one.process.wait, PATIENCE_SECONDS)
            assert status == 0, f"{one.name}: {one.log.read_text(errors='replace')[-3000:]}"


async def test_a_reinvite_that_is_refused(site: Site) -> None:
    relay = await site.relay()
    await site.shipped("stateful.cfg")
    call = sipp(site, "refused", "refused-sipp")
    async with call.conversation(relay) as talk:
        await talk.more(20)
        call.go_on()
        await call.wrote("CSeq: 2 ACK")
        await talk.more(20)
        tell("refused-sipp", await conclude(site, call, talk))


async def test_a_cancel_while_it_rings(site: Site) -> None:
    relay = await site.relay()
    await site.shipped("stateful.cfg")
    call = sipp(site, "cancel", "cancel-sipp")
    await call.ended()
    await relay.idle()
    tell("cancel-sipp", Seen(site.story(call.call_id), "none: never answered"))


async def test_an_invite_repeated_before_there_is_a_transaction(site: Site) -> None:
    relay = await site.relay(faults=SLOW_RELAY)
    await site.careless(relay_ms=3000)
    call = sipp(site, "basic", "racing-sipp")
    async with call.conversation(relay) as talk:
        await talk.more(40)
        await relay.middle.settled(call.call_id)
        seen = await conclude(site, call, talk)
    offers = [each for each in relay.middle.of(call.call_id) if each.command == "offer"]
    assert len(offers) == 2
    assert len({each.reply["sdp"] for each in offers if each.reply}) == 1
    tell("racing-sipp", seen)


async def conclude(site: Site, call: SippCall, talk: Chat) -> Seen:
    await talk.pause()
    (relay,) = site.relays
    await assert_all_octets(relay, call.call_id, talk)
    call.go_on()
    await call.ended()
    await talk.hang_up()
    await relay.idle()
    return Seen(site.story(call.call_id), talk.summary())


def sipp(site: Site, scenario: str, call_id: str) -> SippCall:
    """Start the called sipp, then the caller."""
    a, b = Media(Setup.ACTIVE), Media(Setup.ACTIVE)
    caller_port, called_port = free_udp_port(), free_udp_port()
    called = start(site, f"uas_{scenario}", called_port, b)
    more = ["-rsa", f"{HOST}:{site.sip_port}", "-s", "bob", "-cid_str", call_id]
    caller = start(site, f"uac_{scenario}", caller_port, a, *more, f"{HOST}:{called_port}")
    return SippCall(call_id, caller, called, caller_port, a, b)


def start(site: Site, scenario: str, port: int, media: Media, *more: str) -> Program:
    command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", HOST, "-p", str(port)]
    command += ["-trace_msg", "-message_file", MESSAGES.format(scenario)]
    command += ["-m", "1", "-nostdin", "-trace_err", "-timeout", f"{PATIENCE_SECONDS:g}s"]
    command += ["-key", "msrp_port", str(media.port), "-key", "msrp_uri", media.uri, *more]
    return site.stack.enter_context(program(scenario, command, site.folder))
