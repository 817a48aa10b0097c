"""Rules that compare both legs of a middlebox."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from .wire import (
    ACK,
    FIN,
    OFFER,
    PATH_B,
    PSH,
    RST,
    SACK_PERMITTED,
    SYN,
    Call,
    Talk,
    Wire,
    diagnoses,
    errors,
    mss,
    notes,
    ok,
    only,
    scale,
    sdp,
    send,
    stamps,
)

LEFT, RIGHT, BOX = "10.0.0.1", "10.0.0.2", "10.9.9.9"


@dataclass
class Legs:
    """Two parties that dialled the same box."""

    wire: Wire = field(default_factory=Wire)
    a: Talk = field(init=False)
    b: Talk = field(init=False)

    def __post_init__(self) -> None:
        self.a = Talk(self.wire, (LEFT, 50001), (BOX, 15002))
        self.b = Talk(self.wire, (RIGHT, 50002), (BOX, 15000))

    def open(
        self, a: bytes = b"", b: bytes = b"", to_a: bytes | None = None, to_b: bytes | None = None
    ) -> Legs:
        """Crossed handshakes: each SYN-ACK has the other's options unless given."""
        self.a.raw(0, SYN, options=a)
        self.b.raw(0, SYN, options=b)
        self.a.raw(1, SYN | ACK, options=b if to_a is None else to_a)
        self.b.raw(1, SYN | ACK, options=a if to_b is None else to_b)
        return self

    def pass_on(self, side: int, payload: bytes = b"", resized: bytes | None = None) -> None:
        """A packet of a party (0 = a, 1 = b), relayed as it is, and acknowledged likewise."""
        source, sink = (self.a, self.b) if side == 0 else (self.b, self.a)
        flags = ACK | PSH if payload else ACK
        source.raw(0, flags, payload)
        sink.raw(1, flags, payload if resized is None else resized)

    def chat(self) -> Legs:
        for side, tid in ((0, "tid-a"), (1, "tid-b")):
            self.pass_on(side)
            self.pass_on(side, send(tid))
            self.pass_on(1 - side)
            self.pass_on(1 - side, ok(tid))
            self.pass_on(side)
        return self


def test_a_correct_splice_has_only_notes() -> None:
    legs = Legs().open(mss(1460) + scale(3), mss(1460) + scale(3)).chat()
    assert errors(legs.wire) == set()
    assert "T03" in notes(legs.wire)


def test_t02b_timestamps_on_one_leg() -> None:
    legs = Legs().open(stamps(5), b"", to_a=stamps(9, 5), to_b=b"").chat()
    assert f"{LEFT} expects timestamps" in only(legs.wire, "T02b").verdict


def test_t07_window_scale_differs() -> None:
    legs = Legs().open(scale(3), scale(7), to_a=scale(3), to_b=scale(3)).chat()
    found = only(legs.wire, "T07")
    assert "told window scale 3" in found.verdict
    assert "uses 7" in found.verdict
    assert "2^4" in found.verdict


def test_t07_counts_an_absent_option() -> None:
    legs = Legs().open(scale(3), b"", to_a=scale(3), to_b=b"").chat()
    assert "T07" in errors(legs.wire)


def test_t08_promises_too_big_segments() -> None:
    legs = Legs().open(mss(1460), mss(1200), to_a=mss(1460), to_b=mss(1200)).chat()
    assert "told MSS 1460" in only(legs.wire, "T08").verdict


def test_t09b_promises_sack() -> None:
    legs = Legs().open(SACK_PERMITTED, b"", to_a=SACK_PERMITTED, to_b=b"").chat()
    assert "T09b" in errors(legs.wire)


def test_options_may_differ_where_tcp_ends_on_both_legs() -> None:
    legs = Legs()
    legs.a.open(options=mss(1460) + scale(3) + SACK_PERMITTED)
    legs.b.open(options=mss(1200))
    for source, sink, tid in ((legs.a, legs.b, "tid-a"), (legs.b, legs.a, "tid-b")):
        source.send(0, send(tid))
        sink.send(1, send(tid))
        sink.send(0, ok(tid))
        source.send(1, ok(tid))
    assert errors(legs.wire) == set()


def test_t05b_delta_changes_with_a_resized_payload() -> None:
    legs = Legs().open()
    legs.pass_on(0)
    legs.pass_on(1)
    legs.pass_on(0, send("tid-a"))
    legs.pass_on(1)
    short = send("tid-c", to="msrp://x:1/y;tcp")
    legs.pass_on(0, send("tid-c"), resized=short)
    legs.pass_on(0, send("tid-d"))
    assert "changed from +0" in only(legs.wire, "T05b").verdict


def two_sockets(lost: bool) -> Legs:
    """A relay that writes its own paths; of the first request the first copy may be lost."""
    legs = Legs()
    legs.a.open()
    legs.b.open()
    tids = ("tid-1", "tid-2", "tid-3")
    for tid in tids[:2]:
        legs.a.raw(0, ACK | PSH, send(tid))
        if lost and tid == "tid-1":
            legs.wire.frames.pop()
    if lost:
        legs.a.raw(1, ack=0)
        legs.a.raw(0, ACK | PSH, send("tid-1"), seq=0)
    legs.a.raw(1)
    for tid in tids[:2]:
        legs.b.send(1, send(tid, to=PATH_B + ";here"))
        legs.b.send(0, ok(tid))
        legs.a.send(1, ok(tid))
    legs.a.send(0, send("tid-3"))
    legs.b.raw(1, ACK | PSH, send("tid-3", to=PATH_B + ";here"))
    return legs


@pytest.mark.parametrize("lost", [False, True], ids=["in-order", "first-segment-lost"])
def test_two_sockets_are_no_packet_splice(lost: bool) -> None:
    wire = two_sockets(lost).wire
    assert errors(wire) == set()
    assert "T03" not in notes(wire)


def test_legs_are_paired_while_the_first_message_is_under_way() -> None:
    legs = Legs()
    legs.a.open()
    legs.b.open()
    chunk = send("tid-a", b"x" * 3000)
    legs.a.send(0, chunk)
    legs.b.send(1, chunk[:1400])
    (diagnosis,) = diagnoses(legs.wire)
    assert len(diagnosis.case.pairs) == 1


def test_t03_not_for_the_answer_to_a_repeated_syn() -> None:
    legs = Legs()
    legs.a.raw(0, SYN)
    legs.a.raw(1, SYN | ACK)
    legs.a.raw(0, SYN)
    legs.a.raw(0)
    legs.a.raw(1)
    legs.a.send(0, send("tid-1"))
    legs.a.send(1, ok("tid-1"))
    assert "T03" not in notes(legs.wire)


class TestClosing:
    def socket_relay(self) -> Legs:
        legs = Legs()
        legs.a.open()
        legs.b.open()
        legs.a.send(0, send("tid-a"))
        legs.b.send(1, send("tid-a"))
        legs.b.send(0, ok("tid-a"))
        legs.a.send(1, ok("tid-a"))
        return legs

    def test_t11_fin_swallowed(self) -> None:
        legs = self.socket_relay()
        legs.a.raw(0, FIN | ACK, at=1.0)
        legs.b.send(0, send("tid-b"), at=3.0)
        found = only(legs.wire, "T11")
        assert f"{LEFT} sent FIN" in found.verdict

    def test_t11_not_when_it_is_passed_on(self) -> None:
        legs = self.socket_relay()
        legs.a.raw(0, FIN | ACK, at=1.0)
        legs.b.raw(1, FIN | ACK)
        legs.b.raw(0, at=3.0)
        assert "T11" not in errors(legs.wire)

    @pytest.mark.parametrize("window", [5000, 0], ids=["reads", "does-not-read"])
    def test_t11_not_while_the_relay_still_delivers(self, window: int) -> None:
        legs = self.socket_relay()
        chunk = send("tid-b", b"x" * 3000)
        legs.a.send(0, chunk)
        legs.a.raw(0, FIN | ACK, at=1.0)
        for start in (0, 1000, 2000):
            legs.b.raw(1, ACK | PSH, chunk[start : start + 1000], at=2.0 + start / 1000)
            legs.b.raw(0, window=window)
        legs.b.raw(0, at=5.0 if window else 30.0, window=window)
        assert "T11" not in errors(legs.wire)

    def test_t11b_half_close_bounced(self) -> None:
        legs = self.socket_relay()
        legs.b.raw(0, ACK | PSH, send("tid-b"), at=1.0)
        legs.a.raw(0, FIN | ACK)
        legs.a.raw(1, FIN | ACK)
        assert "answers in flight are lost" in only(legs.wire, "T11b").verdict

    def test_t11b_not_when_nothing_is_under_way(self) -> None:
        legs = self.socket_relay()
        legs.a.raw(0, FIN | ACK, at=1.0)
        legs.a.raw(1, FIN | ACK)
        legs.b.raw(1, FIN | ACK)
        assert errors(legs.wire) == set()


class TestStuckRelay:
    def closed_window(self, other: int) -> Legs:
        legs = TestClosing().socket_relay()
        legs.a.raw(1, window=0, at=1.0)
        legs.b.raw(0, window=other, at=1.1)
        legs.a.raw(1, window=5000, at=9.0)
        legs.b.raw(0, window=5000, at=9.1)
        return legs

    def test_t15_window_closed_while_the_other_reads(self) -> None:
        found = only(self.closed_window(5000).wire, "T15")
        assert "closed for 8.0 s" in found.verdict

    @pytest.mark.parametrize("leg", ["a", "b"])
    def test_t15_not_after_the_connection_was_reset(self, leg: str) -> None:
        legs = TestClosing().socket_relay()
        legs.a.raw(1, window=0, at=1.0)
        (legs.a if leg == "a" else legs.b).raw(1, RST | ACK, at=2.0)
        Talk(legs.wire, client=("192.0.2.66", 5)).raw(0, at=90.0)
        assert "T15" not in errors(legs.wire)

    def test_t15_not_when_the_other_does_not_read(self) -> None:
        assert "T15" not in errors(self.closed_window(0).wire)


def test_silent_legs_of_one_call_are_paired_before_any_data() -> None:
    legs = Legs()
    to_a = sdp(BOX, 15002, f"msrp://{BOX}:15002/box00001;tcp", "passive")
    to_b = sdp(BOX, 15000, f"msrp://{BOX}:15000/aaaa1111;tcp", "passive")
    Call(legs.wire, LEFT, BOX, "left").up(OFFER, to_a)
    Call(legs.wire, BOX, RIGHT, "right").up(to_b, sdp(RIGHT, 9, PATH_B, "active"))
    legs.open(mss(1460), mss(1460))
    (diagnosis,) = diagnoses(legs.wire)
    (pair,) = diagnosis.case.pairs
    parties = tuple(leg.link.tcp.ends[leg.outer].host for leg in (pair.a, pair.b))
    assert parties == (LEFT, RIGHT)
