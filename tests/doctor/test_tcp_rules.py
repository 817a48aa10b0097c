"""Rules about one TCP connection. Each fires on its own fault and not on its neighbour."""

from __future__ import annotations

import pytest

from .wire import (
    ACK,
    ANSWER,
    FIN,
    PSH,
    RST,
    SACK_PERMITTED,
    SYN,
    Call,
    Talk,
    Wire,
    errors,
    mss,
    notes,
    ok,
    only,
    sack,
    send,
    stamps,
)

DATA = send("tid-1")


def bound(wire: Wire, talk: Talk) -> None:
    """The bind SEND and its answer."""
    talk.send(0, DATA)
    talk.send(1, ok("tid-1"))


def clocks(ours: int, theirs: int, announced: int, echo: int | None = None) -> Wire:
    """The client's clock, the server's later clock, and the one in its SYN-ACK."""
    wire = Wire()
    talk = Talk(wire)
    talk.raw(0, SYN, options=mss(1460) + stamps(ours))
    reply = stamps(announced, ours if echo is None else echo)
    talk.raw(1, SYN | ACK, options=mss(1460) + reply)
    talk.raw(0, options=stamps(ours, announced))
    talk.raw(0, ACK | PSH, DATA, options=stamps(ours, announced))
    talk.raw(1, options=stamps(theirs, ours))
    answer = ok("tid-1")
    for wait in (1, 2, 4):
        talk.raw(1, ACK | PSH, answer, seq=0, options=stamps(theirs + wait, ours), at=float(wait))
        talk.raw(0, ack=0, options=stamps(ours + wait, announced))
    return wire


class TestTimestamps:
    def test_t01_older_clock_than_announced(self) -> None:
        found = only(clocks(5000, 1000, announced=5000), "T01")
        assert "4 of 4 segments, 3 with data" in found.verdict
        assert "4,000 ticks older" in found.verdict

    def test_t01_compares_modulo_2_32(self) -> None:
        assert "T01" in errors(clocks(50, 2**32 - 1000, announced=50))
        assert "T01" not in errors(clocks(50, 1000, announced=2**32 - 50))

    def test_t01_not_for_one_reordered_segment(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN, options=stamps(100))
        talk.raw(1, SYN | ACK, options=stamps(500, 100))
        talk.raw(0, options=stamps(101, 500))
        talk.raw(0, ACK | PSH, DATA, options=stamps(102, 500))
        talk.raw(1, ACK, options=stamps(501, 102))
        talk.raw(1, ACK, options=stamps(499, 102))
        talk.raw(1, ACK | PSH, ok("tid-1"), options=stamps(502, 102))
        talk.raw(0, options=stamps(103, 502))
        assert errors(wire) == set()

    def test_t02_wrong_echo_is_an_error(self) -> None:
        found = only(clocks(5000, 9000, announced=5000, echo=0), "T02")
        assert found.severity == "error"
        assert "TSecr is 0 instead of 5000" in found.verdict

    def test_t02_mirrored_clock_with_right_echo_is_a_note(self) -> None:
        assert only(clocks(5000, 9000, announced=5000), "T02").severity == "note"
        assert "T02" not in notes(clocks(5000, 9000, announced=8000))

    def test_t04_echo_nobody_sent(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN, options=stamps(100))
        talk.raw(1, SYN | ACK, options=stamps(500, 100))
        talk.raw(0, options=stamps(101, 500))
        talk.raw(0, ACK | PSH, DATA, options=stamps(102, 500))
        talk.raw(1, ACK | PSH, ok("tid-1"), options=stamps(501, 77_777))
        talk.raw(0, options=stamps(103, 501))
        assert "echoes 77777" in only(wire, "T04").verdict
        assert errors(wire) == {"T04"}

    def test_t04_not_for_what_the_capture_may_lack(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN, options=stamps(100))
        talk.raw(1, SYN | ACK, options=stamps(500, 100))
        talk.raw(0, options=stamps(101, 500))
        talk.raw(0, ACK | PSH, DATA, options=stamps(102, 500))
        talk.raw(1, ACK | PSH, ok("tid-1"), options=stamps(501, 150))
        assert errors(wire) == set()

    def test_nothing_is_said_of_clocks_before_the_capture(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, ACK | PSH, DATA, options=stamps(5000, 900))
        talk.raw(1, ACK | PSH, ok("tid-1"), options=stamps(901, 4000))
        talk.raw(0, options=stamps(5001, 901))
        assert errors(wire) == set()


class TestSequences:
    def test_t05_first_segment_off_by_one(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        for at in (1.0, 2.0, 3.0):
            talk.raw(1, ACK | PSH, DATA, seq=1, at=at)
            talk.raw(0, ack=0)
        assert "shifted by +1" in only(wire, "T05").verdict

    def test_t05_not_when_the_first_segment_was_not_captured(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        talk.raw(1, ACK | PSH, DATA, seq=40)
        talk.raw(0)
        assert "T05" not in errors(wire)

    def test_t06_both_directions_dead(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        for _ in range(6):
            for side in (0, 1):
                talk.raw(side, ACK | PSH, send(f"tid-{side}"), seq=5, ack=0)
                talk.raw(1 - side, ack=0, seq=5 + len(DATA))
        assert "no byte ever acknowledged" in only(wire, "T06").verdict

    def test_t06_storm_of_acks(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        talk.send(0, DATA)
        for count in range(230):
            talk.raw(count % 2, at=1 + count / 1000)
        assert "ACK storm" in only(wire, "T06").verdict

    def test_t06_not_for_the_acks_of_a_transfer_captured_on_one_side(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for count in range(300):
            talk.next[0] += 2920
            talk.raw(1, at=1 + count / 1000)
        assert "T06" not in errors(wire)

    def test_t06_not_for_slow_acks(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for count in range(230):
            talk.raw(count % 2, at=1 + count / 100)
        assert "T06" not in errors(wire)

    def test_t09_sack_beyond_what_was_sent(self) -> None:
        wire = Wire()
        talk = Talk(wire).open(options=mss(1460) + SACK_PERMITTED)
        talk.raw(0, ACK | PSH, DATA)
        edge = talk.isn[0] + 1 + len(DATA)
        talk.raw(1, ack=0, options=sack((edge + 10, edge + 50)))
        assert f"when it had sent {len(DATA)}" in only(wire, "T09").verdict

    def test_t09_not_for_a_block_that_was_sent(self) -> None:
        wire = Wire()
        talk = Talk(wire).open(options=mss(1460) + SACK_PERMITTED)
        talk.raw(0, ACK | PSH, DATA, seq=100)
        first = talk.isn[0] + 1 + 100
        talk.raw(1, ack=0, options=sack((first, first + len(DATA))))
        assert "T09" not in errors(wire)


class TestFlow:
    @pytest.mark.parametrize(("own", "peer"), [(1000, 1460), (1460, 1000)], ids=["own", "peer"])
    def test_t08b_full_segments_vanish(self, own: int, peer: int) -> None:
        wire = Wire()
        talk = Talk(wire).open(options=mss(own), reply=mss(peer))
        talk.send(0, DATA)
        big = send("tid-2", b"x" * 5000)[:1000]
        start = talk.next[0]
        for at in (1.0, 2.0, 4.0, 8.0):
            talk.raw(0, ACK | PSH, big, seq=start, at=at)
        found = only(wire, "T08b")
        assert "4 times in full-size segments" in found.verdict

    def test_t08b_not_when_small_segments_vanish_too(self) -> None:
        wire = Wire()
        talk = Talk(wire).open(options=mss(1000))
        for at in (1.0, 2.0, 4.0, 8.0):
            talk.raw(0, ACK | PSH, b"MSRP " + b"x" * 995, seq=0, at=at)
        assert "T08b" not in errors(wire)

    def test_t13_repeats_without_ack(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        talk.send(1, send("tid-9"))
        for at in (1.0, 2.0, 4.0, 8.0):
            talk.raw(0, ACK | PSH, DATA, seq=0, at=at)
        found = only(wire, "T13")
        assert "repeated data 3 times" in found.verdict
        assert found.remedy.startswith("Capture at the receiver")

    def test_t13_not_when_the_repeat_was_acknowledged(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        for at in (1.0, 2.0, 4.0, 8.0):
            talk.raw(0, ACK | PSH, DATA, seq=0, at=at)
        talk.send(1, ok("tid-1"))
        assert "T13" not in errors(wire)

    def test_t13_not_for_old_repeats_and_data_in_flight(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for number in range(4):
            chunk = send(f"tid-x{number}")
            start = talk.next[0]
            talk.raw(0, ACK | PSH, chunk, seq=start)
            talk.raw(0, ACK | PSH, chunk, seq=start)
            talk.raw(1)
            talk.send(1, ok(f"tid-x{number}"))
        talk.raw(0, ACK | PSH, send("tid-y"))
        assert errors(wire) == set()

    def test_t16_nobody_answers_after_a_silence(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for at in (400.0, 401.0, 403.0):
            talk.raw(0, ACK | PSH, send("tid-2"), seq=len(DATA), at=at)
        assert "400 s of silence" in only(wire, "T16").verdict

    def test_t16_although_it_is_given_up_after_another_silence(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for at in (400.0, 401.0, 403.0):
            talk.raw(0, ACK | PSH, send("tid-2"), seq=len(DATA), at=at)
        talk.raw(0, FIN | ACK, at=1400.0)
        assert "400 s of silence" in only(wire, "T16").verdict

    def test_t16_not_when_the_peer_answers_after_another_silence(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        for at in (400.0, 401.0, 1403.0):
            talk.raw(0, ACK | PSH, send("tid-2"), seq=len(DATA), at=at)
        talk.raw(1)
        talk.send(1, ok("tid-2"))
        assert "T16" not in errors(wire)

    def test_t16_reset_by_a_stranger(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        talk.raw(0, ACK | PSH, send("tid-2"), at=400.0)
        talk.raw(1, RST, ttl=250)
        assert "TTL that neither end uses" in only(wire, "T16").verdict

    def test_t16_not_when_the_peer_answers(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        talk.send(0, send("tid-2"), at=400.0)
        talk.send(1, ok("tid-2"))
        assert errors(wire) == set()

    def test_t17_wrong_checksum_unheard(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        for at in (1.0, 2.0):
            talk.raw(0, ACK | PSH, DATA, seq=0, at=at, broken=True)
        assert "wrong TCP checksum" in only(wire, "T17").verdict

    def test_t17_not_when_the_receiver_takes_it(self) -> None:
        # Offload: the checksum is filled in by the card, after the capture.
        wire = Wire()
        talk = Talk(wire).open()
        talk.raw(0, ACK | PSH, DATA, broken=True)
        talk.send(1, ok("tid-1"))
        assert errors(wire) == set()


class TestOpening:
    def test_t10_syn_answered_by_rst(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = Talk(wire)
        talk.raw(0, SYN, at=1.0)
        talk.raw(1, RST | ACK, ack=0, at=1.01)
        assert "T10" in errors(wire)

    def test_t10_not_for_a_reset_after_data(self) -> None:
        wire = Wire()
        talk = Talk(wire).open()
        bound(wire, talk)
        talk.raw(1, RST)
        assert "T10" not in errors(wire)

    def test_s11_explains_t10_before_the_answer(self) -> None:
        wire = Wire()
        call = Call(wire)
        call.invite()
        call.reply("183 Session Progress", body=ANSWER)
        talk = Talk(wire)
        talk.raw(0, SYN)
        talk.raw(1, RST | ACK, ack=0)
        call.reply("200 OK", body=ANSWER, at=1.0)
        call.ack()
        assert only(wire, "T10").follows == "S11"

    def test_t12_syn_held(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = Talk(wire)
        for at in (1.0, 2.0, 4.0):
            talk.raw(0, SYN, at=at)
        assert "3 SYNs (+1.0, +3.0 s)" in only(wire, "T12").verdict

    def test_t12_not_when_it_is_accepted_at_last(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = Talk(wire)
        talk.raw(0, SYN, at=1.0)
        talk.open(at=2.0)
        bound(wire, talk)
        assert errors(wire) == set()

    def test_t12_not_for_a_syn_captured_twice(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = Talk(wire)
        for at in (1.0, 1.01):
            talk.raw(0, SYN, at=at)
        Talk(wire, client=("192.0.2.66", 5)).raw(0, at=30.0)
        assert "T12" not in errors(wire)

    def test_t14_both_send_syn(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN)
        talk.raw(1, SYN)
        talk.raw(0, SYN | ACK)
        talk.raw(1, SYN | ACK)
        bound(wire, talk)
        assert "T14" in notes(wire)
        assert errors(wire) == set()


def test_a_healthy_connection_has_no_error() -> None:
    wire = Wire()
    talk = Talk(wire).open(options=mss(1460) + stamps(100), reply=mss(1460) + stamps(7000, 100))
    bound(wire, talk)
    talk.close()
    assert errors(wire) == set()


def test_a_copy_of_the_packet_is_no_repeat() -> None:
    wire = Wire()
    talk = Talk(wire).open()
    bound(wire, talk)
    wire.frames = [
        (time + step, packet[:18] + b"\x12\x34" + packet[20:])
        for time, packet in wire.frames
        for step in (0.0, 0.0001)
    ]
    assert errors(wire) == set()


@pytest.mark.parametrize("flags", [FIN | SYN, RST | SYN | FIN, 0, 255])
def test_nonsense_flags_are_survived(flags: int) -> None:
    wire = Wire()
    talk = Talk(wire)
    for side in (0, 1, 0):
        talk.raw(side, flags, DATA)
    errors(wire)
