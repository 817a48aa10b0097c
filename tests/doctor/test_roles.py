"""Who is who in a call: caller, proxy, relay, callee."""

from __future__ import annotations

import pytest

from .wire import ANSWER, OFFER, PATH_A, PATH_B, SBC, A, B, Call, Wire, diagnoses, sdp

RELAYED = PATH_B.replace(B, SBC)
FORK = "192.0.2.30"


def proxied(wire: Wire, offer: bytes, answer: bytes) -> None:
    """One Call-ID over two hops, with what the proxy put into the descriptions."""
    first, second = Call(wire, A, SBC), Call(wire, SBC, B)
    first.invite(OFFER)
    second.invite(offer)
    second.reply("200 OK", body=ANSWER)
    first.reply("200 OK", body=answer)
    first.ack()
    second.ack()


@pytest.mark.parametrize(
    ("offer", "answer", "middle"),
    [
        pytest.param(OFFER, ANSWER, "proxy", id="signalling-only"),
        pytest.param(
            sdp(SBC, 7000, PATH_A.replace(A, SBC), "actpass"),
            sdp(SBC, 7654, RELAYED, "passive"),
            "relay",
            id="media-too",
        ),
    ],
)
def test_the_callee_is_behind_the_proxy(offer: bytes, answer: bytes, middle: str) -> None:
    wire = Wire()
    proxied(wire, offer, answer)
    (diagnosis,) = diagnoses(wire)
    assert diagnosis.case.roles == {A: "caller", SBC: middle, B: "callee"}


def test_the_callee_of_a_forked_call_is_the_one_who_answered() -> None:
    wire = Wire()
    for callee in (SBC, B, FORK):
        Call(wire, A if callee == SBC else SBC, callee).invite(OFFER)
    Call(wire, SBC, B).reply("200 OK", body=ANSWER)
    (diagnosis,) = diagnoses(wire)
    assert diagnosis.case.roles[B] == "callee"
    assert diagnosis.case.name(FORK) == f"host {FORK}"


def test_a_call_within_one_host_has_no_proxy() -> None:
    wire = Wire()
    Call(wire, A, A).up()
    (diagnosis,) = diagnoses(wire)
    assert diagnosis.case.dialogs[0].proxies == frozenset()
