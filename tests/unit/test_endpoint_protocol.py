"""The endpoint without sockets: who speaks first, whose paths count, what kills a Blink."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from msrprelay.endpoint import (
    Answered,
    BindFailed,
    BlinkCrash,
    Bound,
    Endpoint,
    Event,
    Failed,
    FilePiece,
    MalformedStream,
    Manner,
    Message,
    NotBound,
    PathMismatch,
    Reported,
    Send,
    UnexpectedResponse,
)
from msrprelay.endpoint.chunks import range_of, response
from msrprelay.framing import ByteRange, Chunk, ChunkReader

A = "msrp://192.0.2.1:9/aaaa;tcp"
B = "msrp://192.0.2.2:5000/bbbb;tcp"
# The same session-ids at another place: what an SBC writes that leaves MSRP alone.
A_VIA = "msrp://198.51.100.1:20000/aaaa;tcp"
B_VIA = "msrp://198.51.100.1:20002/bbbb;tcp"
BLINK, STRICT = Manner.BLINK, Manner.STRICT


def end(own: str, peer: str, *, active: bool, manner: Manner = STRICT) -> Endpoint:
    made = Endpoint(own, [peer], active=active, manner=manner)
    made.connected()
    return made


def pair(*, b_active: bool = False, manner: Manner = STRICT) -> tuple[Endpoint, Endpoint]:
    return (
        end(A, B, active=True, manner=manner),
        end(B, A, active=b_active, manner=manner),
    )


def settle(a: Endpoint, b: Endpoint) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until nobody has anything to say."""
    at_a: list[Event] = []
    at_b: list[Event] = []
    while (to_b := a.outgoing()) + (to_a := b.outgoing()):
        at_b += b.receive(to_b)
        at_a += a.receive(to_a)
    return at_a, at_b


def chunks(data: bytes) -> list[Chunk]:
    return [item for item in ChunkReader().feed(data) if isinstance(item, Chunk)]


def wire(request: Send, to_path: str, from_path: str) -> bytes:
    return request.encode(request.tid(), to_path, from_path)


def fault(events: list[Event]) -> object:
    """The fault that ended the session."""
    assert isinstance(events[-1], Failed)
    return events[-1].fault


def piece(message_id: str, start: int, body: bytes, total: int, flag: str, kind: str) -> Send:
    return Send(message_id, range_of(start, len(body), total), kind, body, flag, True)


def test_the_active_end_binds_at_once_without_a_body() -> None:
    (bind,) = chunks(end(A, B, active=True).outgoing())
    assert (bind.method, bind.to_path, bind.from_path, bind.body) == ("SEND", [B], [A], None)
    assert bind.byte_range == ByteRange(1, 0, 0)


def test_a_passive_end_says_nothing_first_and_may_not() -> None:
    b = end(B, A, active=False)
    with pytest.raises(NotBound):
        b.send(Send.message("text/plain", b"first!"))
    assert b.outgoing() == b""


@pytest.mark.parametrize("manner", [STRICT, BLINK])
@pytest.mark.parametrize("b_active", [False, True], ids=["active-passive", "active-active"])
def test_both_ends_are_bound_once(b_active: bool, manner: Manner) -> None:
    a, b = pair(b_active=b_active, manner=manner)
    assert settle(a, b) == ([Bound()], [Bound()])


def test_a_message_is_answered_and_reported() -> None:
    a, b = pair()
    settle(a, b)
    request = Send.message("text/plain", b"hello")
    a.send(request)
    at_a, at_b = settle(a, b)
    assert at_b == [Message(request.message_id, "text/plain", b"hello")]
    assert at_a == [
        Answered(request.message_id, 200, "OK"),
        Reported(request.message_id, 200, ByteRange(1, 5, 5)),
    ]


@given(cuts=st.lists(st.integers(1, 400), max_size=20), body=st.binary(max_size=300))
def test_any_split_gives_the_same_events(cuts: list[int], body: bytes) -> None:
    message = Send.message("text/plain", body)
    stream = wire(Send.bind(), B, A) + wire(message, B, A)
    b = end(B, A, active=False)
    events, at = [], 0
    for cut in [*cuts, len(stream)]:
        events += b.receive(stream[at : at + cut])
        at += cut
    assert events == [Bound(), Message(message.message_id, "text/plain", body)]


@pytest.mark.parametrize(
    ("to_path", "from_path", "manner", "status"),
    [
        pytest.param(B, A, STRICT, 200, id="strict-own-paths"),
        pytest.param(B.upper().replace("BBBB", "bbbb"), A, STRICT, 200, id="strict-equal-uri"),
        pytest.param(B_VIA, A, STRICT, 481, id="strict-other-to-path"),
        pytest.param(B, A_VIA, STRICT, 481, id="strict-other-from-path"),
        pytest.param(f"{B} {B}", A, STRICT, 481, id="strict-longer-to-path"),
        pytest.param(B_VIA, A_VIA, BLINK, 200, id="blink-same-session-ids"),
        pytest.param("msrp://192.0.2.2:5000/xxxx;tcp", A, BLINK, 481, id="blink-other-to"),
        pytest.param(B, "msrp://192.0.2.1:9/xxxx;tcp", BLINK, 481, id="blink-other-from"),
        pytest.param("no-uri", A, BLINK, 481, id="blink-no-uri"),
    ],
)
def test_paths_decide_between_200_and_481(
    to_path: str, from_path: str, manner: Manner, status: int
) -> None:
    b = end(B, A, active=False, manner=manner)
    events = b.receive(wire(Send.bind(), to_path, from_path))
    (answer,) = chunks(b.outgoing())
    assert (answer.status, answer.to_path) == (status, [from_path])
    assert events == ([Bound()] if status == 200 else [])


def test_a_refused_bind_fails_the_active_end() -> None:
    a, b = end(A, B, active=True), end(B_VIA, A, active=False)
    at_a, _ = settle(a, b)
    assert isinstance(fault(at_a), BindFailed)
    assert "481" in str(fault(at_a))


def test_a_passive_end_without_a_peer_takes_the_path_of_the_bind() -> None:
    b = Endpoint(B, None, active=False)
    b.connected()
    b.receive(wire(Send.bind(), B, A))
    b.outgoing()
    b.send(Send.message("text/plain", b"x"))
    (message,) = chunks(b.outgoing())
    assert message.to_path == [A]


def test_a_strict_end_faults_on_a_response_with_foreign_paths() -> None:
    a, b = pair()
    settle(a, b)
    request = Send.message("text/plain", b"x")
    a.send(request)
    (sent,) = chunks(a.outgoing())
    answer = (
        f"MSRP {sent.tid} 200 OK\r\nTo-Path: {A_VIA}\r\nFrom-Path: {B}\r\n-------{sent.tid}$\r\n"
    )
    assert isinstance(fault(a.receive(answer.encode())), PathMismatch)


def test_a_strict_end_faults_on_a_response_twice() -> None:
    a, b = pair()
    bind = a.outgoing()
    b.receive(bind)
    answer = b.outgoing()
    assert isinstance(fault(a.receive(answer + answer)), UnexpectedResponse)


def test_bytes_that_are_no_msrp_end_the_session() -> None:
    assert isinstance(
        fault(end(B, A, active=False).receive(b"GET / HTTP/1.1\r\n\r\n")), MalformedStream
    )


@pytest.mark.parametrize(
    ("wanted", "answers"),
    [
        pytest.param(None, 1, id="absent-means-yes"),
        pytest.param("yes", 1, id="yes"),
        pytest.param("partial", 0, id="partial-never-200"),
        pytest.param("no", 0, id="no"),
    ],
)
def test_failure_report_rules_the_answer(wanted: str | None, answers: int) -> None:
    a, b = pair()
    settle(a, b)
    a.send(Send("m0001", range_of(1, 1, 1), "text/plain", b"x", failure_report=wanted))
    b.receive(a.outgoing())
    assert len(chunks(b.outgoing())) == answers
    assert a.unanswered == answers


@pytest.mark.parametrize(
    ("wanted", "status", "known"),
    [
        pytest.param("partial", 413, True, id="partial-refused"),
        pytest.param("partial", 200, False, id="partial-never-200"),
        pytest.param("no", 413, False, id="no"),
    ],
)
def test_a_refusal_of_a_partial_one_is_an_answer(wanted: str, status: int, known: bool) -> None:
    a, b = pair()
    settle(a, b)
    a.send(Send("m0001", range_of(1, 1, 1), "text/plain", b"x", failure_report=wanted))
    (sent,) = chunks(a.outgoing())
    events = a.receive(response(sent.tid, status, "so", A, B))
    if known:
        assert events == [Answered("m0001", status, "so")]
    else:
        assert isinstance(fault(events), UnexpectedResponse)


def test_an_unknown_method_is_answered_501_to_the_whole_path() -> None:
    b = end(B, A, active=False)
    b.receive(
        f"MSRP tid01 NICKNAME\r\nTo-Path: {B}\r\nFrom-Path: {A}\r\n-------tid01$\r\n".encode()
    )
    (answer,) = chunks(b.outgoing())
    assert answer.status == 501


def test_a_message_in_chunks_is_put_together_and_reported_once() -> None:
    b = end(B, A, active=False)
    b.receive(wire(Send.bind(), B, A))
    b.outgoing()
    first = piece("m0001", 1, b"hello ", 11, "+", "text/plain")
    last = piece("m0001", 7, b"world", 11, "$", "text/plain")
    events = b.receive(wire(first, B, A) + wire(last, B, A))
    assert events == [Message("m0001", "text/plain", b"hello world")]
    ranges = [chunk.byte_range for chunk in chunks(b.outgoing()) if chunk.method == "REPORT"]
    assert ranges == [ByteRange(1, 11, 11)]


def test_an_aborted_message_is_dropped() -> None:
    b = end(B, A, active=False)
    b.receive(wire(Send.bind(), B, A))
    part = piece("m0001", 1, b"half", 8, "+", "text/plain")
    aborted = piece("m0001", 5, b"", 8, "#", "text/plain")
    assert b.receive(wire(part, B, A) + wire(aborted, B, A)) == []


class TestBlink:
    """Facts 6 and 8 of what AG Projects' stack was measured to do."""

    def passive(self, *, bound: bool) -> Endpoint:
        b = end(B, A, active=False, manner=BLINK)
        if bound:
            b.receive(wire(Send.bind(), B, A))
            b.outgoing()
        return b

    def test_a_first_send_with_a_body_crashes_a_passive_one_after_its_200(self) -> None:
        b = self.passive(bound=False)
        events = b.receive(wire(Send.message("text/plain", b"x"), B, A))
        assert isinstance(fault(events), BlinkCrash)
        assert [chunk.status for chunk in chunks(b.outgoing())] == [200]

    def test_a_second_chunk_of_a_chat_message_crashes_it(self) -> None:
        b = self.passive(bound=True)
        first = piece("m0001", 1, b"he", 4, "+", "text/plain")
        assert b.receive(wire(first, B, A)) == []
        last = piece("m0001", 3, b"y!", 4, "$", "text/plain")
        assert isinstance(fault(b.receive(wire(last, B, A))), BlinkCrash)

    def test_content_before_the_answer_to_its_bind_is_refused(self) -> None:
        b = end(B, A, active=True, manner=BLINK)
        b.outgoing()
        events = b.receive(wire(Send.message("text/plain", b"x"), B, A))
        assert isinstance(fault(events), BindFailed)
        assert [chunk.status for chunk in chunks(b.outgoing())] == [481]

    def test_a_file_in_chunks_is_taken_and_reported_per_chunk(self) -> None:
        b = self.passive(bound=True)
        kind = "application/octet-stream"
        parts = [piece("m0001", 1, b"ab", 4, "+", kind), piece("m0001", 3, b"cd", 4, "$", kind)]
        events = b.receive(b"".join(wire(part, B, A) for part in parts))
        assert events == [
            FilePiece("m0001", kind, 1, b"ab", False),
            FilePiece("m0001", kind, 3, b"cd", True),
        ]
        reports = [chunk.byte_range for chunk in chunks(b.outgoing()) if chunk.method == "REPORT"]
        assert reports == [ByteRange(1, 2, 4), ByteRange(3, 4, 4)]

    def test_it_answers_from_the_uri_it_was_addressed_by(self) -> None:
        b = end(B, A, active=False, manner=BLINK)
        b.receive(wire(Send.bind(), B_VIA, A_VIA))
        (answer,) = chunks(b.outgoing())
        assert (answer.from_path, answer.to_path) == ([B_VIA], [A_VIA])
