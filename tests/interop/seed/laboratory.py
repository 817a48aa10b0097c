"""The first seed's network: client 1, what stands in the middle, client 2.

Addresses and ports are the seed's; further address pairs are its neighbours in the same subnets.
The kernel gives each pair of addresses its own timestamp offset (net.ipv4.tcp_timestamps=1), so
which client has the higher clock is a coin tossed by the choice of addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, NamedTuple

from ..namespaces import Lab, Namespace

MEDIA = "10.207.1.100"
PORTS = (15002, 15000)
ADDRESSES = (IPv4Address("10.201.1.152"), IPv4Address("10.201.1.99"))
SUBNETS = ("10.201.1.128/25", "10.201.1.0/25")
WIRES = ("192.0.2.0/30", "192.0.2.4/30")
GATEWAYS = ("192.0.2.2", "192.0.2.6")
NEAR_ENDS = ("192.0.2.1", "192.0.2.5")
SESSION_IDS = ("5b2a9d17c4e08f3361ad", "8e943e31a8e49a6597f0")

Side = Literal[0, 1]
HERE = Path(__file__).parent


class Clients(NamedTuple):
    """The addresses the two clients use in one call."""

    first: str
    second: str

    def uris(self) -> tuple[str, str]:
        """Each client's own MSRP URI; 2855 is the port Blink wrote."""
        first, second = (
            f"msrp://{host}:2855/{sid};tcp" for host, sid in zip(self, SESSION_IDS, strict=True)
        )
        return first, second


def address_pairs(count: int) -> list[Clients]:
    """The seed's pair of clients and its neighbours."""
    first, second = ADDRESSES
    return [Clients(str(first + step), str(second + step)) for step in range(count)]


@dataclass(frozen=True)
class Network:
    """Three namespaces in a row."""

    clients: tuple[Namespace, Namespace]
    middle: Namespace
    scratch: Path
    """A directory for what the middle needs on disk."""

    @staticmethod
    def build(lab: Lab, scratch: Path) -> Network:
        middle = lab.namespace("middle")
        middle.sysctl("net.ipv4.ip_forward", 1)
        return Network((_client(lab, middle, 0), _client(lab, middle, 1)), middle, scratch)

    def paws_drops(self) -> list[int]:
        """TcpExtPAWSEstab of both clients: segments rejected for their old timestamp."""
        return [client.counters()["TcpExtPAWSEstab"] for client in self.clients]


def _client(lab: Lab, middle: Namespace, side: Side) -> Namespace:
    client = lab.namespace(f"client{side + 1}")
    lab.wire(client, middle, WIRES[side])
    # The whole subnet is local to the client: any address of it can be dialled from.
    client.ip("route", "add", "local", SUBNETS[side], "dev", "lo")
    client.ip("route", "add", "default", "via", GATEWAYS[side])
    middle.ip("route", "add", SUBNETS[side], "via", NEAR_ENDS[side])
    client.sysctl("net.ipv4.tcp_timestamps", 1)
    # The seed's SYNs carried MSS, window scale and timestamps, no SACK.
    client.sysctl("net.ipv4.tcp_sack", 0)
    return client
