"""Calls through Sippy's stock B2BUA: what it asks of the relay, and that no message is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..sip.middle import Faults
from .call import AUDIO, SESSION, Call, begin, call
from .conftest import Laboratory, laboratory

# More sections than the relay reads (limits.sdp-sections).
TOO_MUCH = SESSION + b"m=message 0 TCP/MSRP *\r\n" * 65
REASON = 'SIP; cause=502; text="Failed to parse SDP"'


@pytest.mark.parametrize("way", ["udp", "unix"])
async def test_an_msrp_only_call(tmp_path: Path, way: str) -> None:
    """The stock proxy session would leave this INVITE without an answer for ever."""
    async with laboratory(tmp_path, way) as lab:
        async with call(lab.alice, lab.bob, lab.proxy) as made:
            await made.chat()
            assert len(await lab.relay.list()) == 1
            await made.end()
        await lab.all_ended()
        if way == "udp":
            assert lab.asked() == ["offer", "answer", "delete"]


@pytest.mark.parametrize("by", [0, 1], ids=["caller", "callee"])
async def test_the_bye_of_either_ends_the_relays_call(lab: Laboratory, by: int) -> None:
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        await made.end(by)
        await lab.all_ended()


@pytest.mark.parametrize("by", [0, 1], ids=["caller", "callee"])
async def test_a_rejected_reinvite_is_rolled_back(lab: Laboratory, by: int) -> None:
    """The second seed: a chat must not notice a re-INVITE that comes to nothing."""
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        for _ in range(2):
            await made.rejected_update(by, made.parties[by].sdp())
            await made.chat()
        # The 488 waits neither for the last rollback nor for the reply to it.
        await lab.middle.asked(6)
        assert lab.asked() == ["offer", "answer", *["offer", "rollback"] * 2]
        await lab.middle.settled(lab.middle.exchanges[0].call_id)
        assert [exchange.result for exchange in lab.middle.exchanges] == ["ok"] * 6
        await made.end(by)
        await lab.all_ended()


@pytest.mark.parametrize("by", [0, 1], ids=["caller", "callee"])
async def test_an_accepted_reinvite_keeps_the_connections(lab: Laboratory, by: int) -> None:
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        offer, answer = made.parties[by].sdp(), made.parties[1 - by].sdp()
        to_answerer, to_offerer = await made.accepted_update(by, offer, answer)
        # Ports are fixed for the call.
        before = [media_lines(sdp) for sdp in made.told]
        after = [media_lines(to_offerer), media_lines(to_answerer)]
        assert after == (before if by == 0 else before[::-1])
        await made.chat()
        assert lab.asked() == ["offer", "answer", "offer", "answer"]


async def test_a_reinvite_after_a_rejected_one_of_the_other_party(lab: Laboratory) -> None:
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        await made.rejected_update(0, lab.alice.sdp())
        await made.accepted_update(1, lab.bob.sdp(), lab.alice.sdp())
        await made.rejected_update(1, lab.bob.sdp())
        await made.accepted_update(0, lab.alice.sdp(), lab.bob.sdp())
        await made.chat()
        await made.end()
        await lab.all_ended()


async def test_a_session_refresh_leaves_nothing_pending(lab: Laboratory) -> None:
    """Sippy answers an INVITE that changes nothing by itself."""
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        same = lab.alice.sdp()
        await made.accepted_update(0, same, lab.bob.sdp())
        refresh = lab.alice.phone.start(made.dialogs[0].request("INVITE", same))
        assert (await refresh.final()).status == 200
        made.dialogs[0].acknowledge()
        await made.accepted_update(1, lab.bob.sdp(), lab.alice.sdp())
        await made.chat()
        await made.end()
        await lab.all_ended()


@pytest.mark.parametrize("by", [0, 1], ids=["caller", "callee"])
async def test_a_reinvite_that_the_relay_refuses_fails_alone(lab: Laboratory, by: int) -> None:
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        sent = made.parties[by].phone.start(made.dialogs[by].request("INVITE", TOO_MUCH))
        final = await sent.final()
        assert (final.status, final.one("Reason")) == (502, REASON)
        await made.chat()
        await made.accepted_update(0, lab.alice.sdp(), lab.bob.sdp())
        await made.end(by)
        await lab.all_ended()


async def test_a_call_that_the_relay_refuses_gets_an_answer(lab: Laboratory) -> None:
    _, sent = begin(lab.alice, lab.proxy, TOO_MUCH)
    assert (await sent.final()).status == 502


async def test_lost_replies_are_asked_for_again(lab: Laboratory) -> None:
    lab.middle.faults = Faults(requests=1, replies=1)
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        await made.chat()
        await made.end()
        await lab.all_ended()
    assert [exchange.transmissions for exchange in lab.middle.exchanges[:2]] == [3, 3]


async def test_audio_beside_the_messages_stays_untouched(lab: Laboratory) -> None:
    async with call(lab.alice, lab.bob, lab.proxy, audio=AUDIO) as made:
        assert [sdp[sdp.index(b"m=audio") :] for sdp in made.told] == [AUDIO, AUDIO]
        await made.chat()


async def test_a_call_without_messages_does_not_ask_the_relay(lab: Laboratory) -> None:
    _, sent = begin(lab.alice, lab.proxy, SESSION + AUDIO)
    invite = await lab.bob.phone.next("INVITE")
    lab.bob.phone.respond(invite, 200, "OK", SESSION + AUDIO)
    assert invite.body == SESSION + AUDIO
    assert (await sent.final()).body == SESSION + AUDIO
    assert lab.asked() == []


async def test_a_cancelled_call_ends_at_the_relay(lab: Laboratory) -> None:
    _, sent = begin(lab.alice, lab.proxy, lab.alice.sdp())
    invite = await lab.bob.phone.next("INVITE")
    lab.bob.phone.respond(invite, 180, "Ringing")
    assert (await sent.response()).status in (100, 180)
    cancel = sent.cancel()
    lab.bob.phone.respond(await lab.bob.phone.next("CANCEL"), 200, "OK")
    lab.bob.phone.respond(invite, 487, "Request Terminated")
    assert (await cancel.final()).status == 200
    assert (await sent.final()).status == 487
    await lab.all_ended()


async def test_a_rejected_call_ends_at_the_relay(lab: Laboratory) -> None:
    _, sent = begin(lab.alice, lab.proxy, lab.alice.sdp())
    lab.bob.phone.respond(await lab.bob.phone.next("INVITE"), 486, "Busy Here")
    assert (await sent.final()).status == 486
    await lab.all_ended()


async def test_an_offer_in_the_200(lab: Laboratory) -> None:
    """An INVITE without SDP: the callee offers, the ACK answers."""
    dialog, sent = begin(lab.alice, lab.proxy, b"")
    invite = await lab.bob.phone.next("INVITE")
    lab.bob.phone.respond(invite, 200, "OK", lab.bob.sdp())
    final = await sent.final()
    dialog.established(final)
    dialog.acknowledge(lab.alice.sdp())
    ack = await lab.bob.phone.next("ACK")
    dialogs = dialog, lab.bob.phone.dialog(invite)
    made = Call((lab.alice, lab.bob), dialogs, (final.body, ack.body))
    await made.join()
    await made.chat()
    assert lab.asked() == ["offer", "answer"]


def media_lines(sdp: bytes) -> list[bytes]:
    """What an endpoint dials by."""
    lines = sdp.split(b"\r\n")
    return [line for line in lines if line.startswith((b"m=", b"c=", b"a=path:"))]
