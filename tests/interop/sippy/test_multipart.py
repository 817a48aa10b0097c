"""Bodies of several parts through Sippy's B2BUA."""

from __future__ import annotations

import pytest

from ..sip.message import MULTIPART, Message, multipart, parameter, parts_of
from ..sip.phone import SDP
from .call import AUDIO, SESSION, Call, begin
from .conftest import Laboratory

PLACE = ("application/pidf+xml", b"<presence/>")


def read(message: Message) -> bytes:
    """The SDP that came beside a place."""
    kind = message.one("Content-Type")
    assert kind.startswith("multipart/mixed;")
    assert parameter(kind, "boundary").strip('"') == "edge"
    place, (kind, sdp) = parts_of(message.body)
    assert (place, kind) == (PLACE, SDP)
    return sdp


async def test_an_sdp_beside_something_else_is_rewritten(lab: Laboratory) -> None:
    """In the INVITE, in the 200, and in a re-INVITE of either."""
    made = await placed(lab, lab.alice.sdp(), lab.bob.sdp())
    await made.join()
    await made.chat()
    for by in (0, 1):
        offerer, other = made.parties[by], made.parties[1 - by]
        offer = multipart(PLACE, (SDP, offerer.sdp()))
        sent = offerer.phone.start(made.dialogs[by].request("INVITE", offer, MULTIPART))
        came = await other.phone.next("INVITE")
        other.phone.respond(came, 200, "OK", other.sdp())
        assert (await sent.final()).status == 200
        made.dialogs[by].acknowledge()
        await other.phone.next("ACK")
        assert b"a=path:" in read(came)
        assert offerer.uri.encode() not in read(came)
    await made.chat()
    assert lab.asked() == ["offer", "answer"] * 3
    await made.end()
    await lab.all_ended()


@pytest.mark.parametrize(
    "parts", [(PLACE, (SDP, SESSION + AUDIO)), (PLACE,)], ids=["audio", "no-sdp"]
)
async def test_parts_without_messages_pass_as_they_are(
    lab: Laboratory, parts: tuple[tuple[str, bytes], ...]
) -> None:
    _, sent = begin(lab.alice, lab.proxy, multipart(*parts), MULTIPART)
    invite = await lab.bob.phone.next("INVITE")
    lab.bob.phone.respond(invite, 200, "OK", multipart(*parts), MULTIPART)
    for message in (invite, await sent.final()):
        assert message.body == multipart(*parts)
        assert message.one("Content-Type").startswith("multipart/mixed;")
    assert lab.asked() == []


async def placed(lab: Laboratory, offer: bytes, answer: bytes) -> Call:
    """A call whose INVITE and 200 say where the party is."""
    bob = lab.bob.phone
    body = multipart(PLACE, (SDP, offer))
    dialog, sent = begin(lab.alice, lab.proxy, body, MULTIPART)
    invite = await bob.next("INVITE")
    bob.respond(invite, 200, "OK", multipart(PLACE, (SDP, answer)), MULTIPART)
    final = await sent.final()
    assert final.status == 200, final.start
    dialog.established(final)
    dialog.acknowledge()
    await bob.next("ACK")
    return Call((lab.alice, lab.bob), (dialog, bob.dialog(invite)), (read(final), read(invite)))
