"""One INVITE with audio and messages: rtpengine takes the one, we the other."""

from __future__ import annotations

import contextlib

import pytest

from .audio import Microphone, audio_port, both_speak
from .call import Call, establish
from .document import tell
from .site import Relay, Site, conclude


@pytest.mark.parametrize(
    ("name", "defines"),
    [("audio-first", []), ("messages-first", ["MESSAGES_FIRST"])],
    ids=["audio-first", "messages-first"],
)
async def test_audio_and_messages_share_a_call(site: Site, name: str, defines: list[str]) -> None:
    relay = await site.relay()
    await site.shipped("chained.cfg", *defines)
    with contextlib.closing(Microphone("a")) as mine, contextlib.closing(Microphone("b")) as theirs:
        call = await establish(*await site.phones(), name, audio=(mine.port, theirs.port))
        assert_both_are_relayed(call, relay)
        async with call.conversation() as talk:
            await both_speak(mine, call.a.heard, theirs, call.b.heard)
            await talk.more(20)
            # The callee offers: the SDP goes the same way through both again.
            await call.renegotiate(call.b, call.a)
            assert_both_are_relayed(call, relay)
            await both_speak(mine, call.a.heard, theirs, call.b.heard)
            await call.refused(call.a, call.b)
            await both_speak(mine, call.a.heard, theirs, call.b.heard)
            await talk.more(20)
            seen = await conclude(site, call, talk)
    tell(name, seen._replace(octets=f"{seen.octets}; RTP equal both ways, before and after"))


def assert_both_are_relayed(call: Call, relay: Relay) -> None:
    """Neither end is told the other's own audio port or path."""
    for party, other in ((call.a, call.b), (call.b, call.a)):
        assert audio_port(party.heard) != other.media.audio
        assert party.told.path != (other.media.uri,)
        assert party.told.port != other.media.port
