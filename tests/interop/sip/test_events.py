"""What the relay tells Kamailio by itself."""

from __future__ import annotations

from . import programs
from .call import establish
from .document import Seen, tell
from .programs import HOST, TCP_RANGE
from .site import Site

SHORT_WINDOW = "timers.reconnect=0.2"


async def test_a_chat_that_ends_without_a_bye_ends_the_dialog(site: Site) -> None:
    """Both phones are gone for MSRP, neither has hung up: both get Kamailio's BYE."""
    rpc = programs.free_range(TCP_RANGE, 1)
    url = f"http://{HOST}:{rpc}/RPC"
    relay = await site.relay(settings=[SHORT_WINDOW, f"events.kamailio={url}"])
    await site.shipped("events.cfg", f"RPC=tcp:{HOST}:{rpc}")
    call = await establish(*await site.phones(), "events")
    async with call.conversation() as talk:
        await talk.more(20)
        await talk.pause()
        await talk.hang_up()
        # Answered at once, the first would end Kamailio's dialog before the other is sent.
        byes = [await party.phone.next("BYE") for party in (call.a, call.b)]
        for party, bye in zip((call.a, call.b), byes, strict=True):
            party.phone.respond(bye, 200, "OK")
        await relay.idle()
        octets = f"{talk.summary()}; both phones get a BYE of Kamailio's"
        tell("events", Seen(site.story("events"), octets))
