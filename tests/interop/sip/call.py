"""A call of two phones through Kamailio, with a chat in it: what scenarios are made of."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from msrprelay.endpoint import Connection
from msrprelay.net.roles import Setup
from msrprelay.sdp import MsrpSection

from .chat import Chat, Media, chat, connected, silence, told
from .message import Message
from .phone import Dialog, Phone, Transaction

BOTH_DIAL = (Setup.ACTIVE, Setup.ACTIVE)


@dataclass
class Party:
    """One phone in the call, with the media it describes and its end of the dialog."""

    phone: Phone
    media: Media
    dialog: Dialog
    heard: bytes = b""
    """The last description of the other that has reached it."""

    @property
    def told(self) -> MsrpSection:
        """The message section it was last told."""
        return told(self.heard)


class Call:
    """An answered call."""

    def __init__(self, a: Party, b: Party) -> None:
        self.a = a
        self.b = b

    @property
    def call_id(self) -> str:
        return self.a.dialog.call_id

    @contextlib.asynccontextmanager
    async def conversation(self) -> AsyncIterator[Chat]:
        """Both ends connect and talk, until :meth:`Chat.pause` or the end of the block."""
        with (
            contextlib.closing(self.a.media),
            contextlib.closing(self.b.media),
            chat(*await self.connections()) as talk,
        ):
            yield talk

    async def connections(self) -> tuple[Connection, Connection]:
        """Both ends connect as they were told."""
        return await connected(self.a.media, self.a.told, self.b.media, self.b.told)

    async def renegotiate(self, offerer: Party, answerer: Party) -> None:
        """A re-INVITE, accepted."""
        again, invite = await self.reinvite(offerer, answerer)
        answerer.phone.respond(invite, 200, "OK", answerer.media.sdp())
        await self.accepted(again, offerer, answerer)

    async def reinvite(self, offerer: Party, answerer: Party) -> tuple[Transaction, Message]:
        """Send a re-INVITE; gives it as sent and as it arrived at the other."""
        again = offerer.phone.start(offerer.dialog.request("INVITE", offerer.media.sdp()))
        invite = await answerer.phone.next("INVITE")
        answerer.heard = invite.body
        return again, invite

    async def accepted(self, again: Transaction, offerer: Party, answerer: Party) -> None:
        """Take the 200 to a re-INVITE."""
        answer = await again.final()
        assert answer.status == 200, answer.start
        offerer.heard = answer.body
        offerer.dialog.acknowledge()
        await answerer.phone.next("ACK")

    async def refused(self, offerer: Party, answerer: Party, status: int = 488) -> None:
        """A re-INVITE, refused by the other phone."""
        before = answerer.heard
        again, invite = await self.reinvite(offerer, answerer)
        answerer.heard = before
        answerer.phone.respond(invite, status, "Not Acceptable Here")
        answer = await again.final()
        assert answer.status == status, answer.start
        await answerer.phone.next("ACK")

    async def move(self, talk: Chat, mover: Party, other: Party) -> None:
        """A re-INVITE with another path, accepted: the mover dials anew, the other stays."""
        async with silence(talk):
            mover.media.renew()
            await self.renegotiate(mover, other)
            fresh = await mover.media.connect(mover.told, active=True)
            if mover is self.a:
                talk.move(fresh, talk.b.connection)
            else:
                talk.move(talk.a.connection, fresh)

    async def hang_up(self, party: Party | None = None) -> None:
        """BYE, answered."""
        party = party or self.a
        other = self.b if party is self.a else self.a
        bye = party.phone.start(party.dialog.request("BYE"))
        other.phone.respond(await other.phone.next("BYE"), 200, "OK")
        answer = await bye.final()
        assert answer.status == 200, answer.start


@dataclass
class Invitation:
    """An INVITE on its way: the caller, and what it has sent."""

    caller: Party
    transaction: Transaction

    async def taken(self) -> Message:
        """The caller takes the 200 and acknowledges."""
        answer = await self.transaction.final()
        assert answer.status == 200, answer.start
        self.caller.heard = answer.body
        self.caller.dialog.established(answer)
        self.caller.dialog.acknowledge()
        return answer


def invite(
    alice: Phone, target: str, call_id: str, setup: Setup | None = Setup.ACTIVE, audio: int = 0
) -> Invitation:
    """Alice calls a SIP URI."""
    dialog = Dialog(alice, call_id, target, target)
    caller = Party(alice, Media(setup, audio), dialog)
    return Invitation(caller, alice.start(dialog.request("INVITE", caller.media.sdp())))


def callee(
    bob: Phone, invite: Message, setup: Setup | None = Setup.ACTIVE, audio: int = 0
) -> Party:
    """The party that an INVITE has reached."""
    return Party(bob, Media(setup, audio), bob.dialog(invite), heard=invite.body)


async def establish(
    alice: Phone,
    bob: Phone,
    call_id: str,
    *,
    target: str = "",
    setups: tuple[Setup | None, Setup | None] = BOTH_DIAL,
    audio: tuple[int, int] = (0, 0),
) -> Call:
    """Alice calls, Bob rings and answers."""
    invitation = invite(alice, target or bob.direct, call_id, setups[0], audio[0])
    request = await bob.next("INVITE")
    called = callee(bob, request, setups[1], audio[1])
    bob.respond(request, 180, "Ringing")
    bob.respond(request, 200, "OK", called.media.sdp())
    await invitation.taken()
    await bob.next("ACK")
    return Call(invitation.caller, called)
