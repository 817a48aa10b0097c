"""Who is who in a call: caller, proxy, relay, callee."""

from __future__ import annotations

import pytest

from msrprelay.doctor import cases
from msrprelay.doctor.hosts import Endpoint
from msrprelay.doctor.sip import Dialog
from msrprelay.doctor.tracker import Link

from .wire import (
    ANSWER,
    OFFER,
    PATH_A,
    PATH_B,
    SBC,
    A,
    B,
    Call,
    Talk,
    Wire,
    diagnoses,
    ok,
    sdp,
    send,
    track,
)

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


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        pytest.param([(A, SBC), (SBC, B)], [2], id="b2bua"),
        pytest.param([(A, SBC), (SBC, FORK), (FORK, B)], [3], id="two-b2buas"),
        pytest.param([(A, SBC), (SBC, B), (SBC, FORK)], [3], id="b2bua-that-forks"),
        pytest.param([(A, B), (A, B), (A, B)], [1, 1, 1], id="same-parties"),
        pytest.param([(A, SBC), (SBC, B)] * 3, [2, 2, 2], id="b2bua-each-time"),
        pytest.param([(A, B), (FORK, B)], [1, 1], id="same-callee"),
        pytest.param([(A, A), (A, A)], [1, 1], id="one-machine"),
    ],
)
def test_dialogs_of_one_session_id_are_a_call_if_one_goes_on_where_the_other_came(
    calls: list[tuple[str, str]], found: list[int]
) -> None:
    wire = Wire()
    for number, (caller, callee) in enumerate(calls):
        call = Call(wire, caller, callee, f"call-{number}")
        call.sip_ports = (5061, 5060) if caller == callee else (5060, 5060)
        call.up()
    assert [len(diagnosis.case.dialogs) for diagnosis in diagnoses(wire)] == found


def test_a_b2bua_on_the_machine_of_both_parties_is_known_by_its_port() -> None:
    wire = Wire()
    for number, ports in enumerate([(5061, 5060), (5060, 5062)]):
        call = Call(wire, A, A, f"call-{number}")
        call.sip_ports = ports
        call.up()
    (diagnosis,) = diagnoses(wire)
    assert [dialog.callee for dialog in diagnosis.case.dialogs] == [
        Endpoint(A, 5060),
        Endpoint(A, 5062),
    ]


def test_a_b2bua_is_known_although_its_call_was_joined_late() -> None:
    wire = Wire()
    first, second = Call(wire, A, SBC, "call-1"), Call(wire, SBC, B, "call-2")
    first.reply("200 OK", body=ANSWER)  # the first message captured
    second.up()
    (diagnosis,) = diagnoses(wire)
    assert len(diagnosis.case.dialogs) == 2


def test_calls_with_one_session_id_are_not_compared_with_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0
    during = cases._during

    def counted(link: Link, dialog: Dialog) -> bool:
        nonlocal looks
        looks += 1
        return during(link, dialog)

    monkeypatch.setattr(cases, "_during", counted)
    wire = Wire()
    for number in range(200):
        call = Call(wire, call_id=f"call-{number}").up()
        talk = Talk(wire, client=(A, 10_000 + number)).open()
        talk.send(0, send(f"tid-{number}"))
        talk.send(1, ok(f"tid-{number}"))
        talk.close()
        call.bye()
        wire.now += 10.0
    built = cases.build_cases(track(wire))
    assert [(len(case.dialogs), len(case.links)) for case in built] == [(1, 1)] * 200
    assert looks < 4 * 200
