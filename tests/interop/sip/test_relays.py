"""Two relays in one set: calls are shared out; a full one and a dead one are passed over."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .call import Call, establish
from .document import Seen, tell
from .site import Relay, Site, conclude

CALLS = 8
SHARED = 40


@pytest.mark.parametrize(
    ("name", "ports", "settings", "refusal"),
    [
        ("full", 2, [], "error: Ran out of ports"),
        ("busy-relay", 64, ["limits.sessions=1"], "load limit"),
    ],
    ids=["full", "busy-relay"],
)
async def test_a_relay_that_can_take_no_more_is_passed_over(
    site: Site, name: str, ports: int, settings: Sequence[str], refusal: str
) -> None:
    """The first relay has room for one call; Kamailio picks by call-id, and moves on."""
    first = await site.relay(ports=ports, settings=settings)
    await site.relay()
    await site.shipped("stateful.cfg")
    phones = await site.phones()
    taken = [await establish(*phones, f"{name}-{number}") for number in range(CALLS)]
    asked = [call for call in taken if first.middle.of(call.call_id)]
    moved = [call for call in asked if not first.has(call.call_id)]
    assert sum(first.has(call.call_id) for call in taken) == 1
    assert moved, "Kamailio never asked the full relay"
    for call in taken:
        if call is not moved[0]:
            await call.hang_up()
    call = moved[0]
    async with call.conversation() as talk:
        await talk.more(40)
        seen = await conclude(site, call, talk)
    assert refusal in seen.asked
    tell(name, seen)


async def test_a_dead_relay_is_passed_over(site: Site) -> None:
    first, second = await site.relay(), await site.relay()
    await site.shipped("stateful.cfg")
    phones = await site.phones()
    first.process.kill()
    taken = [await establish(*phones, f"dead-{number}") for number in range(CALLS)]
    assert all(second.has(call.call_id) for call in taken)
    moved, *after = [call for call in taken if first.middle.of(call.call_id)]
    # It was silent once; nobody asks it again for a while.
    assert after == []
    for call in taken:
        if call is not moved:
            await call.hang_up()
    async with moved.conversation() as talk:
        await talk.more(40)
        tell("dead", await conclude(site, moved, talk))


async def test_weights_share_the_calls_out_and_each_stays_where_it_is(site: Site) -> None:
    """Kamailio picks by a hash of the call-id, and pins the call to whom it picked."""
    heavy, light = await site.relay(weight=3), await site.relay()
    await site.shipped("stateful.cfg")
    phones = await site.phones()
    last: dict[str, Call] = {}
    for number in range(SHARED):
        call = await establish(*phones, f"weights-{number}")
        relay = heavy if heavy.has(call.call_id) else light
        if relay.middle.name in last:
            await last[relay.middle.name].hang_up()
        last[relay.middle.name] = call
    for call in last.values():
        async with call.conversation() as talk:
            await talk.more(20)
            await call.renegotiate(call.b, call.a)
            await talk.more(20)
            octets = (await conclude(site, call, talk)).octets
    shares = {relay.middle.name: calls(relay) for relay in (heavy, light)}
    assert not set(shares["relay 1"]) & set(shares["relay 2"]), "a call changed its relay"
    assert sum(map(len, shares.values())) == SHARED
    assert len(shares["relay 1"]) > 2 * len(shares["relay 2"]) > 0
    told = [f"{name}: {len(each)} calls, each with all it asked" for name, each in shares.items()]
    tell("weights", Seen("; ".join(told), octets))


def calls(relay: Relay) -> list[str]:
    """The calls a relay was asked about."""
    return sorted({each.call_id for each in relay.middle.exchanges if each.call_id})
