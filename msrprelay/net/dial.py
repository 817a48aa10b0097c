"""Whom the relay may dial: an SDP is a stranger's text, and the relay must not become its weapon.

The rule applies to the resolved address, so a name cannot smuggle one in.
"""

from __future__ import annotations

import asyncio

# The resolver imports it at its first name, and the daemon imports nothing after its start.
import encodings.idna  # noqa: F401
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# RFC 6135 section 4.2.2: "the port number value should be 9", an endpoint that only dials.
DISCARD_PORT = 9


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """Who may be dialled: ``deny`` wins over ``allow``, ``allow`` over the built-in denials."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    own: frozenset[Address] = frozenset()

    @classmethod
    def of(cls, allow: Iterable[str], deny: Iterable[str], own: Iterable[Address]) -> DialPolicy:
        """Read CIDRs; raises ValueError for one that is none."""
        return cls(
            tuple(ip_network(cidr, strict=False) for cidr in allow),
            tuple(ip_network(cidr, strict=False) for cidr in deny),
            frozenset(own),
        )

    def denial(self, address: Address, port: int) -> str | None:
        """Why ``address:port`` must not be dialled; None if it may be."""
        # A mapped address reaches the IPv4 one: it must not be a way around the rules.
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if port in (0, DISCARD_PORT):
            return f"port {port} is never dialled (RFC 6135 section 4.2.2)"
        if address.is_unspecified or address.is_multicast:
            return f"{address} is not one peer's address"
        if any(address in network for network in self.deny):
            return f"{address} is in a --dial-deny range"
        if any(address in network for network in self.allow):
            return None
        if address.is_loopback or address.is_link_local or address in self.own:
            return f"{address} is local to the relay: only --dial-allow can permit it"
        return None


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host name, best first (RFC 4975 section 6.2), off the control thread.

    An empty list if there is none: the caller reports it as a denied dial.
    """
    # A zone (fe80::1%eth0) means something to the host that wrote it alone.
    if host.rstrip(".").endswith(".invalid") or "%" in host:
        return []
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # The latter: a label that is empty or has over 63 octets, which DNS cannot ask about.
        return []
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))
