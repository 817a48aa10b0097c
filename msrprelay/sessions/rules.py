"""What the daemon's configuration says about every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..commands import PendingRule
from ..net.dial import DialPolicy
from ..net.interfaces import Interfaces
from ..words import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """Where calls are relayed, how long they may take, how large they may be.

    Durations are seconds, those of ``timers.*`` in the configuration.
    """

    interfaces: Interfaces
    # Whom the relay may dial.
    dialling: DialPolicy
    # By interface name, where an offer does not say msrp-path.
    policies: Mapping[str, Policy]
    # How long an offer, first or pending, waits for its answer.
    offer_timeout: float
    # For bytes in flight after a delete that does not say how long.
    delete_delay: float
    # How long ports and URIs of a call stay after a lost leg.
    reconnect_window: float
    # How long a session may be silent where its offer does not say it, and live; None: for ever.
    idle: float | None
    final: float | None
    # What a delete means while a re-offer of the same tag is pending, unless it says so itself.
    delete_pending: PendingRule
    # What loop-protect writes, the same for every call of this relay.
    mark: str
    # Sessions that one call may have.
    sections_per_call: int
    # Bounds on one SDP: octets and m= lines.
    sdp_size: int
    sdp_sections: int
