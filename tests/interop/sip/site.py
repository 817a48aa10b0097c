"""What a test has running: relays with what stands before them, Kamailio, phones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msrprelay.demo.ng import NgClient, ng_client

from . import programs
from .call import Call, Party, establish
from .chat import Chat
from .document import Seen
from .middle import Faults, Middle, middle, story
from .phone import Phone, phone
from .programs import HOST, Program

HERE = Path(__file__).parent
SHIPPED = HERE.parents[2] / "deploy" / "kamailio"
DEBIAN = Path("/etc/kamailio/kamailio.cfg")
# Where Debian's own script expects an ng relay.
DEBIAN_NODE = "udp:127.0.0.1:2223"
IDLE_SECONDS = 15.0


@dataclass
class Relay:
    """One ``msrprelayd`` and the middle that the SIP server talks to in its place."""

    process: Program
    middle: Middle
    ng: NgClient
    weight: int = 1
    """Its share of the calls, as the SIP server has it."""

    async def query(self, call_id: str) -> dict[str, Any]:
        """What the relay says of a call, also of one that has ended."""
        return await self.ng.ask("query", {"call-id": call_id, "msrp-ended": "1"})

    async def legs(self, call_id: str) -> list[dict[str, Any]]:
        """Both legs of the call's only session; of forks, the only one that is in use."""
        sessions = (await self.query(call_id))["msrp"]["sessions"]
        (used,) = [each for each in sessions if each["state"] not in ("offered", "closed")]
        legs: list[dict[str, Any]] = used["legs"]
        return legs

    def has(self, call_id: str) -> bool:
        """Whether the call is here: its first offer was taken."""
        return any(each.reply and "sdp" in each.reply for each in self.middle.of(call_id))

    async def idle(self) -> None:
        """Until no call is left and no port is in use."""
        async with asyncio.timeout(IDLE_SECONDS):
            while await self.held() != (0, 0):
                await asyncio.sleep(0.01)

    async def held(self) -> tuple[int, int]:
        """Calls, and ports in use."""
        sessions = (await self.ng.ask("statistics"))["sessions"]
        return sessions["calls"], sum(pool["in-use"] for pool in sessions["ports"])


@dataclass
class Site:
    """The programs of one test; all end with it."""

    folder: Path
    stack: contextlib.AsyncExitStack
    relays: list[Relay] = field(default_factory=list)
    middles: list[Middle] = field(default_factory=list)
    """What the SIP server talks to: before each relay, and before rtpengine."""
    sip_port: int = 0

    async def relay(
        self,
        *,
        ports: int = 64,
        settings: Sequence[str] = (),
        faults: Faults | None = None,
        weight: int = 1,
    ) -> Relay:
        """Another relay."""
        name = f"relay {len(self.relays) + 1}"
        process, port = await self.stack.enter_async_context(
            programs.relay(
                self.folder,
                name.replace(" ", "-"),
                ports=ports,
                settings=[word for setting in settings for word in ("--set", setting)],
            )
        )
        before = await self.stack.enter_async_context(middle(port, name))
        if faults is not None:
            before.faults = faults
        client = await self.stack.enter_async_context(ng_client(HOST, port))
        made = Relay(process, before, client, weight)
        self.relays.append(made)
        self.middles.append(before)
        return made

    async def kamailio(self, script: Path, *defines: str) -> None:
        """Kamailio with a script and values for its ``#!define`` lines."""
        self.sip_port = await self.stack.enter_async_context(
            programs.kamailio(self.folder, script, defines)
        )

    async def phone(self, name: str, *, behind_nat: bool = False) -> Phone:
        return await self.stack.enter_async_context(
            phone(name, self.sip_port, behind_nat=behind_nat)
        )

    async def phones(self, *, behind_nat: bool = False) -> tuple[Phone, Phone]:
        """Alice and Bob."""
        alice = await self.phone("alice", behind_nat=behind_nat)
        return alice, await self.phone("bob", behind_nat=behind_nat)

    def nodes(self) -> str:
        """The relays as rtpengine_sock has them."""
        return " ".join(f"udp:{HOST}:{each.middle.port}={each.weight}" for each in self.relays)

    async def shipped(self, script: str, *defines: str) -> None:
        """One of the scripts we ship, as it is."""
        nodes = [f'MSRPRELAYS="1 == {self.nodes()}"']
        if script == "minimal.cfg":
            nodes = [f'MSRPRELAY="{self.nodes()}"']
        if script == "chained.cfg":
            audio = await self.stack.enter_async_context(programs.rtpengine(self.folder))
            before = await self.stack.enter_async_context(middle(audio, "rtpengine"))
            self.middles.append(before)
            nodes.append(f'RTPENGINES="2 == udp:{HOST}:{before.port}"')
        await self.kamailio(SHIPPED / script, *nodes, *defines)

    async def careless(self, relay_ms: int = 1000) -> None:
        """The script that shows how not to do it; it waits ``relay_ms`` for the relay, twice."""
        await self.kamailio(
            HERE / "scripts" / "careless.cfg", f'MSRPRELAY="{self.nodes()}"', f"RELAY_MS={relay_ms}"
        )

    async def debian(self) -> None:
        """The script that Debian's package installs, with its NAT and rtpengine switched on.

        Nothing is changed but the address of the ng relay.
        """
        programs.require([(str(DEBIAN), DEBIAN.exists())])
        text = DEBIAN.read_text()
        assert text.count(DEBIAN_NODE) == 1
        script = self.folder / "debian.cfg"
        script.write_text(text.replace(DEBIAN_NODE, f"udp:{HOST}:{self.relays[0].middle.port}"))
        await self.kamailio(script, "WITH_NAT", "WITH_RTPENGINE")

    def story(self, call_id: str) -> str:
        """What the SIP server asked about a call."""
        return story(self.middles, call_id)


async def assert_all_octets(relay: Relay, call_id: str, talk: Chat) -> None:
    """The relay has read and written what the two ends have written and read, to the octet."""
    a, b = await relay.legs(call_id)
    for leg, voice in ((a, talk.a), (b, talk.b)):
        assert leg["bytes-in"] == sum(each.bytes_sent for each in voice.connections)
        assert leg["bytes-out"] == sum(each.bytes_received for each in voice.connections)


async def connected(site: Site, script: str, call_id: str, **more: Any) -> Call:
    """One relay, one of our scripts, and a call of Alice to Bob through them."""
    await site.relay()
    await site.shipped(script)
    return await establish(*await site.phones(), call_id, **more)


async def conclude(site: Site, call: Call, talk: Chat, *, hangs_up: Party | None = None) -> Seen:
    """Silence, every octet counted, BYE, nothing left behind; what there is to tell of it."""
    await talk.pause()
    relay = next(each for each in site.relays if each.has(call.call_id))
    await assert_all_octets(relay, call.call_id, talk)
    await call.hang_up(hangs_up)
    await talk.hang_up()
    await relay.idle()
    return Seen(site.story(call.call_id), talk.summary())
