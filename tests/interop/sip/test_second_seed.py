"""The second seed: a final answer to a re-INVITE is lost, and the call must not die of it.

A B2BUA kept calls alive by re-INVITEs. A proxy answered them by itself, 100 and then 488, both
statelessly. The 100 stops the client from repeating its INVITE (RFC 3261 section 17.1.1.2); when
the 488 was lost nobody repeated it, and 300 s later the client hung up a healthy call.
"""

from __future__ import annotations

import asyncio

import pytest

from .call import Party, establish
from .document import tell
from .message import Message
from .middle import Faults
from .site import Site, conclude, connected

SILENT = Faults(requests=1 << 30)
# Kamailio does not ask a relay that was silent for some seconds: not even the delete of the BYE
# comes, and the relay ends the call by itself, this long after both connections have closed.
SHORT_WINDOW = "timers.reconnect=0.2"
# sl_send_reply() sends once. tm would have repeated after 0.5 s, then 1 s: time enough to see it.
WAIT_SECONDS = 2.0


@pytest.mark.parametrize("script", ["minimal", "stateful", "chained"])
async def test_a_lost_488_of_the_callee_comes_again(site: Site, script: str) -> None:
    call = await connected(site, f"{script}.cfg", f"lost-488-{script}")
    async with call.conversation() as talk:
        await talk.more(20)
        lost = losing(call.a, 488, times=3)
        again, invite = await call.reinvite(call.a, call.b)
        call.b.phone.respond(invite, 488, "Not Acceptable Here")
        await again.provisional(100)
        assert (await again.final()).status == 488
        assert len(lost) == 3
        await call.b.phone.next("ACK")
        await talk.more(20)
        tell(call.call_id, await conclude(site, call, talk))


async def test_a_lost_503_of_kamailio_comes_again_for_longer_than_4_s(site: Site) -> None:
    await site.relay(settings=[SHORT_WINDOW])
    await site.shipped("stateful.cfg")
    call = await establish(*await site.phones(), "lost-503")
    async with call.conversation() as talk:
        await talk.more(20)
        site.relays[0].middle.faults = SILENT
        lost = losing(call.a, 503, times=4)
        again = call.a.phone.start(call.a.dialog.request("INVITE", call.a.media.sdp()))
        assert (await again.final()).status == 503
        assert len(lost) == 4
        site.relays[0].middle.faults = Faults()
        await talk.more(20)
        tell("lost-503", await conclude(site, call, talk))


async def test_sent_statelessly_it_never_comes(site: Site) -> None:
    """What the second seed saw, so that the tests above are known to be able to fail."""
    await site.relay(settings=[SHORT_WINDOW])
    await site.careless(relay_ms=100)
    call = await establish(*await site.phones(), "lost-503-stateless")
    async with call.conversation() as talk:
        await talk.more(20)
        site.relays[0].middle.faults = SILENT
        lost = losing(call.a, 503, times=1)
        again = call.a.phone.start(call.a.dialog.request("INVITE", call.a.media.sdp()))
        await again.provisional(100)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(again.final(), WAIT_SECONDS)
        assert len(lost) == 1
        site.relays[0].middle.faults = Faults()
        await talk.more(20)
        tell("lost-503-stateless", await conclude(site, call, talk))


def losing(party: Party, status: int, times: int) -> list[Message]:
    """The next ``times`` responses with this status do not reach the phone; they are listed."""
    phone = party.phone
    phone.deaf = lambda message: message.status == status and len(phone.unheard) < times
    return phone.unheard
