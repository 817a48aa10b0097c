"""Chunks as an endpoint writes them, read back by the framer."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from msrprelay.endpoint import Send
from msrprelay.endpoint.chunks import range_of, report, response
from msrprelay.framing import ByteRange, Chunk, ChunkReader

TO, FROM = "msrp://192.0.2.1:9/a;tcp", "msrp://192.0.2.2:9/b;tcp"


def read(data: bytes) -> Chunk:
    (chunk,) = ChunkReader().feed(data)
    assert isinstance(chunk, Chunk)
    return chunk


@given(body=st.binary(max_size=5000), flag=st.sampled_from("$+#"))
def test_a_send_is_read_back(body: bytes, flag: str) -> None:
    request = Send("m0001", range_of(1, len(body), None), "application/x", body, flag)
    chunk = read(request.encode(request.tid(), TO, FROM))
    assert (chunk.method, chunk.body, chunk.flag) == ("SEND", body, flag)
    assert (chunk.to_path, chunk.from_path) == ([TO], [FROM])


def test_an_empty_body_is_a_body_and_a_bind_has_none() -> None:
    empty = Send("m0001", range_of(1, 0, 0), "text/plain", b"")
    assert read(empty.encode("tid01", TO, FROM)).body == b""
    assert read(Send.bind().encode("tid01", TO, FROM)).body is None


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(0, ByteRange(1, 0, 9999), id="empty"),
        pytest.param(2048, ByteRange(1, 2048, 9999), id="longest-fixed"),
        pytest.param(2049, ByteRange(1, None, 9999), id="interruptible"),
    ],
)
def test_long_chunks_are_interruptible(size: int, expected: ByteRange) -> None:
    assert range_of(1, size, 9999) == expected


def test_the_transaction_id_avoids_end_lines_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"])
    monkeypatch.setattr("msrprelay.endpoint.chunks.fresh_id", lambda: next(ids))
    request = Send("m0001", range_of(1, 5, 5), "text/plain", b"\r\n-------aaaaaaaaaaaaaaaa$\r\n")
    assert request.tid() == "bbbbbbbbbbbbbbbb"


def test_a_response_and_a_report_are_read_back() -> None:
    answer = read(response("tid01", 481, "Invalid To-Path", TO, FROM))
    assert (answer.status, answer.comment, answer.tid) == (481, b"Invalid To-Path", "tid01")
    told = read(report(TO, FROM, "m0001", ByteRange(1, None, None)))
    assert (told.method, told.header("Status")) == ("REPORT", b"000 200 OK")
    assert told.byte_range == ByteRange(1, None, None)
