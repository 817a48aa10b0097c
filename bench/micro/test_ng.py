"""The ng codec on what Kamailio sent."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from msrprelay.commands import Origin
from msrprelay.rpc import bencode
from msrprelay.rpc.requests import parse_offer

ORIGIN = Origin("udp", "127.0.0.1", 5060)


@pytest.mark.parametrize("command", ["offer", "answer", "delete"])
def test_decode(benchmark: BenchmarkFixture, datagrams: dict[str, bytes], command: str) -> None:
    fields, _ = benchmark(bencode.decode, datagrams[command])
    assert fields["command"] == command.encode()


def test_encode(benchmark: BenchmarkFixture, datagrams: dict[str, bytes]) -> None:
    fields, _ = bencode.decode(datagrams["offer"])
    assert bencode.decode(benchmark(bencode.encode, fields))[0] == fields


def test_read_offer(benchmark: BenchmarkFixture, datagrams: dict[str, bytes]) -> None:
    fields, _ = bencode.decode(datagrams["offer"])
    assert isinstance(fields, dict)
    assert benchmark(parse_offer, fields, ORIGIN).call_id
