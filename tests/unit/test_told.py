"""What the engine tells of a leg or an event reads, and is written, like a dictionary."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from msrprelay.config import load
from msrprelay.dataplane import DataPlane, LegOpen, Session, Told
from msrprelay.rpc import bencode
from msrprelay.rpc.encoding import encode
from msrprelay.settings import engine_config

ELSEWHERE = "192.0.2.1"


@pytest.fixture(name="session")
def _session() -> Iterator[Session]:
    """Leg a has refused somebody."""
    plane = DataPlane(engine_config(load('interface = ["a/127.0.0.1"]\n')))
    a, b = (
        LegOpen("127.0.0.1", 0, b"msrp://127.0.0.1:1/%b;tcp" % side, [], [ELSEWHERE])
        for side in (b"a", b"b")
    )
    try:
        session = plane.open("aware", a, b)
        port = session.report()["legs"][0]["local-port"]
        with closing(socket.create_connection(("127.0.0.1", port))) as refused:
            refused.settimeout(10)
            with suppress(ConnectionResetError):
                assert refused.recv(1) == b""
        yield session
    finally:
        plane.stop()


@pytest.fixture(name="told", params=["leg", "event"])
def _told(request: pytest.FixtureRequest, session: Session) -> Told:
    told: Told = session.report()["legs"][0] if request.param == "leg" else session.events()[-1]
    return told


def test_it_is_written_as_the_dictionary_that_it_reads_as(told: Told) -> None:
    plain = dict(told)
    assert len(told) == len(plain) >= 4
    assert bencode.encode([told]) == bencode.encode([plain])
    assert encode({"told": told}, "json") == encode({"told": plain}, "json")


def test_a_leg_says_where_it_listens_and_who_is_there(session: Session) -> None:
    a, b = session.report()["legs"]
    assert (a["side"], b["side"]) == ("a", "b")
    assert a["local-address"] == "127.0.0.1"
    assert a["local-port"] not in (0, b["local-port"])
    assert (a["state"], a["peer-address"], a["peer-port"], a["bytes-in"]) == ("listening", "", 0, 0)


def test_an_event_says_who_was_refused_and_why(session: Session) -> None:
    refused = dict(session.events()[-1])
    assert refused.pop("reason") == "source"
    assert refused.pop("address") == "127.0.0.1"
    assert (refused["side"], refused["what"]) == ("a", "refused")


def test_what_is_not_told_is_no_key(told: Told) -> None:
    with pytest.raises(KeyError, match="colour"):
        told["colour"]
