"""Where connections may come from, by what the SIP side says."""

from __future__ import annotations

from typing import Any

import pytest

from .session_fakes import (
    BOB,
    Lab,
    answer,
    offer,
    sdp,
    send,
)
from .session_replies import refusal

pytestmark = pytest.mark.usefixtures("lives")


@pytest.mark.parametrize(
    ("said", "a", "b"),
    [
        pytest.param({}, "any", "any", id="any"),
        pytest.param({"source": "sip"}, ["192.0.2.77"], ["192.0.2.88"], id="sip"),
        pytest.param({"source": "sdp"}, ["198.51.100.7"], ["203.0.113.9"], id="sdp"),
        pytest.param(
            {"flags": frozenset({"strict-source"})}, ["198.51.100.7"], ["203.0.113.9"], id="strict"
        ),
        pytest.param(
            {"flags": frozenset({"strict-source", "SIP-source-address"})},
            ["192.0.2.77"],
            ["192.0.2.88"],
            id="strict-sip",
        ),
    ],
)
def test_the_engine_is_told_where_peers_may_come_from(said: dict[str, Any], a: Any, b: Any) -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), **said))
    opened = lab.plane.opened[0]
    assert [leg.sources for leg in opened.legs] == [a, "any" if b == "any" else "pending"]
    send(lab, answer(received_from=("IP4", "192.0.2.88"), **said))
    assert [leg.sources for leg in opened.answers[0]] == [a, b]


RULES_SAID = [
    pytest.param({"source": "sip"}, ["192.0.2.77"], ["192.0.2.88"], id="sip"),
    pytest.param({"source": "sdp"}, ["198.51.100.7"], ["203.0.113.9"], id="sdp"),
    pytest.param(
        {"flags": frozenset({"strict-source"})}, ["198.51.100.7"], ["203.0.113.9"], id="strict"
    ),
    pytest.param({"source": "any"}, "any", "any", id="any"),
]


@pytest.mark.parametrize(("said", "a", "b"), RULES_SAID)
def test_a_message_that_says_no_rule_follows_what_was_said(
    said: dict[str, Any], a: Any, b: Any
) -> None:
    lab = Lab()
    alice, bob = ("IP4", "192.0.2.77"), ("IP4", "192.0.2.88")
    send(lab, offer(received_from=alice, **said))
    send(lab, answer(received_from=bob))
    again = BOB.replace(b"bobid", b"another")
    send(lab, offer(again, from_tag="bob", to_tag="alice", received_from=bob))
    send(lab, answer(sdp(session_id="x"), from_tag="bob", to_tag="alice", received_from=alice))
    told = [(a.sources, b.sources) for a, b in lab.plane.opened[0].answers]
    assert told == [(a, b), (a, b)]


def test_an_answer_may_have_a_rule_of_its_own() -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), source="sip"))
    send(lab, answer(source="any"))
    a, b = lab.plane.opened[0].answers[0]
    assert (a.sources, b.sources) == (["192.0.2.77"], "any")


def test_a_re_offer_moves_the_expected_source_with_its_answer() -> None:
    lab = Lab()
    send(lab, offer(received_from=("IP4", "192.0.2.77"), source="sip"))
    send(lab, answer(received_from=("IP4", "192.0.2.88"), source="sip"))
    moved = sdp("198.51.100.8", session_id="another")
    send(lab, offer(moved, to_tag="bob", received_from=("IP4", "192.0.2.78"), source="sip"))
    send(lab, answer(received_from=("IP4", "192.0.2.88"), source="sip"))
    a, b = lab.plane.opened[0].answers[-1]
    assert (a.sources, b.sources) == (["192.0.2.78"], ["192.0.2.88"])


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"source": "sip"}, id="no-received-from"),
        pytest.param({"source": "sip", "received_from": ("IP4", "a.example")}, id="a-name"),
    ],
)
def test_a_source_that_is_not_known_is_refused(said: dict[str, Any]) -> None:
    assert "msrp-source" in refusal(Lab(), offer(**said))
