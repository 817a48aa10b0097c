"""Leases of a call's ports: which are taken, which rest, and which go straight back."""

from __future__ import annotations

import errno

import pytest
from structlog.testing import capture_logs

from msrprelay.interfaces import Interface
from msrprelay.log import Log

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


@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param(errno.EADDRNOTAVAIL, "address not of this host", id="no-such-address"),
        pytest.param(errno.EINVAL, "option out of range", id="socket-option"),
        pytest.param(errno.EACCES, "privileged", id="not-permitted"),
        pytest.param(None, "no errno at all", id="no-errno"),
    ],
)
def test_an_address_that_cannot_be_listened_on_refuses_the_offer_at_once(
    number: int | None, name: str
) -> None:
    lab = Lab()
    lab.plane.taken = set(range(20000, 20008))
    lab.plane.errno, lab.plane.strerror = number, name
    with capture_logs() as lines:
        Log.renew_all()
        assert refusal(lab, offer()) == "Ran out of ports"
    assert figures(lab)["192.0.2.10"] == (0, 0)
    assert [line for line in lines if line["event"] == "cannot listen"] == [
        {
            "event": "cannot listen",
            "interface": "pub/192.0.2.10!192.0.2.10",
            "log_level": "error",
            "reason": name,
        }
    ]
    lab.plane.taken.clear()
    send(lab, offer())


def test_ports_that_others_have_are_tried_a_bounded_number_of_times() -> None:
    lab = Lab(ports=200)
    lab.plane.taken = set(range(20000, 20200))
    assert refusal(lab, offer()) == "Ran out of ports"
    assert figures(lab)["192.0.2.10"] == (0, 64)
    lab.plane.taken.clear()
    send(lab, offer())
