"""Captures that lack something: what is not in them is no fault of the call."""

from __future__ import annotations

import pytest

from msrprelay.doctor.tracker import UNCLEAR_BYTES

from .wire import (
    ACK,
    ANSWER,
    OFFER,
    PSH,
    SYN,
    Call,
    Talk,
    Wire,
    diagnoses,
    errors,
    mss,
    ok,
    only,
    send,
    stamps,
    track,
)

AUDIO = b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
AUDIO += b"m=audio 4000 RTP/AVP 0\r\n"


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

    def test_a_connection_closed_long_before_is_of_another_call(self) -> None:
        wire = Wire()
        talk = midway(wire)
        chat(wire, talk)
        talk.close()
        wire.frames += refreshed(chatting=False).frames
        cases = [diagnosis.case for diagnosis in diagnoses(wire)]
        assert not any(case.dialogs and case.links for case in cases)

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


def clocked(lost: int = 0, waits: tuple[float, ...] = (1.0, 20.0, 60.0, 90.0)) -> Wire:
    """A chat in which each side stamps milliseconds; packet number ``lost`` was not captured."""
    wire = Wire()
    talk = Talk(wire)
    latest = [0, 0]

    def put(side: int, flags: int, payload: bytes = b"", at: float | None = None) -> None:
        wire.now = wire.now + 0.02 if at is None else at
        value = (6000, 10_000)[side] + int(wire.now * 1000)
        options = (mss(1460) if flags & SYN else b"") + stamps(value, latest[1 - side])
        talk.raw(side, flags, payload, options=options, at=wire.now)
        latest[side] = value

    for side, flags in ((0, SYN), (1, SYN | ACK), (0, ACK)):
        put(side, flags)
    for number, at in enumerate(waits):
        put(0, ACK | PSH, send(f"t-{number}"), at)
        put(1, ACK | PSH, ok(f"t-{number}"))
        put(0, ACK)
    if lost:
        del wire.frames[lost - 1]
    return wire


class TestClocks:
    @pytest.mark.parametrize("lost", range(13))
    def test_a_lost_packet_is_no_strange_echo(self, lost: int) -> None:
        assert errors(clocked(lost)) == set()

    def test_the_answer_to_a_syn_before_the_first_captured_is_right(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN, options=mss(1460) + stamps(2100), at=1.0)
        talk.raw(1, SYN | ACK, options=mss(1460) + stamps(9000, 1100))
        talk.raw(0, options=stamps(2102, 9000))
        talk.raw(0, ACK | PSH, send("t-1"), options=stamps(2103, 9000))
        talk.raw(1, ACK | PSH, ok("t-1"), options=stamps(9003, 2103))
        talk.raw(0, options=stamps(2105, 9003))
        assert errors(wire) == set()


@pytest.mark.parametrize("heard", [True, False], ids=["acknowledged", "never-sent"])
def test_m01_not_if_an_ack_proves_the_answer(heard: bool) -> None:
    wire = Wire()
    call = Call(wire).up()
    talk = Talk(wire).open()
    chat(wire, talk, 1)
    talk.send(0, send("t-9"))
    if heard:
        talk.next[1] += len(ok("t-9"))
    talk.raw(0)
    call.bye(at=40.0)
    assert errors(wire) == (set() if heard else {"M01"})


def doubled(wire: Wire) -> Wire:
    """Every packet as two interfaces of one host show it."""
    wire.frames = [(at + step, frame) for at, frame in wire.frames for step in (0.0, 0.0001)]
    return wire


class TestCopies:
    def test_a_datagram_captured_twice_was_sent_once(self) -> None:
        wire = Wire()
        call = Call(wire).up(AUDIO, AUDIO)
        call.invite(AUDIO, 2, 32.0, again=True)
        call.reply("488 Not Acceptable Here", 2)
        call.bye(at=60.0)
        assert errors(doubled(wire)) == {"S03"}

    def test_an_ipv6_segment_captured_twice_was_sent_once(self) -> None:
        wire = Wire()
        talk = Talk(wire, client=("2001:db8::1", 4000), server=("2001:db8::2", 2855)).open()
        chat(wire, talk)
        (link,) = track(doubled(wire)).links.values()
        assert [direction.repeat_count for direction in link.tcp.directions] == [0, 0]
        assert [direction.dup_ack_count for direction in link.tcp.directions] == [0, 0]
