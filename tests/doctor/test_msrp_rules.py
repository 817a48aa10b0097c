"""Rules about MSRP itself."""

from __future__ import annotations

import pytest

from .wire import (
    ACK,
    FIN,
    PATH_A,
    PATH_B,
    PSH,
    RST,
    SYN,
    Call,
    Talk,
    Wire,
    diagnoses,
    errors,
    notes,
    ok,
    only,
    sdp,
    send,
)


def call(bind: bool = True) -> tuple[Wire, Talk]:
    """A call whose chat is bound."""
    wire = Wire()
    Call(wire).up()
    talk = Talk(wire).open(at=1.0)
    if bind:
        talk.send(0, send("bind"))
        talk.send(1, ok("bind"))
    return wire, talk


def report(status: str, tid: str = "rep1") -> bytes:
    return (
        f"MSRP {tid} REPORT\r\nTo-Path: {PATH_A}\r\nFrom-Path: {PATH_B}\r\nMessage-ID: m1\r\n"
        f"Byte-Range: 1-5/5\r\nStatus: 000 {status}\r\n-------{tid}$\r\n"
    ).encode()


def test_a_healthy_chat_has_no_finding() -> None:
    wire, talk = call()
    talk.send(0, send("t-1", b"hello"))
    talk.send(1, ok("t-1"))
    talk.send(1, report("200 OK"))
    talk.close()
    assert errors(wire) == set()


class TestAnswers:
    def test_m01_delivered_and_not_answered(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.raw(0, at=40.0)
        assert "t-1 was delivered to the callee" in only(wire, "M01").verdict

    def test_m01b_not_delivered(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"), ack=False)
        talk.raw(0, ack=0, at=40.0)
        assert "never reached" in only(wire, "M01b").verdict
        assert "M01" not in errors(wire)

    def test_m01_not_in_the_last_second(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        assert errors(wire) == set()

    @pytest.mark.parametrize("wanted", ["no", "partial", "NO"])
    def test_m01_not_when_no_answer_is_wanted(self, wanted: str) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", extra=f"Failure-Report: {wanted}\r\n"))
        talk.raw(0, at=40.0)
        assert errors(wire) == set()

    def test_m01_not_when_the_answer_may_not_have_been_captured(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.next[1] += 120
        talk.send(1, send("t-2"))
        talk.send(0, ok("t-2"))
        talk.raw(0, at=40.0)
        assert "M01" not in errors(wire)

    def test_m01_not_when_only_one_direction_was_captured(self) -> None:
        wire = Wire()
        talk = Talk(wire)
        talk.raw(0, SYN)
        talk.raw(0)
        talk.raw(0, ACK | PSH, send("t-1", b"hello"))
        talk.raw(0, at=40.0)
        assert errors(wire) == set()

    @pytest.mark.parametrize("code", [400, 403, 408, 413, 415, 423, 481, 501, 506])
    def test_m02_refused(self, code: int) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.send(1, ok("t-1", f"{code} no"))
        assert f"with {code}" in only(wire, "M02").verdict

    def test_m02_names_the_differing_part(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", to=PATH_B.replace("7654", "7655")))
        talk.send(1, ok("t-1", "481 gone"))
        assert "the port differs" in only(wire, "M02").verdict

    def test_m02b_session_of_another_call(self) -> None:
        wire, talk = call(bind=False)
        talk.send(0, send("t-1", to=PATH_B.replace("bbbb2222", "cccc3333")))
        talk.send(1, ok("t-1", "481 gone"))
        assert "cccc3333" in only(wire, "M02b").verdict
        assert only(wire, "M02").follows == "M02b"

    def test_m11_response_to_somebody_else(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.send(1, ok("t-1", to="msrp://203.0.113.1:1/zz;tcp"))
        assert "203.0.113.1" in only(wire, "M11").verdict

    def test_m12_answered_twice(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.send(1, ok("t-1") + ok("t-1"))
        assert "answered 2 times" in only(wire, "M12").verdict

    def test_m12_after_any_number_of_ordinary_ones(self) -> None:
        wire, talk = call()
        for number in range(60):
            talk.send(0, send(f"tid-{number}"))
            talk.send(1, ok(f"tid-{number}"))
        talk.send(1, ok("tid-57"))
        assert "tid-57 was answered 2 times" in only(wire, "M12").verdict

    def test_m12_answered_late(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello"))
        talk.send(1, ok("t-1"), at=45.0)
        assert "after" in only(wire, "M12").verdict

    def test_m13_failure_report(self) -> None:
        wire, talk = call()
        talk.send(1, report("408 timeout"))
        found = only(wire, "M13")
        assert "408 timeout" in found.verdict
        assert "bytes 1-5" in found.verdict


class TestBinding:
    def test_m03_no_byte_from_the_active_side(self) -> None:
        wire, talk = call(bind=False)
        talk.raw(0, at=12.0)
        assert "sent no byte" in only(wire, "M03").verdict

    @pytest.mark.parametrize(("flag", "how"), [(FIN, "closed"), (RST, "reset")], ids=["fin", "rst"])
    def test_m03_until_the_server_gives_up(self, flag: int, how: str) -> None:
        wire, talk = call(bind=False)
        talk.raw(1, flag | ACK, at=4.0)
        assert f"until 192.0.2.20:7654 {how} the connection" in only(wire, "M03").verdict

    def test_m03_not_for_a_reset_at_setup(self) -> None:
        wire, talk = call(bind=False)
        talk.raw(1, RST | ACK, at=1.5)
        assert errors(wire) == {"T10"}

    def test_m03_not_within_five_seconds(self) -> None:
        wire, talk = call(bind=False)
        talk.send(0, send("bind"), at=4.0)
        talk.send(1, ok("bind"))
        assert errors(wire) == set()

    def test_m04_nobody_dials(self) -> None:
        wire = Wire()
        Call(wire).up().bye(at=8.0)
        assert "nobody dialled 192.0.2.20:7654" in only(wire, "M04").verdict

    def test_m04_not_when_the_call_ended_at_once(self) -> None:
        wire = Wire()
        Call(wire).up().bye(at=3.0)
        assert errors(wire) == set()

    def test_m14_tls_on_a_plain_port(self) -> None:
        wire, talk = call(bind=False)
        talk.send(0, b"\x16\x03\x01\x02\0" + b"\1" * 60)
        assert "TLS client on a plain port" in only(wire, "M14").verdict

    def test_m14_another_protocol(self) -> None:
        wire, talk = call(bind=False)
        talk.send(0, b"GET / HTTP/1.1\r\n\r\n")
        assert "GET / HTTP" in only(wire, "M14").verdict

    def test_m14_plain_on_a_tls_address(self) -> None:
        wire = Wire()
        path = PATH_B.replace("msrp:", "msrps:")
        Call(wire).up(answer=sdp("192.0.2.20", 7654, path, "passive", proto="TCP/TLS/MSRP"))
        Talk(wire).open(at=1.0).send(0, send("bind"))
        assert "plain MSRP" in only(wire, "M14").verdict

    def test_m15_second_connection_for_a_session(self) -> None:
        wire, talk = call()
        other = Talk(wire, client=("192.0.2.66", 6666)).open(at=2.0)
        other.send(0, send("bind2"))
        talk.send(0, send("t-1"))
        assert "a second time" in only(wire, "M15").verdict

    def test_m15_not_after_the_first_is_gone(self) -> None:
        wire, talk = call()
        talk.close(at=2.0)
        other = Talk(wire, client=("192.0.2.10", 40002)).open(at=3.0)
        other.send(0, send("bind2"))
        other.send(1, ok("bind2"))
        assert errors(wire) == set()


class TestChunks:
    def test_m06_range_and_body_differ(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", span="1-7/7"))
        talk.send(1, ok("t-1"))
        assert "promises 7 bytes" in only(wire, "M06").verdict
        assert "carries 5" in only(wire, "M06").verdict

    def test_m06_beyond_the_total(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", span="1-*/3"))
        talk.send(1, ok("t-1"))
        assert "ends at byte 5 of a message of 3" in only(wire, "M06").verdict

    @pytest.mark.parametrize("span", ["1-*/*", "1-*/5", "1-5/*", "1-5/5"])
    def test_m06_not_for_an_open_end(self, span: str) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", span=span))
        talk.send(1, ok("t-1"))
        assert errors(wire) == set()

    def test_m06_not_for_an_aborted_chunk(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hel", span="1-5/5", flag="#"))
        talk.send(1, ok("t-1"))
        assert errors(wire) == set()

    @pytest.mark.parametrize(("start", "word"), [(7, "missing"), (4, "duplicated")])
    def test_m06b_gap_and_overlap(self, start: int, word: str) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", span="1-5/10", flag="+"))
        talk.send(1, ok("t-1"))
        rest = b"y" * (11 - start)
        talk.send(0, send("t-2", rest, span=f"{start}-10/10"))
        talk.send(1, ok("t-2"))
        assert word in only(wire, "M06b").verdict

    def test_m07_end_line_inside_the_body(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-01", b"before\r\n-------t-01$\r\nafter", span="1-30/30"))
        talk.send(1, ok("t-01"))
        found = only(wire, "M07")
        assert "cut after 6 of 30 bytes" in found.verdict
        assert only(wire, "M06").follows == "M07"

    def test_m07_garbage_between_chunks(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-01") + b"HELLO\r\n")
        talk.send(1, ok("t-01"))
        assert "not MSRP from packet" in only(wire, "M07").verdict

    def test_m08_chunk_never_finished(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello")[:-20])
        talk.raw(0, FIN | ACK)
        assert "stopped inside chunk t-1" in only(wire, "M08").verdict

    @pytest.mark.parametrize("alive", [True, False], ids=["other-side-talks", "quiet"])
    def test_m08_after_thirty_seconds(self, alive: bool) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello")[:-20])
        for number in range(4):
            if alive:
                talk.send(1, send(f"b-{number}", to=PATH_A, of=PATH_B), at=10.0 * number + 5)
        Talk(wire, client=("192.0.2.66", 5)).raw(0, at=40.0)
        assert "stopped inside chunk t-1" in only(wire, "M08").verdict

    def test_m08_not_while_the_receiver_does_not_read(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello")[:-20], ack=False)
        for at in (2.0, 40.0):
            talk.raw(1, window=0, at=at)
        assert "M08" not in errors(wire)

    def test_m08b_message_never_completed(self) -> None:
        wire, talk = call()
        talk.send(0, send("t-1", b"hello", span="1-5/10", flag="+"))
        talk.send(1, ok("t-1"))
        talk.raw(0, at=60.0)
        assert "Message m1" in only(wire, "M08b").verdict

    def test_a_crlf_keepalive_is_no_fault(self) -> None:
        wire, talk = call()
        talk.send(0, b"\r\n\r\n" + send("t-1"))
        talk.send(1, ok("t-1"))
        assert errors(wire) == set()

    def test_chunks_split_over_segments_are_put_together(self) -> None:
        wire, talk = call()
        chunk = send("t-1", b"hello" * 50)
        for at in range(0, len(chunk), 7):
            talk.send(0, chunk[at : at + 7])
        talk.send(1, ok("t-1"))
        assert errors(wire) == set()

    def test_segments_out_of_order_are_put_in_order(self) -> None:
        wire, talk = call()
        chunk = send("t-1", b"hello" * 50)
        start = talk.next[0]
        talk.raw(0, ACK | PSH, chunk[100:], seq=start + 100)
        talk.raw(0, ACK | PSH, chunk[:100], seq=start)
        talk.raw(1)
        talk.send(1, ok("t-1"))
        assert errors(wire) == set()


class TestHoles:
    """Packets that whoever captured has lost."""

    def lossy(self, lost: set[int]) -> Wire:
        wire, talk = call()
        for number in range(6):
            span = f"{number * 5 + 1}-{number * 5 + 5}/30"
            flag = "$" if number == 5 else "+"
            talk.send(0, send(f"tid-{number}", b"hello", span=span, flag=flag))
            talk.send(1, ok(f"tid-{number}"))
        talk.close(at=60.0)
        kept = [f for n, f in enumerate(wire.frames) if n not in lost]
        wire.frames = kept
        return wire

    def first_of_chunk(self, number: int) -> int:
        return len(call()[0].frames) + 4 * number

    def test_a_lost_chunk_is_no_gap(self) -> None:
        assert errors(self.lossy({self.first_of_chunk(2)})) == set()

    def test_a_lost_last_chunk_leaves_no_message_open(self) -> None:
        assert errors(self.lossy({self.first_of_chunk(5)})) == set()

    def test_a_lost_answer_is_not_missed(self) -> None:
        assert errors(self.lossy({self.first_of_chunk(3) + 2})) == set()

    @pytest.mark.parametrize("start", range(0, 30, 3))
    def test_any_hole_is_survived(self, start: int) -> None:
        first = self.first_of_chunk(0)
        lost = {first + start, first + start + 1, first + start + 2}
        assert errors(self.lossy(lost)) == set()


class TestPaths:
    def test_m09_address_of_somebody_else(self) -> None:
        wire, talk = call(bind=False)
        talk.send(0, send("t-1", to=PATH_B.replace("192.0.2.20:7654", "203.0.113.9:15000")))
        talk.send(1, ok("t-1"))
        assert "M09" in notes(wire)
        assert errors(wire) == set()

    def test_m10_from_path_of_somebody_else(self) -> None:
        wire, talk = call(bind=False)
        of = PATH_A.replace("aaaa1111", "dddd4444")
        talk.send(0, send("t-1", of=of))
        talk.send(1, ok("t-1", to=of))
        assert "dddd4444" in only(wire, "M10").verdict


def test_a_transport_fault_takes_its_consequences_along() -> None:
    wire, talk = call()
    start = talk.next[0]
    for at in (2.0, 3.0):
        talk.raw(0, ACK | PSH, send("t-1", b"hello"), seq=start, at=at, broken=True)
    talk.raw(0, RST, at=40.0)
    (diagnosis,) = diagnoses(wire)
    assert "M01b" not in {found.rule for found in diagnosis.findings}
    assert "SEND t-1 never reached" in diagnosis.findings[0].verdict
    assert diagnosis.findings[0].rule == "T17"


def test_s12_names_the_bind_timer() -> None:
    wire = Wire()
    call = Call(wire).up()
    talk = Talk(wire)
    talk.raw(0, SYN, at=1.0)
    talk.raw(1, SYN | ACK)
    talk.raw(0)
    call.bye(at=10.0)
    assert only(wire, "S12").follows == "M03"
