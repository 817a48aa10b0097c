"""Captures that lack something: what is not in them is no fault of the call."""

from __future__ import annotations

import pytest

from msrprelay.doctor.tracker import UNCLEAR_BYTES

from .wire import (
    ACK,
    PSH,
    Call,
    Talk,
    Wire,
    errors,
    ok,
    send,
    track,
)


def chat(wire: Wire, talk: Talk, count: int = 3, refusal: str = "200 OK") -> None:
    """Requests, each with its answer."""
    for number in range(count):
        talk.send(0, send(f"t-{number}"))
        talk.send(1, ok(f"t-{number}", refusal))


def midway(wire: Wire, client: int = 5_000, server: int = 700) -> Talk:
    """A connection that was there before the capture began."""
    talk = Talk(wire)
    talk.next = [client, server]
    return talk


class TestBeginnings:
    def test_a_lost_first_packet_leaves_it_msrp(self) -> None:
        wire = Wire()
        call = Call(wire).up()
        talk = Talk(wire).open()
        chunk = send("t-9", b"x" * 4000)
        for at in range(0, len(chunk), 1460):
            talk.raw(0, ACK | PSH, chunk[at : at + 1460])
        wire.frames.pop(6)
        talk.raw(1)
        talk.send(1, ok("t-9"))
        chat(wire, talk)
        talk.close()
        call.bye()
        assert errors(wire) == set()

    @pytest.mark.parametrize("told", [True, False], ids=["named-in-sdp", "unknown"])
    def test_a_capture_begun_inside_a_chunk_hears_what_follows(self, told: bool) -> None:
        wire = Wire()
        if told:
            Call(wire).up()
        talk = midway(wire)
        for _ in range(3):
            talk.send(0, b"filecontents" * 100)
        talk.send(0, b"\r\n-------abcd1$\r\n")
        talk.send(1, ok("abcd1"))
        chat(wire, talk, refusal="481 no")
        assert errors(wire) == {"M02"}

    def test_what_never_becomes_msrp_is_given_up(self) -> None:
        wire = Wire()
        talk = midway(wire)
        for _ in range(UNCLEAR_BYTES // 1400 + 2):
            talk.raw(0, ACK, b"x" * 1400)
        (link,) = track(wire).links.values()
        assert link.stranger

    def test_m14_needs_the_first_bytes(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = midway(wire)
        for _ in range(UNCLEAR_BYTES // 1400 + 2):
            talk.send(0, b"x" * 1400)
        assert "M14" not in errors(wire)
