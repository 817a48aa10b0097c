"""Captures that lack something: what is not in them is no fault of the call."""

from __future__ import annotations

import pytest

from msrprelay.doctor.tracker import UNCLEAR_BYTES

from .wire import (
    ACK,
    ANSWER,
    OFFER,
    PSH,
    Call,
    Talk,
    Wire,
    diagnoses,
    errors,
    ok,
    only,
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


def refreshed(chatting: bool) -> Wire:
    """A call and a chat older than the capture, and a session refresh after 30 s."""
    wire = Wire()
    if chatting:
        chat(wire, midway(wire))
    call = Call(wire)
    call.invite(OFFER, 2, at=30.0, again=True)
    call.reply("200 OK", 2, ANSWER)
    call.ack(2)
    Call(wire, call_id="later").message("OPTIONS sip:b@x SIP/2.0", 1, "OPTIONS", at=60.0)
    return wire


class TestCallsJoinedLate:
    @pytest.mark.parametrize("chatting", [True, False], ids=["chat-seen", "idle-chat"])
    def test_m04_needs_the_invite_that_made_the_call(self, chatting: bool) -> None:
        assert errors(refreshed(chatting)) == set()

    def test_a_connection_older_than_the_capture_joins_its_call(self) -> None:
        diagnosis = diagnoses(refreshed(chatting=True))[0]
        assert [len(diagnosis.case.dialogs), len(diagnosis.case.links)] == [1, 1]

    def test_s03_needs_the_requests(self) -> None:
        wire = Wire()
        call = Call(wire)
        call.reply("100 Trying", 2)
        call.reply("488 Not Acceptable Here", 2)
        for at in (20.0, 20.5):
            call.reply("486 Busy Here", 3, at=at)
        Call(wire, call_id="later").message("OPTIONS sip:b@x SIP/2.0", 1, "OPTIONS", at=60.0)
        assert errors(wire) == set()

    @pytest.mark.parametrize("lost", [0, 1], ids=["offer", "answer"])
    def test_m02b_needs_every_description(self, lost: int) -> None:
        wire = Wire()
        Call(wire).up()
        chat(wire, Talk(wire).open(), 1)
        del wire.frames[lost]
        assert "M02b" not in errors(wire)

    def test_m02b_although_a_later_offer_was_refused(self) -> None:
        wire = Wire()
        call = Call(wire).up()
        talk = Talk(wire).open()
        talk.send(0, send("t-1", to="msrp://192.0.2.20:7654/cccc3333;tcp"))
        talk.send(1, ok("t-1"))
        call.invite(OFFER, 2, again=True)
        call.reply("488 Not Acceptable Here", 2)
        call.ack(2)
        assert "cccc3333" in only(wire, "M02b").verdict
