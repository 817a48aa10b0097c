"""Link layers: where the network packet begins in a frame (libpcap's numbers of link types)."""

from __future__ import annotations

import struct

IPV4, IPV6 = 0x0800, 0x86DD
VLAN_TYPES = frozenset({0x8100, 0x88A8, 0x9100})
MAX_VLANS = 4

ETHERNET, SLL, SLL2 = 1, 113, 276
AFTER_FAMILY = frozenset({0, 108})
"""BSD loopback: four octets with the address family in front."""

BARE = frozenset({12, 14, 101, 228, 229})
"""No link layer at all: raw IP under its several numbers."""

READ = {ETHERNET, SLL, SLL2} | AFTER_FAMILY | BARE
"""Every link type that :func:`network` understands."""


def network(linktype: int, data: bytes) -> tuple[int, int]:
    """(EtherType, offset of the network header); (0, 0) if it is none we read."""
    if linktype == ETHERNET:
        return _tagged(data, 12, 14)
    if linktype == SLL:
        return _tagged(data, 14, 16)
    if linktype == SLL2:
        return _tagged(data, 0, 20)
    if linktype in AFTER_FAMILY:
        return _by_version(data, 4)
    if linktype in BARE:
        return _by_version(data, 0)
    return 0, 0


def _tagged(data: bytes, at: int, after: int) -> tuple[int, int]:
    """The type at ``at``; while it announces a VLAN, the one two octets behind ``after``."""
    kind: int = struct.unpack_from("!H", data, at)[0]
    for _ in range(MAX_VLANS):
        if kind not in VLAN_TYPES:
            break
        kind = struct.unpack_from("!H", data, after + 2)[0]
        after += 4
    return kind, after


def _by_version(data: bytes, at: int) -> tuple[int, int]:
    return {4: IPV4, 6: IPV6}.get(data[at] >> 4, 0), at
