"""Bodies of several parts (RFC 5621): an SDP in one of them is the relay's as well."""

from __future__ import annotations

import pytest

from msrprelay.net.roles import Setup

from .call import Call, Party
from .chat import Media
from .document import tell
from .message import MULTIPART, Message, multipart, parts_of
from .phone import SDP, Dialog
from .site import Site, conclude

PLACE = ("application/pidf+xml", b"<presence/>")


def written(sdp: bytes, beside: bool) -> tuple[bytes, str]:
    """A body with an SDP, alone or ``beside`` something else, and its type."""
    return (multipart(PLACE, (SDP, sdp)), MULTIPART) if beside else (sdp, SDP)


def read(message: Message, beside: bool) -> bytes:
    """The SDP of a body that was written so."""
    if not beside:
        return message.body
    place, (kind, sdp) = parts_of(message.body)
    assert (place, kind) == (PLACE, SDP)
    return sdp


async def call_of_parts(site: Site, call_id: str, offer: bool, answer: bool) -> Call:
    alice, bob = await site.phones()
    caller = Party(alice, Media(Setup.ACTIVE), Dialog(alice, call_id, bob.direct, bob.direct))
    invite = caller.dialog.request("INVITE", *written(caller.media.sdp(), offer))
    transaction = alice.start(invite)
    request = await bob.next("INVITE")
    called = Party(bob, Media(Setup.ACTIVE), bob.dialog(request), heard=read(request, offer))
    bob.respond(request, 200, "OK", *written(called.media.sdp(), answer))
    final = await transaction.final()
    caller.heard = read(final, answer)
    caller.dialog.established(final)
    caller.dialog.acknowledge()
    await bob.next("ACK")
    return Call(caller, called)


@pytest.mark.parametrize("name", ["multipart", "multipart-minimal"])
@pytest.mark.parametrize(
    ("offer", "answer"),
    [(True, True), (True, False), (False, True)],
    ids=["both", "offer", "answer"],
)
async def test_an_sdp_beside_something_else_is_rewritten(
    site: Site, name: str, offer: bool, answer: bool
) -> None:
    await site.relay()
    await site.shipped("minimal.cfg" if name.endswith("minimal") else "stateful.cfg")
    call = await call_of_parts(site, name, offer, answer)
    async with call.conversation() as talk:
        await talk.more(40)
        tell(name, await conclude(site, call, talk))


@pytest.mark.parametrize("script", ["stateful.cfg", "minimal.cfg", "branches.cfg"])
async def test_several_parts_without_an_sdp_pass_as_they_are(site: Site, script: str) -> None:
    relay = await site.relay()
    await site.shipped(script)
    alice, bob = await site.phones()
    dialog = Dialog(alice, "no-sdp", bob.direct, bob.direct)
    sent = alice.start(dialog.request("INVITE", multipart(PLACE), MULTIPART))
    request = await bob.next("INVITE")
    bob.respond(request, 486, "Busy Here")
    assert (await sent.final()).status == 486
    assert request.body == multipart(PLACE)
    assert not [each for each in relay.middle.of("no-sdp") if each.command != "delete"]
