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
    """Seconds throughout."""

    interfaces: Interfaces
    dialling: DialPolicy
    # By interface name, where an offer does not say msrp-path.
    policies: Mapping[str, Policy]
    offer_timeout: float
    delete_delay: float
    reconnect_window: float
    idle: float | None
    final: float | None
    # A delete while a re-offer of the same tag is pending.
    delete_pending: PendingRule
    # What loop-protect writes, the same for every call of this relay.
    mark: str
    sections_per_call: int
    # Bounds on one SDP: octets and m= lines.
    sdp_size: int
    sdp_sections: int
