"""ng datagrams that are lost, late or asked twice, and INVITEs that are repeated meanwhile."""

from __future__ import annotations

import pytest

from .call import Call, callee, establish, invite
from .document import Seen, tell
from .middle import Faults
from .site import Relay, Site, conclude

ALL = 1 << 30


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("replies-lost", Faults(replies=2)),
        ("requests-lost", Faults(requests=2)),
        ("replies-late", Faults(delay=0.45)),
    ],
    ids=["replies-lost", "requests-lost", "replies-late"],
)
async def test_kamailio_asks_again_and_finds_the_same_session(
    site: Site, name: str, faults: Faults
) -> None:
    relay = await site.relay(faults=faults)
    await site.shipped("stateful.cfg")
    call = await establish(*await site.phones(), name)
    async with call.conversation() as talk:
        await talk.more(20)
        await call.renegotiate(call.a, call.b)
        await talk.more(20)
        seen = await conclude(site, call, talk)
    asked = relay.middle.of(name)
    assert [each.command for each in asked] == ["offer", "answer", "offer", "answer", "delete"]
    again = [each.transmissions > 1 for each in asked]
    # What is lost must be asked again; what is late may come just before Kamailio would.
    assert any(again) if faults.delay else all(again)
    tell(name, seen)


async def test_without_a_reply_to_answer_the_caller_gets_the_callees_own_sdp(site: Site) -> None:
    """Kamailio cannot refuse a 200. What the relay is then never told, it ends by itself."""
    relay = await site.relay(
        settings=["timers.offer=0.5"], faults=Faults(requests=ALL, commands=frozenset({"answer"}))
    )
    await site.shipped("stateful.cfg")
    call = await establish(*await site.phones(), "answer-lost")
    assert call.a.told.path == (call.b.media.uri,)
    await call.hang_up()
    await relay.idle()
    octets = "none: the caller was told the callee's own path; the relay's timer ends the session"
    tell("answer-lost", Seen(site.story("answer-lost"), octets))


async def test_an_invite_repeated_while_the_relay_is_asked_is_absorbed(site: Site) -> None:
    relay = await site.relay(faults=Faults(delay=0.25))
    await site.shipped("stateful.cfg")
    tell("repeated-invite", await three_invites(site, "repeated-invite"))
    assert [each.command for each in relay.middle.exchanges if each.call_id].count("offer") == 1


async def test_workers_that_race_for_one_invite_get_one_session(site: Site) -> None:
    relay = await site.relay(faults=Faults(delay=0.25))
    await site.careless()
    tell("racing-invites", await three_invites(site, "racing-invites"))
    assert_one_session(relay, "racing-invites", offers=3)


async def three_invites(site: Site, call_id: str) -> Seen:
    """A call whose INVITE comes three times before the relay has answered."""
    alice, bob = await site.phones()
    invitation = invite(alice, bob.direct, call_id)
    invitation.transaction.repeat()
    invitation.transaction.repeat()
    try:
        request = await bob.next("INVITE")
    except TimeoutError:
        # Each worker took another one for the one at work: the next retransmission finds them idle.
        invitation.transaction.repeat()
        request = await bob.next("INVITE")
    called = callee(bob, request)
    bob.respond(request, 200, "OK", called.media.sdp())
    await invitation.taken()
    await bob.next("ACK")
    call = Call(invitation.caller, called)
    async with call.conversation() as talk:
        await talk.more(40)
        await site.relays[0].middle.settled(call_id)
        return await conclude(site, call, talk)


def assert_one_session(relay: Relay, call_id: str, *, offers: int) -> None:
    """So many offers from as many SIP processes, and every reply says the same."""
    asked = [each for each in relay.middle.of(call_id) if each.command == "offer"]
    assert len(asked) == offers
    assert len({each.reply["sdp"] for each in asked if each.reply}) == 1
