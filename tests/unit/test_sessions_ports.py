"""Leases of a call's ports: which are taken, which rest, and which go straight back."""

from __future__ import annotations

import pytest

from msrprelay.interfaces import Interface

from .session_fakes import Lab, offer, send
from .test_sessions import refusal

pytestmark = pytest.mark.usefixtures("lives")

NEAR = Interface.parse("near/192.0.2.10")
FAR = Interface.parse("far/192.0.2.20")


def figures(lab: Lab) -> dict[object, tuple[object, object]]:
    """Ports in use and at rest, by address."""
    ports = lab.sessions.figures()["ports"]
    assert isinstance(ports, list)
    return {each["address"]: (each["in-use"], each["quarantined"]) for each in ports}


def test_an_offer_that_finds_the_far_side_full_costs_the_near_side_nothing() -> None:
    lab = Lab(ports=2, interfaces=(NEAR, FAR))
    between = {"from_interface": "near", "to_interface": "far"}
    send(lab, offer(from_interface="far", to_interface="far"))
    for number in range(5):
        assert refusal(lab, offer(call_id=f"late-{number}", **between)) == "Ran out of ports"
    assert figures(lab) == {"192.0.2.10": (0, 0), "192.0.2.20": (2, 0)}
