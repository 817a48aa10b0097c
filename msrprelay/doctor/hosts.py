"""Hosts, their addresses and ports, and which of them can be reached from where."""

from __future__ import annotations

from ipaddress import ip_network
from typing import NamedTuple

from ..net.uri import address, host_port

PRIVATE = tuple(
    ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""RFC 1918, RFC 6598, RFC 4193."""


class Endpoint(NamedTuple):
    """A host's address and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


def private(host: str) -> bool:
    """Whether ``host`` is an address that only its own network can reach."""
    found = address(host)
    return found is not None and any(found.version == n.version and found in n for n in PRIVATE)


def public(host: str) -> bool:
    """Whether ``host`` is an address of the open internet."""
    found = address(host)
    return found is not None and found.is_global
