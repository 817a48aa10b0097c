"""Two relays in one set: a full one and a dead one are passed over."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .call import establish
from .document import tell
from .site import Site, conclude

CALLS = 8


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
