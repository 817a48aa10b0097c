"""What the engine tells, and what has a layout, is written like the dictionary it stands for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from msrprelay.config import load
from msrprelay.dataplane import DataPlane, Layout, LegOpen, Session, Told
from msrprelay.process.settings import engine_config
from msrprelay.rpc import bencode
from msrprelay.rpc.encoding import encode

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


SHAPE = {
    "first": ...,
    "fixed": ["a", 1, {"second": ..., "flags": []}, []],
    "text": "f\u00fcr",
    "third": ...,
}
FILLED = [
    pytest.param(
        (1, "b", b"\xff"),
        {
            "first": 1,
            "fixed": ["a", 1, {"second": "b", "flags": []}, []],
            "text": "f\u00fcr",
            "third": b"\xff",
        },
        id="every-blank",
    ),
    pytest.param(
        (None, ["x", {"y": 2}], None),
        {
            "fixed": ["a", 1, {"second": ["x", {"y": 2}], "flags": []}, []],
            "text": "f\u00fcr",
        },
        id="none-is-left-out-with-its-name",
    ),
    pytest.param(
        (None, None, None),
        {"fixed": ["a", 1, {"flags": []}, []], "text": "f\u00fcr"},
        id="nothing",
    ),
]


@pytest.mark.parametrize(("values", "expected"), FILLED)
def test_a_layout_is_written_as_the_dictionary_that_it_stands_for(
    values: tuple[object, ...], expected: dict[str, object]
) -> None:
    filled = Layout(SHAPE)(*values)
    assert filled.plain() == expected
    assert bencode.encode({"it": filled}) == bencode.encode({"it": expected})
    assert encode({"it": [filled]}, "json") == encode({"it": [expected]}, "json")


def test_a_layout_may_fill_the_blank_of_another() -> None:
    inner, outer = Layout({"n": ...}), Layout({"all": ..., "one": ...})
    filled = outer([inner(1), inner(2)], inner(3))
    expected = {"all": [{"n": 1}, {"n": 2}], "one": {"n": 3}}
    assert bencode.encode(filled) == bencode.encode(expected)
    assert encode({"it": filled}, "json") == encode({"it": expected}, "json")


@pytest.mark.parametrize("values", [(), (1, 2)], ids=["too-few", "too-many"])
def test_a_layout_wants_a_value_for_each_blank(values: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=f"1 values expected, not {len(values)}"):
        Layout({"a": ...})(*values)


def nested(depth: int) -> dict[str, object]:
    shape: dict[str, object] = {}
    for _ in range(depth):
        shape = {"d": shape}
    return shape


BAD_SHAPES = [
    pytest.param({"a": 1.5}, TypeError, id="a-fraction"),
    pytest.param({"a": [...]}, TypeError, id="a-blank-in-a-list"),
    pytest.param({1: "a"}, TypeError, id="a-name-that-is-no-text"),
    pytest.param(nested(40), ValueError, id="too-deep"),
]


@pytest.mark.parametrize(("shape", "error"), BAD_SHAPES)
def test_a_shape_that_cannot_be_written_is_refused(
    shape: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Layout(shape)


def test_a_blank_cannot_be_filled_with_what_bencode_has_not() -> None:
    with pytest.raises(TypeError, match="float"):
        bencode.encode(Layout({"a": ...})(1.5))
