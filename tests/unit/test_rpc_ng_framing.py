"""ng messages on a stream are found wherever it is cut, and hostile streams end."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.rpc import bencode
from msrprelay.rpc.ng_framing import BencodeScan, NgStream, StreamFault

from .rpc_recordings import REQUESTS, Recorded

Message = tuple[bytes, bytes]
PING = b"d7:command4:pinge"
BRACES = b'{"a":"}{\\"\\\\","b":[{"c":"{"}],"command":"ping"}'
MESSAGES = [
    (b"1_2", PING),
    (b"3", BRACES),
    (b"x", b"d4:listld1:ai-5eei0e1:{e7:command0:e"),
    (b"7", b"d3:sdp3:v=0e"),
]
WIRE = b"".join(cookie + b" " + body for cookie, body in MESSAGES)


def read(pieces: list[bytes], *, cookies: bool = True, longest: int = 1 << 20) -> list[Message]:
    stream = NgStream(longest=longest, cookies=cookies)
    found = [message for piece in pieces for message in stream.feed(piece)]
    stream.end()
    return found


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted(each % (len(data) + 1) for each in at), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(marks)]


@given(at=st.lists(st.integers(0, 1000), max_size=12))
def test_messages_are_found_wherever_the_stream_is_cut(at: list[int]) -> None:
    assert read(cut(WIRE, at)) == MESSAGES


def test_messages_are_found_byte_by_byte() -> None:
    assert read([WIRE[i : i + 1] for i in range(len(WIRE))]) == MESSAGES


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one.id)
def test_every_recorded_request_is_framed(one: Recorded) -> None:
    assert read([b"c " + one.body, b"d " + PING]) == [(b"c", one.body), (b"d", PING)]
    assert read([one.body], cookies=False) == [(b"", one.body)]


def test_without_cookies_bodies_follow_each_other() -> None:
    assert read([PING + b"\r\n" + BRACES + b"\n"], cookies=False) == [(b"", PING), (b"", BRACES)]


def test_line_ends_between_messages_are_skipped() -> None:
    assert read([b"\r\n1 " + PING + b"\n\n2 " + PING + b"\r\n"]) == [(b"1", PING), (b"2", PING)]


@pytest.mark.parametrize(
    ("data", "reason", "cookie"),
    [
        pytest.param(b"1 x", "Invalid NG data format", b"1", id="neither"),
        pytest.param(b"1  d", "Invalid NG data format", b"1", id="two-spaces"),
        pytest.param(b"c" * 257, "Invalid NG data format", b"", id="endless-cookie"),
        pytest.param(b"1 d1x", "Could not decode bencode dictionary", b"1", id="bad-length"),
        pytest.param(b"1 d:", "Could not decode bencode dictionary", b"1", id="no-length"),
        pytest.param(b"1 di-e", "Could not decode bencode dictionary", b"1", id="no-digits"),
        pytest.param(
            b"1 d" + b"1" * 30, "Could not decode bencode dictionary", b"1", id="endless-length"
        ),
        pytest.param(
            b"1 " + b"d" * 40, "Could not decode bencode dictionary", b"1", id="bencode-too-deep"
        ),
        pytest.param(b"1 " + b"{" * 40, "Failed to parse JSON document", b"1", id="json-too-deep"),
        pytest.param(b"1 d" + b"4:abcd" * 400, "Message too long", b"1", id="too-long"),
        pytest.param(b'1 {"' + b"a" * 2000, "Message too long", b"1", id="json-too-long"),
        pytest.param(b"1 d5000:abc", "Message too long", b"1", id="too-long-by-its-own-word"),
    ],
)
@pytest.mark.parametrize("step", [1, 10_000], ids=["bytes", "whole"])
def test_what_cannot_be_read_ends_the_stream(
    data: bytes, reason: str, cookie: bytes, step: int
) -> None:
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    if reason == "Message too long" and len(data) < 1000:
        pieces.append(b"e" * 1000)
    with pytest.raises(StreamFault) as fault:
        read(pieces, longest=1000)
    assert (fault.value.reason, fault.value.cookie) == (reason, cookie)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"1 d7:command", "Could not decode bencode dictionary"),
        (b'1 {"command"', "Failed to parse JSON document"),
        (b"1", "Could not decode bencode dictionary"),
    ],
    ids=["bencode", "json", "cookie"],
)
def test_a_stream_that_ends_inside_a_message_is_at_fault(data: bytes, reason: str) -> None:
    with pytest.raises(StreamFault, match=reason):
        read([data])


@given(data=st.binary(max_size=200), at=st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_messages_or_a_fault_however_they_are_cut(data: bytes, at: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[Message], str]:
        stream = NgStream(longest=100, cookies=True)
        found: list[Message] = []
        try:
            for piece in pieces:
                found.extend(stream.feed(piece))
            stream.end()
        except StreamFault as fault:
            return found, fault.reason
        return found, ""

    assert outcome(cut(data, at))[0] == outcome([data])[0]


def test_what_has_been_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    skip = BencodeScan._skip

    def counted(scan: BencodeScan, data: bytearray, stop: bytes) -> bool:
        nonlocal looks
        looks += 1
        return skip(scan, data, stop)

    monkeypatch.setattr(BencodeScan, "_skip", counted)
    body = b"d" + b"1:a1:b" * 1000 + b"e"
    assert read([bytes([byte]) for byte in body], cookies=False) == [(b"", body)]
    assert looks <= len(body)


def test_no_more_than_one_message_is_kept() -> None:
    stream = NgStream(longest=1 << 16, cookies=True)
    tracemalloc.start()
    for _ in range(200):
        assert len(list(stream.feed(b"1 " + PING))) == 1
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 1 << 16


def test_a_bencoded_reply_is_framed_too() -> None:
    reply = bencode.encode({"result": "ok", "sdp": b"v=0\r\n" * 50})
    assert read([b"1 " + reply]) == [(b"1", reply)]
