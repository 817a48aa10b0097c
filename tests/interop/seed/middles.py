"""What can stand between the two clients: the seed's splicer, a plain relay, msrprelay."""

from __future__ import annotations

import sys
from typing import Protocol

from ..namespaces import Namespace, first_line
from .laboratory import HERE, MEDIA, PORTS, SESSION_IDS, Clients, Network

READY_SECONDS = 20.0
TUN = "splice"


class Middle(Protocol):
    """The thing in the middle, ready for calls one after the other."""

    strict: bool
    """Whether the clients may compare whole paths, as RFC 4975 wants."""

    def admit(self, clients: Clients) -> tuple[str, str]:
        """Readies the middle for one call; gives each client the URI it is to dial."""
        ...


class Splicer:
    """The seed's SBC: headers rewritten on a TUN device, the a=path of the SDP likewise."""

    strict = False

    def __init__(self, network: Network) -> None:
        self._middle = network.middle
        self._middle.ip("tuntap", "add", "dev", TUN, "mode", "tun")
        self._middle.ip("link", "set", TUN, "up")
        self._middle.ip("route", "add", MEDIA, "dev", TUN)

    def admit(self, clients: Clients) -> tuple[str, str]:
        return _start(self._middle, "splicer.py", TUN, MEDIA)


class SocketRelay:
    """Two sockets and a copy."""

    strict = False

    def __init__(self, network: Network) -> None:
        self._middle = network.middle
        self._middle.ip("address", "add", MEDIA, "dev", "lo")

    def admit(self, clients: Clients) -> tuple[str, str]:
        return _start(self._middle, "socket_relay.py", MEDIA)


def _start(middle: Namespace, script: str, *arguments: str) -> tuple[str, str]:
    """Starts the middle of one call anew; the URIs it stands for, as the seed's SBC wrote them.

    Each client gets the media address, its own port there, and the other's session-id.
    """
    middle.stop_processes()
    command = [sys.executable, "-I", "-S", str(HERE / script), *arguments, *map(str, PORTS)]
    first_line(middle.spawn(command), READY_SECONDS)
    first, second = (
        f"msrp://{MEDIA}:{port}/{sid};tcp"
        for port, sid in zip(PORTS, SESSION_IDS[::-1], strict=True)
    )
    return first, second
