"""What can stand between the two clients: the seed's splicer, a plain relay, msrprelay."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from msrprelay.rpc import bencode

from ..namespaces import Namespace, await_output
from .laboratory import HERE, MEDIA, PORTS, SESSION_IDS, Clients, Network

READY_SECONDS = 20.0
TUN = "splice"
NG = ("127.0.0.1", 2224)


Targets = tuple[str, str]
"""The URIs client 1 and client 2 are told to dial."""


class Middle(Protocol):
    """The thing in the middle, ready for calls one after the other."""

    strict: bool
    """Whether the clients may compare whole paths, as RFC 4975 wants."""

    def call(self, clients: Clients) -> AbstractContextManager[Targets]:
        """Sets one call up, tells the clients where to dial, and ends it with the block."""
        ...


class Splicer:
    """The seed's SBC: headers rewritten on a TUN device, the a=path of the SDP likewise."""

    strict = False

    def __init__(self, network: Network) -> None:
        self._middle = network.middle
        self._middle.ip("tuntap", "add", "dev", TUN, "mode", "tun")
        self._middle.ip("link", "set", TUN, "up")
        self._middle.ip("route", "add", MEDIA, "dev", TUN)

    def call(self, clients: Clients) -> AbstractContextManager[Targets]:
        return _process_of_one_call(self._middle, "splicer.py", TUN, MEDIA)


class SocketRelay:
    """Two sockets and a copy."""

    strict = False

    def __init__(self, network: Network) -> None:
        self._middle = network.middle
        self._middle.ip("address", "add", MEDIA, "dev", "lo")

    def call(self, clients: Clients) -> AbstractContextManager[Targets]:
        return _process_of_one_call(self._middle, "socket_relay.py", MEDIA)


@contextmanager
def _process_of_one_call(middle: Namespace, script: str, *arguments: str) -> Iterator[Targets]:
    """Runs a script of this directory; the URIs are as the seed's SBC wrote them.

    Each client gets the media address, its own port there, and the other's session-id.
    """
    command = [sys.executable, "-I", "-S", str(HERE / script), *arguments, *map(str, PORTS)]
    await_output(middle.spawn(command), "ready", READY_SECONDS)
    first, second = (
        f"msrp://{MEDIA}:{port}/{sid};tcp"
        for port, sid in zip(PORTS, SESSION_IDS[::-1], strict=True)
    )
    yield first, second
    middle.stop_processes()


class MsrpRelay:
    """msrprelay, asked by ng as a SIP server does: aware policy, both ends `a=setup:active`."""

    strict = True

    def __init__(self, network: Network) -> None:
        self._middle = network.middle
        self._middle.ip("address", "add", MEDIA, "dev", "lo")
        command = [sys.executable, "-m", "msrprelay.cli.daemon", "--no-keeper"]
        command += [f"--interface=media/{MEDIA}", f"--listen-ng={NG[0]}:{NG[1]}"]
        command += [f"--control={network.scratch}/ctl.sock"]
        daemon = self._middle.spawn(command, stderr=subprocess.STDOUT)
        await_output(daemon, '"serving"', READY_SECONDS)

    @contextmanager
    def call(self, clients: Clients) -> Iterator[Targets]:
        call = {"call-id": f"seed {clients.first} {clients.second}", "from-tag": "caller"}
        offer, answer = map(_active_sdp, clients, clients.uris())
        offered = self._ask(call | {"command": "offer", "sdp": offer})
        answered = self._ask(call | {"command": "answer", "to-tag": "callee", "sdp": answer})
        yield _path(answered), _path(offered)
        self._ask(call | {"command": "delete", "delete-delay": "0"})

    def _ask(self, request: dict[str, str]) -> dict[str, bencode.Value]:
        """Sends one ng command and takes its reply, which must be `ok`."""
        with self._middle.socket(socket.AF_INET, socket.SOCK_DGRAM) as ng:
            ng.settimeout(READY_SECONDS)
            ng.connect(NG)
            ng.send(b"cookie " + bencode.encode(request))
            reply, _ = bencode.decode(ng.recv(65535).partition(b" ")[2])
        assert isinstance(reply, dict)
        assert reply["result"] == b"ok", reply
        return reply


def _active_sdp(host: str, uri: str) -> str:
    lines = [
        "v=0",
        f"o=- 3509990804 3509990804 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        "m=message 2855 TCP/MSRP *",
        f"a=path:{uri}",
        "a=accept-types:text/plain",
        "a=setup:active",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _path(reply: dict[str, bencode.Value]) -> str:
    """The URI in the SDP that the relay wrote."""
    sdp = reply["sdp"]
    assert isinstance(sdp, bytes)
    found = re.search(rb"^a=path:(\S+)", sdp, re.MULTILINE)
    assert found, sdp
    return found[1].decode()
