"""What both legs of a relay tell together: each fault once, and on the hop that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from msrprelay.doctor.analysis import analyse

from .test_captures import CAPTURES
from .test_splice_rules import BOX, LEFT, RIGHT, Legs
from .wire import (
    ACK,
    ANSWER,
    FIN,
    OFFER,
    PATH_A,
    PATH_B,
    RST,
    SBC,
    A,
    B,
    Call,
    Talk,
    Wire,
    errors,
    findings,
    ok,
    only,
    sdp,
    send,
)

QUIET = 40.0
TO_B = sdp(SBC, 7000, f"msrp://{SBC}:7000/cccc3333;tcp", "actpass")
TO_A = sdp(SBC, 7654, f"msrp://{SBC}:7654/dddd4444;tcp", "passive")
DIALS = sdp(B, 9, f"msrp://{B}:9/bbbb2222;tcp", "active")


def bound() -> Legs:
    """Both parties connected, and one exchange through the relay."""
    legs = Legs()
    legs.a.open()
    legs.b.open()
    legs.a.send(0, send("bind"))
    legs.b.send(1, send("bind"))
    legs.b.send(0, ok("bind"))
    legs.a.send(1, ok("bind"))
    return legs


class TestUnanswered:
    def test_m01_is_the_callees_who_has_the_request(self) -> None:
        legs = bound()
        asked = [legs.a.send(0, send("t-1")), legs.b.send(1, send("t-1"))]
        legs.b.close(at=QUIET)
        legs.a.close()
        found = only(legs.wire, "M01")
        assert list(found.packets) == asked
        assert f"delivered to the host {RIGHT}" in found.verdict

    def test_m01_is_the_relays_who_did_not_pass_it_on(self) -> None:
        legs = bound()
        legs.a.send(0, send("t-1"))
        legs.a.raw(0, at=QUIET)
        verdict = only(legs.wire, "M01").verdict
        assert f"delivered to the relay {BOX}" in verdict
        assert "The relay did not pass it on." in verdict

    def test_m01_is_the_relays_who_kept_the_answer(self) -> None:
        legs = bound()
        legs.a.send(0, send("t-1"))
        legs.b.send(1, send("t-1"))
        number = legs.b.send(0, ok("t-1"))
        legs.a.raw(0, at=QUIET)
        verdict = only(legs.wire, "M01").verdict
        assert f"The host {RIGHT} answered 200 (packet {number}), and the relay did" in verdict

    def test_m02_is_told_where_it_was_said(self) -> None:
        legs = bound()
        legs.a.send(0, send("t-1"))
        legs.b.send(1, send("t-1"))
        legs.b.send(0, ok("t-1", "481 no"))
        legs.a.send(1, ok("t-1", "481 no"))
        assert f"The host {RIGHT} refused SEND t-1" in only(legs.wire, "M02").verdict


def passing_on(shut: bool = False) -> Legs:
    """A relay that has the whole of a request, and gives its receiver the beginning."""
    legs = bound()
    chunk = send("t-1", b"x" * 3000)
    legs.a.send(0, chunk)
    legs.a.send(0, send("t-2"))
    legs.b.send(1, chunk[:1400])
    for at in (10.0, QUIET):
        legs.b.raw(0, at=at, window=0 if shut else 5000)
    return legs


class TestUnderWay:
    def test_m01_not_while_the_relay_passes_it_on(self) -> None:
        legs = passing_on()
        legs.b.send(1, b"x" * 100)
        assert errors(legs.wire) == set()

    def test_m01_names_the_receiver_who_does_not_read(self) -> None:
        verdicts = [f.verdict for f in findings(passing_on(shut=True).wire) if f.rule == "M01"]
        assert len(verdicts) == 2
        for verdict in verdicts:
            assert "did not pass it on" not in verdict
            assert "passing on t-1, 1,2" in verdict
            assert f"the host {RIGHT} has kept its window closed since packet" in verdict


class TestChunks:
    def test_m06_is_told_once(self) -> None:
        legs = bound()
        chunk = send("t-1", b"hello", span="1-7/7")
        seen = [legs.a.send(0, chunk), legs.b.send(1, chunk)]
        legs.b.send(0, ok("t-1"))
        legs.a.send(1, ok("t-1"))
        found = only(legs.wire, "M06")
        assert list(found.packets) == seen
        assert f"of the host {LEFT} promises" in found.verdict

    def test_m06_is_the_relays_if_it_came_in_right(self) -> None:
        legs = bound()
        legs.a.send(0, send("t-1", b"hello", span="1-5/5"))
        legs.b.send(1, send("t-1", b"hel", span="1-5/5"))
        legs.b.send(0, ok("t-1"))
        legs.a.send(1, ok("t-1"))
        assert f"of the relay {BOX} promises" in only(legs.wire, "M06").verdict

    def test_m08_is_told_once(self) -> None:
        legs = bound()
        for talk, side in ((legs.a, 0), (legs.b, 1)):
            talk.send(side, send("t-1", b"hello")[:-20])
        legs.a.raw(0, RST)
        legs.b.raw(1, RST)
        assert f"The host {LEFT} stopped inside" in only(legs.wire, "M08").verdict

    def test_m08_is_the_relays_if_it_got_the_rest(self) -> None:
        legs = bound()
        legs.a.send(0, send("t-1", b"hello"))
        legs.b.send(1, send("t-1", b"hello")[:-20])
        legs.b.raw(1, FIN | ACK)
        assert f"The relay {BOX} stopped inside" in only(legs.wire, "M08").verdict


def proxied() -> Wire:
    """A call over a proxy that anchors the chat at its own address; the callee is to dial."""
    wire = Wire()
    first, second = Call(wire, A, SBC), Call(wire, SBC, B)
    first.invite(OFFER)
    second.invite(TO_B)
    second.reply("200 OK", body=DIALS)
    first.reply("200 OK", body=TO_A)
    first.ack()
    second.ack()
    return wire


def waiting(wire: Wire) -> Talk:
    """The caller, connected and waiting for an answer."""
    talk = Talk(wire, server=(SBC, 7654)).open()
    talk.send(0, send("bind", to=f"msrp://{SBC}:7654/dddd4444;tcp"))
    return talk


class TestBinding:
    def test_m04_for_the_hop_where_nobody_dials(self) -> None:
        wire = proxied()
        waiting(wire).raw(0, at=4.0)
        found = only(wire, "M04")
        assert f"nobody dialled {SBC}:7000, which the SDP of the relay {SBC}" in found.verdict
        assert f"the callee {B} was to dial it" in found.verdict
        assert only(wire, "M01").follows == "M04"

    def test_m04_not_within_two_seconds(self) -> None:
        wire = proxied()
        waiting(wire).raw(0, at=1.5)
        assert "M04" not in errors(wire)

    def test_m03_before_the_timer_if_the_relay_gave_up(self) -> None:
        wire = proxied()
        waiting(wire)
        silent = Talk(wire, (B, 4000), (SBC, 7000)).open()
        silent.raw(1, FIN | ACK, at=4.0)
        assert f"sent no byte in 4.0 s, until {SBC}:7000 closed" in only(wire, "M03").verdict
        assert only(wire, "M01").follows == "M03"

    def test_m03_not_where_the_call_had_ended(self) -> None:
        wire = proxied()
        silent = Talk(wire, (B, 4000), (SBC, 7000)).open()
        Call(wire, A, SBC).bye(at=3.0)
        silent.raw(1, FIN | ACK)
        assert "M03" not in errors(wire)


class TestPaths:
    def call(self, of: str) -> Wire:
        """A second SEND of the caller with another From-Path, answered to the agreed one."""
        wire = Wire()
        Call(wire).up(OFFER, ANSWER)
        talk = Talk(wire).open(at=1.0)
        talk.send(0, send("t-1"))
        talk.send(1, ok("t-1"))
        talk.send(0, send("t-2", b"hello", of=of))
        talk.send(1, ok("t-2"))
        return wire

    def test_m10_in_any_request(self) -> None:
        wire = self.call("msrp://192.0.2.99:9/zzz;tcp")
        assert f"The caller {A} sends SEND t-2" in only(wire, "M10").verdict
        assert only(wire, "M11").follows == "M10"

    def test_m10_not_for_the_agreed_path(self) -> None:
        assert errors(self.call(PATH_A)) == set()


@pytest.mark.parametrize(
    ("name", "root", "packets"),
    [
        ("relay_nobody_dials", "M04", (5, 6)),
        ("relay_silent_callee", "M03", (11, 12)),
        ("relay_dial_refused", "T10", (17, 18)),
        ("relay_wrong_to", "M02", (20, 22)),
        ("relay_wrong_from", "M10", (30,)),
        ("relay_garbage", "M14", (20,)),
        ("relay_tls_hello", "M14", (20,)),
        ("relay_cut", "M08", (30,)),
        ("relay_bad_range", "M06", (30, 31)),
    ],
)
def test_the_cause_comes_first_and_once(name: str, root: str, packets: tuple[int, ...]) -> None:
    found = analyse(Path(CAPTURES / f"{name}.pcapng")).findings
    assert (found[0].rule, found[0].packets) == (root, packets)
    assert [f for f in found[1:] if f.follows is None and f.severity == "error"] == []


def test_a_callee_who_never_answers_is_blamed_through_the_relay() -> None:
    found = analyse(CAPTURES / "relay_no_200.pcapng").findings
    assert [f.packets for f in found if f.rule == "M01"] == [(18, 22), (26, 27)]
    assert all("delivered to the callee 192.0.2.20" in f.verdict for f in found)


def test_a_healthy_relayed_chat_has_no_finding() -> None:
    legs = bound()
    legs.a.send(0, send("t-1", b"hello", to=PATH_B))
    legs.b.send(1, send("t-1", b"hello", to=PATH_B))
    legs.b.send(0, ok("t-1"))
    legs.a.send(1, ok("t-1"))
    legs.a.close()
    legs.b.close()
    assert findings(legs.wire) == []
