"""Whole chunks for Python's own endpoints."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from msrprelay.framing import Chunk, ChunkReader

MESSAGES = 100


@pytest.mark.parametrize("size", [100, 2048, 65_536])
def test_read_chunks(benchmark: BenchmarkFixture, size: int) -> None:
    head = (
        b"MSRP a786hjs2 SEND\r\nTo-Path: msrp://r.example:20001/s1;tcp\r\n"
        b"From-Path: msrp://a.example:7654/a1;tcp\r\nMessage-ID: m1\r\n"
        b"Byte-Range: 1-%d/%d\r\nContent-Type: text/plain\r\n\r\n"
    )
    chunk = head % (size, size) + b"x" * size + b"\r\n-------a786hjs2$\r\n"
    stream = chunk * MESSAGES
    chunks = benchmark(lambda: ChunkReader().feed(stream))
    assert len(chunks) == MESSAGES
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
