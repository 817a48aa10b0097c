"""Leases of a call's ports: which are taken, which rest, and which go straight back."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from msrprelay.log import Log
from msrprelay.net.interfaces import Interface

from .session_fakes import RELAY, Lab, answer, delete, offer, sdp, send
from .session_replies import refusal
from .test_restore import MOVED_ALICE, ports

pytestmark = pytest.mark.usefixtures("lives")

NEAR = Interface.parse("near/192.0.2.10")
FAR = Interface.parse("far/192.0.2.20")
# Of one address: a peer inside is told another one than a peer outside.
INSIDE = Interface.parse("inside/192.0.2.10")
OUTSIDE = Interface.parse("outside/192.0.2.10!203.0.113.1")

Said = dict[str, Any]


def rows(lab: Lab) -> list[dict[str, object]]:
    """What is told of each address."""
    told = lab.sessions.figures()["ports"]
    assert isinstance(told, list)
    return told


def figures(lab: Lab) -> dict[object, tuple[object, object]]:
    """Ports in use and at rest, by address."""
    return {each["address"]: (each["in-use"], each["quarantined"]) for each in rows(lab)}


def test_an_offer_that_finds_the_far_side_full_costs_the_near_side_nothing() -> None:
    lab = Lab(ports=2, interfaces=(NEAR, FAR))
    between: Said = {"from_interface": "near", "to_interface": "far"}
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


def joined(lab: Lab, **said: Any) -> set[int]:
    """The ports of a call whose listeners are closed: another socket could be bound to them."""
    send(lab, offer(**said))
    send(lab, answer())
    lab.join(lab.plane.opened[-1])
    return set(ports(lab.plane.opened[-1]))


def test_interfaces_of_one_address_share_its_ports() -> None:
    lab = Lab(ports=4, interfaces=(INSIDE, OUTSIDE))
    taken = joined(lab, from_interface="inside", to_interface="inside")
    send(lab, offer(call_id="call-2", from_interface="outside", to_interface="outside"))
    assert taken.isdisjoint(ports(lab.plane.opened[-1]))
    reason = refusal(lab, offer(call_id="call-3", from_interface="inside", to_interface="outside"))
    assert reason == "Ran out of ports"
    assert rows(lab) == [
        {
            "interface": "inside, outside",
            "address": "192.0.2.10",
            "ports": 4,
            "in-use": 4,
            "quarantined": 0,
        }
    ]


NEXT = pytest.mark.parametrize("begin", [Lab.kill, Lab.reboot], ids=["warm", "cold"])


@NEXT
@pytest.mark.parametrize(
    "interface",
    [
        pytest.param("pub/192.0.2.10!203.0.113.77", id="told-otherwise"),
        pytest.param("wan/192.0.2.10", id="another-name"),
    ],
)
def test_ports_stay_leased_whatever_their_address_is_called_now(
    interface: str, begin: Callable[[Lab], None]
) -> None:
    lab = Lab(ports=4)
    taken = joined(lab)
    lab.interfaces = (Interface.parse(interface),)
    begin(lab)
    assert figures(lab) == {"192.0.2.10": (2, 0)}
    send(lab, offer(call_id="call-2"))
    assert taken.isdisjoint(ports(lab.plane.opened[-1]))
    send(lab, delete())
    lab.settle()
    assert figures(lab) == {"192.0.2.10": (2, 2)}
    assert refusal(lab, offer(call_id="call-3")) == "Ran out of ports"
    begin(lab)
    assert refusal(lab, offer(call_id="call-3")) == "Ran out of ports"


@NEXT
def test_ports_of_an_address_that_is_gone_stay_leased_and_rest_as_ever(
    begin: Callable[[Lab], None],
) -> None:
    lab = Lab(ports=2)
    joined(lab)
    lab.interfaces = (FAR,)
    begin(lab)
    assert figures(lab) == {"192.0.2.20": (0, 0), "192.0.2.10": (2, 0)}
    former = rows(lab)[-1]
    assert (former["interface"], former["ports"]) == ("", 0)
    send(lab, offer(call_id="call-2"))
    send(lab, delete())
    lab.settle()
    assert figures(lab) == {"192.0.2.20": (2, 0)}
    lab.interfaces = (RELAY,)
    begin(lab)
    assert refusal(lab, offer(call_id="call-3")) == "Ran out of ports"
    lab.clock.pass_time(60.0)
    send(lab, offer(call_id="call-3"))


def test_an_undone_re_offer_leaves_the_ports_whatever_their_address_is_called() -> None:
    lab = Lab(interfaces=(INSIDE, OUTSIDE))
    outside: Said = {"from_interface": "outside", "to_interface": "outside"}
    joined(lab, policy="sessmatch", **outside)
    lab.sessions.offer(offer(MOVED_ALICE, to_tag="bob", **outside))
    lab.kill()
    lab.settle()
    assert figures(lab) == {"192.0.2.10": (2, 0)}


def test_address_families_have_their_own_ports() -> None:
    lab = Lab(ports=2)
    send(lab, offer())
    send(lab, offer(sdp("2001:db8::7"), call_id="call-2"))
    assert figures(lab) == {"192.0.2.10": (2, 0), "2001:db8::10": (2, 0)}
