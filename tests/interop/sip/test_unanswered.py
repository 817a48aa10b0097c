"""Calls that are refused or cancelled, and INVITEs that reach two phones."""

from __future__ import annotations

import asyncio
import copy

import pytest

from .call import Call, Party, callee, invite
from .chat import told
from .document import Seen, tell
from .message import Message
from .phone import Phone
from .site import Site, conclude


async def test_a_refused_call_gives_its_ports_back(site: Site) -> None:
    relay = await site.relay()
    await site.shipped("stateful.cfg")
    alice, bob = await site.phones()
    invitation = invite(alice, bob.direct, "busy")
    bob.respond(await bob.next("INVITE"), 486, "Busy Here")
    assert (await invitation.transaction.final()).status == 486
    await relay.idle()
    tell("busy", Seen(site.story("busy"), "none: never answered"))


async def test_a_cancelled_call_gives_its_ports_back(site: Site) -> None:
    relay = await site.relay()
    await site.shipped("stateful.cfg")
    alice, bob = await site.phones()
    invitation = invite(alice, bob.direct, "cancel")
    ringing = await bob.next("INVITE")
    bob.respond(ringing, 180, "Ringing")
    await invitation.transaction.provisional(180)
    cancel = invitation.transaction.cancel()
    await cancelled(bob, ringing)
    assert (await cancel.final()).status == 200
    assert (await invitation.transaction.final()).status == 487
    await relay.idle()
    tell("cancel", Seen(site.story("cancel"), "none: never answered"))


async def test_of_two_phones_that_ring_one_answers(site: Site) -> None:
    await site.relay()
    await site.shipped("stateful.cfg")
    tell("fork", await fork(site, "fork", behind_nat=False))


async def test_debians_script_asks_once_for_each_branch(site: Site) -> None:
    await site.relay()
    await site.debian()
    tell("fork-debian", await fork(site, "fork-debian", behind_nat=True))


async def test_forks_told_apart_have_places_of_their_own(site: Site) -> None:
    """A re-INVITE has a branch of its own again, one that was a fork's: its tags count."""
    await site.relay()
    await site.shipped("branches.cfg")
    alice, bob = await site.phones()
    other = await site.phone("bob")
    await both_register(bob, other)
    invitation = invite(alice, bob.address, "fork-branches")
    first, second = await asyncio.gather(bob.next("INVITE"), other.next("INVITE"))
    assert told(first.body).path != told(second.body).path
    # Who answers is not who was asked first.
    if branch(site, told(second.body).path) == "0":
        bob, other, first, second = other, bob, second, first
    called = callee(other, second)
    bob.respond(first, 180, "Ringing")
    # A branch that has not rung yet is not cancelled (RFC 3261 section 9.1).
    await invitation.transaction.provisional(180)
    other.respond(second, 200, "OK", called.media.sdp())
    await invitation.taken()
    await cancelled(bob, first)
    await other.next("ACK")
    call = Call(invitation.caller, called)
    async with call.conversation() as talk:
        await talk.more(20)
        await call.renegotiate(call.b, call.a)
        await call.refused(call.a, call.b)
        await call.move(talk, call.a, call.b)
        await talk.more(20)
        seen = await conclude(site, call, talk)
    assert all(each.result == "ok" for each in site.relays[0].middle.of("fork-branches"))
    tell("fork-branches", seen)


async def test_a_call_that_no_relay_takes_is_refused_statefully(site: Site) -> None:
    """Also where the relay is asked once for each branch: the 503 repeats until its ACK."""
    relay = await site.relay()
    await site.shipped("branches.cfg")
    alice, bob = await site.phones()
    relay.process.kill()
    alice.deaf = lambda message: message.status == 503 and len(alice.unheard) < 2
    invitation = invite(alice, bob.direct, "fork-unserved")
    assert (await invitation.transaction.final()).status == 503
    assert len(alice.unheard) == 2
    assert bob.requests.empty()


@pytest.mark.parametrize("script", ["stateful.cfg", "branches.cfg"])
async def test_an_invite_without_a_way_to_the_callee_gives_its_ports_back(
    site: Site, script: str
) -> None:
    """Kamailio's own 503: no failure route hears of it."""
    relay = await site.relay()
    await site.shipped(script)
    # Kamailio has no socket for IPv6.
    invitation = invite(await site.phone("alice"), "sip:bob@[2001:db8::1]", "unroutable")
    assert (await invitation.transaction.final()).status == 503
    await relay.idle()
    tell("unroutable", Seen(site.story("unroutable"), "none: never answered"))


@pytest.mark.parametrize(
    ("script", "hung_up"),
    [("stateful.cfg", 0), ("branches.cfg", 0), ("branches.cfg", 1)],
    ids=["stateful-earlier", "branches-earlier", "branches-later"],
)
async def test_of_two_calls_that_are_answered_the_bye_of_one_ends_one(
    site: Site, script: str, hung_up: int
) -> None:
    """Both 200 reach the caller, who keeps one (RFC 3261 section 13.2.2.4)."""
    await site.relay()
    await site.shipped(script)
    calls = await both_answer(site, "two-answers")
    kept = calls[1 - hung_up]
    async with kept.conversation() as talk:
        await talk.more(20)
        await calls[hung_up].hang_up()
        await talk.more(20)
        name = "two-answers" if script == "stateful.cfg" else "two-answers-branches"
        tell(name, await conclude(site, kept, talk))


async def both_answer(site: Site, call_id: str) -> tuple[Call, Call]:
    """Two phones of Bob ring, and the second one answers before it hears that the first has."""
    alice, bob = await site.phones()
    other = await site.phone("bob")
    await both_register(bob, other)
    invitation = invite(alice, bob.address, call_id)
    rings = await asyncio.gather(bob.next("INVITE"), other.next("INVITE"))
    for phone, ring in zip((bob, other), rings, strict=True):
        phone.respond(ring, 180, "Ringing")
        await invitation.transaction.provisional(180)
    calls = []
    for phone, ring in zip((bob, other), rings, strict=True):
        caller, called = copy.copy(invitation.caller), callee(phone, ring)
        caller.dialog = copy.copy(caller.dialog)
        if phone is other:
            phone.respond(await phone.next("CANCEL"), 200, "OK")
        phone.respond(ring, 200, "OK", called.media.sdp())
        answer = await invitation.transaction.final()
        assert answer.status == 200, answer.start
        caller.heard = answer.body
        caller.dialog.established(answer)
        caller.dialog.acknowledge()
        await phone.next("ACK")
        calls.append(Call(caller, called))
    return calls[0], calls[1]


def branch(site: Site, path: tuple[str, ...]) -> str:
    """The via-branch whose offer was given a path."""
    for each in site.relays[0].middle.exchanges:
        if each.reply and "sdp" in each.reply and told(each.reply["sdp"]).path == path:
            return bytes(each.fields["via-branch"]).decode()
    raise AssertionError(f"no offer was given {path}")


async def fork(site: Site, call_id: str, *, behind_nat: bool) -> Seen:
    """Bob has two phones: both are offered the same place at the relay; the second answers."""
    alice, bob = await site.phones(behind_nat=behind_nat)
    other = await site.phone("bob", behind_nat=behind_nat)
    await both_register(bob, other)
    invitation = invite(alice, bob.address, call_id)
    first, second = await asyncio.gather(bob.next("INVITE"), other.next("INVITE"))
    assert first.body == second.body
    called = callee(other, second)
    bob.respond(first, 180, "Ringing")
    # A branch that has not rung yet is not cancelled (RFC 3261 section 9.1).
    await invitation.transaction.provisional(180)
    other.respond(second, 200, "OK", called.media.sdp())
    await invitation.taken()
    await cancelled(bob, first)
    await other.next("ACK")
    return await converse(site, invitation.caller, called)


async def test_a_late_200_of_another_phone_replaces_an_early_answer(site: Site) -> None:
    await site.relay()
    await site.shipped("stateful.cfg")
    alice, bob = await site.phones()
    other = await site.phone("bob")
    await both_register(bob, other)
    invitation = invite(alice, bob.address, "fork-early")
    first, second = await asyncio.gather(bob.next("INVITE"), other.next("INVITE"))
    early, called = callee(bob, first), callee(other, second)
    bob.respond(first, 183, "Session Progress", early.media.sdp())
    await invitation.transaction.provisional(183)
    other.respond(second, 200, "OK", called.media.sdp())
    await invitation.taken()
    await cancelled(bob, first)
    await other.next("ACK")
    tell("fork-early", await converse(site, invitation.caller, called))


async def converse(site: Site, caller: Party, called: Party) -> Seen:
    call = Call(caller, called)
    async with call.conversation() as talk:
        await talk.more(40)
        return await conclude(site, call, talk)


async def both_register(bob: Phone, other: Phone) -> None:
    await bob.register()
    await other.register()


async def cancelled(phone: Phone, ringing: Message) -> None:
    """Take a CANCEL and end the INVITE with 487 (RFC 3261 section 9.2)."""
    phone.respond(await phone.next("CANCEL"), 200, "OK")
    phone.respond(ringing, 487, "Request Terminated")
    await phone.next("ACK")
