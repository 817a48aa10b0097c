"""The SDP editor on what a real client offered."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from msrprelay.net.roles import Setup
from msrprelay.rpc import bencode
from msrprelay.sdp import SectionEdit, parse

EDIT = SectionEdit(
    policy="aware",
    family="IP4",
    host="192.0.2.10",
    port=20001,
    setup=Setup.ACTPASS,
    session_id="rLy0rLy0rLy0",
)


@pytest.fixture
def body(datagrams: dict[str, bytes]) -> bytes:
    fields, _ = bencode.decode(datagrams["offer"])
    assert isinstance(fields, dict)
    body = fields["sdp"]
    assert isinstance(body, bytes)
    return body


def test_parse(benchmark: BenchmarkFixture, body: bytes) -> None:
    assert len(benchmark(parse, body).sections) == 1


def test_rewrite(benchmark: BenchmarkFixture, body: bytes) -> None:
    description = parse(body)
    assert b"192.0.2.10" in benchmark(description.rewrite, {0: EDIT})
