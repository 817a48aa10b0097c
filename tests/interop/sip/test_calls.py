"""Calls: who dials, where the offer is, whose script it is."""

from __future__ import annotations

import pytest

from msrprelay.net.roles import Setup

from .call import BOTH_DIAL, Call, Party, callee, establish
from .chat import Media
from .document import tell
from .phone import Dialog
from .site import Site, conclude, connected

A, P, AP = Setup.ACTIVE, Setup.PASSIVE, Setup.ACTPASS


@pytest.mark.parametrize(
    ("name", "script", "setups"),
    [
        ("both-dial", "minimal.cfg", BOTH_DIAL),
        ("callee-waits", "stateful.cfg", (AP, P)),
        ("caller-waits", "stateful.cfg", (P, A)),
        ("both-wait", "stateful.cfg", (P, P)),
        ("no-setup", "stateful.cfg", (None, None)),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
async def test_whoever_dials_messages_flow_both_ways(
    site: Site, name: str, script: str, setups: tuple[Setup | None, Setup | None]
) -> None:
    call = await connected(site, script, name, setups=setups)
    async with call.conversation() as talk:
        await talk.more(40)
        tell(name, await conclude(site, call, talk))


async def test_an_offer_may_come_in_the_answer_to_an_empty_invite(site: Site) -> None:
    await site.relay()
    await site.shipped("stateful.cfg")
    alice, bob = await site.phones()
    dialog = Dialog(alice, "late-offer", bob.direct, bob.direct)
    transaction = alice.start(dialog.request("INVITE"))
    request = await bob.next("INVITE")
    called = callee(bob, request)
    bob.respond(request, 200, "OK", called.media.sdp())
    offer = await transaction.final()
    caller = Party(alice, Media(A), dialog, heard=offer.body)
    dialog.established(offer)
    dialog.acknowledge(caller.media.sdp())
    called.heard = (await bob.next("ACK")).body
    # Who offers is side a of the relay, and of the conversation.
    call = Call(called, caller)
    async with call.conversation() as talk:
        await talk.more(40)
        tell("late-offer", await conclude(site, call, talk, hangs_up=caller))


async def test_debians_own_script_relays_phones_behind_nat(site: Site) -> None:
    await site.relay()
    await site.debian()
    alice, bob = await site.phones(behind_nat=True)
    await bob.register()
    call = await establish(alice, bob, "debian", target=bob.address)
    async with call.conversation() as talk:
        await talk.more(40)
        tell("debian", await conclude(site, call, talk))


@pytest.mark.parametrize("script", ["minimal.cfg", "stateful.cfg", "branches.cfg"])
async def test_the_callee_may_hang_up(site: Site, script: str) -> None:
    """Its BYE has the tags the other way round."""
    call = await connected(site, script, "callee-bye")
    async with call.conversation() as talk:
        await talk.more(20)
        await conclude(site, call, talk, hangs_up=call.b)


async def test_an_offer_in_a_reliable_183_is_answered_in_the_prack(site: Site) -> None:
    """RFC 3262 section 5; the 200 comes without SDP."""
    await site.relay()
    await site.shipped("stateful.cfg")
    alice, bob = await site.phones()
    dialog = Dialog(alice, "prack", bob.direct, bob.direct)
    transaction = alice.start(dialog.request("INVITE"))
    request = await bob.next("INVITE")
    called = callee(bob, request)
    bob.respond(request, 183, "Session Progress", called.media.sdp())
    offer = await transaction.provisional(183)
    caller = Party(alice, Media(A), dialog, heard=offer.body)
    dialog.established(offer)
    prack = alice.start(dialog.request("PRACK", caller.media.sdp()))
    answer = await bob.next("PRACK")
    called.heard = answer.body
    bob.respond(answer, 200, "OK")
    assert (await prack.final()).status == 200
    bob.respond(request, 200, "OK")
    assert (await transaction.final()).status == 200
    # No ACK: the dialog would number it like the PRACK. Side a at the relay is who offered.
    call = Call(called, caller)
    async with call.conversation() as talk:
        await talk.more(20)
        await conclude(site, call, talk, hangs_up=caller)
