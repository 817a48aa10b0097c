"""One call between two phones, each with an MSRP endpoint, over Sippy's B2BUA."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from msrprelay.demo import offers
from msrprelay.demo.talk import Talk
from msrprelay.endpoint import Connection, Endpoint, dial
from msrprelay.net.roles import Setup

from ..sip.message import Message
from ..sip.phone import PATIENCE_SECONDS, SDP, Dialog, Phone, Transaction
from ..sip.programs import HOST

SESSION = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = b"m=audio 40000 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=x-odd:  spaces \r\n"


@dataclass
class Party:
    """A phone and its MSRP endpoint, which always dials (both active: only a relay can join)."""

    phone: Phone
    uri: str = field(default_factory=lambda: f"msrp://{HOST}:9/{secrets.token_hex(10)};tcp")
    connection: Connection | None = None
    versions: int = 0

    def sdp(self, *, audio: bytes = b"") -> bytes:
        """A new version of what this party says of itself."""
        self.versions += 1
        body = offers.describe(offers.Address(self.uri, HOST, 9), Setup.ACTIVE, cema=False)
        return body.replace(b"o=- 4975 1 ", b"o=- 4975 %d " % self.versions) + audio

    async def connect(self, told: bytes) -> None:
        """Dial where the SDP that was told to this party says."""
        section = offers.section(told.decode())
        assert section.contact is not None
        self.connection = await dial(
            Endpoint(self.uri, section.path, active=True), *section.contact
        )
        await self.connection.bound()


@dataclass
class Call:
    """An established call; each party has its dialog with the B2BUA."""

    parties: tuple[Party, Party]
    dialogs: tuple[Dialog, Dialog]
    told: tuple[bytes, bytes]

    async def join(self) -> None:
        """Both MSRP endpoints dial the relay and are bound."""
        both = zip(self.parties, self.told, strict=True)
        await within(asyncio.gather(*(party.connect(sdp) for party, sdp in both)))

    async def chat(self, messages: int = 20) -> None:
        """Messages both ways, every one answered and reported."""
        await within(
            asyncio.gather(
                *(
                    hold(party, side, messages)
                    for party, side in zip(self.parties, "ab", strict=True)
                )
            )
        )

    async def end(self, by: int = 0) -> None:
        """BYE from one of the parties, answered; the other one hears of it."""
        bye = self.parties[by].phone.start(self.dialogs[by].request("BYE"))
        other = self.parties[1 - by].phone
        other.respond(await other.next("BYE"), 200, "OK")
        assert (await bye.final()).status == 200

    async def update(self, by: int, sdp: bytes) -> tuple[Transaction, Message]:
        """A re-INVITE of a party, and how the other one gets it."""
        sent = self.parties[by].phone.start(self.dialogs[by].request("INVITE", sdp))
        return sent, await self.parties[1 - by].phone.next("INVITE")

    async def accepted_update(self, by: int, offer: bytes, answer: bytes) -> tuple[bytes, bytes]:
        """A re-INVITE with its 200; what the answerer and the offerer were told."""
        sent, came = await self.update(by, offer)
        other = self.parties[1 - by].phone
        other.respond(came, 200, "OK", answer)
        final = await sent.final()
        assert final.status == 200, final.start
        self.dialogs[by].acknowledge()
        await other.next("ACK")
        return came.body, final.body

    async def rejected_update(self, by: int, offer: bytes) -> None:
        """A re-INVITE that the other party refuses."""
        sent, came = await self.update(by, offer)
        other = self.parties[1 - by].phone
        other.respond(came, 488, "Not Acceptable Here")
        assert (await sent.final()).status == 488
        await other.next("ACK")


async def hold(party: Party, side: str, messages: int) -> None:
    assert party.connection is not None
    talk = Talk(side)
    with party.connection.listening(talk.take):
        await talk.hold(party.connection, messages, lambda done: None)


def begin(caller: Party, proxy: int, body: bytes, kind: str = SDP) -> tuple[Dialog, Transaction]:
    """INVITE whoever is behind the B2BUA."""
    target = f"sip:bob@{HOST}:{proxy}"
    dialog = Dialog(caller.phone, secrets.token_hex(8), target, target)
    return dialog, caller.phone.start(dialog.request("INVITE", body, kind))


async def establish(caller: Party, callee: Party, proxy: int, offer: bytes, answer: bytes) -> Call:
    """A call set up, with these SDPs; nobody has dialled yet."""
    dialog, sent = begin(caller, proxy, offer)
    invite = await callee.phone.next("INVITE")
    callee.phone.respond(invite, 180, "Ringing")
    callee.phone.respond(invite, 200, "OK", answer)
    final = await sent.final()
    assert final.status == 200, final.start
    dialog.established(final)
    dialog.acknowledge()
    await callee.phone.next("ACK")
    return Call((caller, callee), (dialog, callee.phone.dialog(invite)), (final.body, invite.body))


@contextlib.asynccontextmanager
async def call(
    caller: Party, callee: Party, proxy: int, *, audio: bytes = b""
) -> AsyncIterator[Call]:
    """A call set up and joined; the MSRP connections end with the block."""
    offer, answer = caller.sdp(audio=audio), callee.sdp(audio=audio)
    made = await establish(caller, callee, proxy, offer, answer)
    try:
        await made.join()
        yield made
    finally:
        for party in made.parties:
            if party.connection is not None:
                party.connection.abort()


async def within(work: asyncio.Future[list[None]]) -> None:
    """Wait for ``work``, but not for ever."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await work
