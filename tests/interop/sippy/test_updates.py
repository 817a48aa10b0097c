"""Re-INVITEs that cross, and refused ones of calls without messages."""

from __future__ import annotations

import pytest

from ..sip.middle import Faults
from .call import AUDIO, SESSION, call, establish
from .conftest import Laboratory


@pytest.mark.parametrize("first", [0, 1], ids=["caller", "callee"])
async def test_of_two_reinvites_that_cross_the_later_one_is_refused(
    lab: Laboratory, first: int
) -> None:
    """491 (RFC 3261 section 14.2), also while the relay is still being asked about the first."""
    async with call(lab.alice, lab.bob, lab.proxy) as made:
        early, late = made.parties[first], made.parties[1 - first]
        lab.middle.faults = Faults(delay=0.5)
        sent = early.phone.start(made.dialogs[first].request("INVITE", early.sdp()))
        await sent.provisional(100)
        crossing = late.phone.start(made.dialogs[1 - first].request("INVITE", late.sdp()))
        assert (await crossing.final()).status == 491
        late.phone.respond(await late.phone.next("INVITE"), 200, "OK", late.sdp())
        assert (await sent.final()).status == 200
        made.dialogs[first].acknowledge()
        await late.phone.next("ACK")
        lab.middle.faults = Faults()
        await made.accepted_update(1 - first, late.sdp(), early.sdp())
        await made.chat()
        assert lab.asked() == ["offer", "answer"] * 3
        await made.end(first)
        await lab.all_ended()


@pytest.mark.parametrize("by", [0, 1], ids=["caller", "callee"])
@pytest.mark.parametrize("messages", [True, False], ids=["messages", "audio"])
async def test_an_audio_call_outlives_a_refused_reinvite(
    lab: Laboratory, by: int, messages: bool
) -> None:
    """Whether it would have added messages or something that is not the relay's."""
    audio = SESSION + AUDIO
    made = await establish(lab.alice, lab.bob, lab.proxy, audio, audio)
    more = made.parties[by].sdp(audio=AUDIO) if messages else audio + AUDIO
    for _ in range(2):
        await made.rejected_update(by, more)
    expected = ["offer", "rollback"] * 2 if messages else []
    await lab.middle.asked(len(expected))
    assert lab.asked() == expected
    for each in (by, 1 - by):
        await made.accepted_update(each, audio + b"a=sendonly\r\n", audio + b"a=recvonly\r\n")
    await made.end(by)
