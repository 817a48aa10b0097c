"""The ng protocol as a SIP server speaks it: one datagram each way, repeated until answered."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Mapping
from typing import Any

from msrprelay.rpc import bencode

from .wire import Failure

REPEAT_SECONDS = 0.5
LARGEST = 65535
_serial = itertools.count()

Reply = dict[str, Any]


class Refused(Failure):
    """The relay answered with an error; `reason` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the relay refused: {reason}")
        self.reason = reason


class Ng:
    """A client of one relay; `sock` is connected to it already."""

    def __init__(
        self, host: str, port: int, patience: float = 5.0, *, sock: socket.socket | None = None
    ) -> None:
        self.patience = patience
        if sock is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.connect((host, port))
        self.sock = sock

    def ask(self, command: str, fields: Mapping[str, object] | None = None) -> Reply:
        """Send one command; its reply. Raises Refused."""
        reply, _ = bencode.decode(self.exchange(fresh_cookie(), command, fields or {}))
        assert isinstance(reply, dict)
        told = {key: _text(value) for key, value in reply.items()}
        if told.get("result") not in ("ok", "pong"):
            raise Refused(str(told.get("error-reason") or told.get("result")))
        return told

    def exchange(self, cookie: bytes, command: str, fields: Mapping[str, object]) -> bytes:
        """The octets of the reply to one datagram with this cookie; raises Failure on silence."""
        datagram = cookie + b" " + bencode.encode({**fields, "command": command})
        self.sock.settimeout(REPEAT_SECONDS)
        for _ in range(max(1, int(self.patience / REPEAT_SECONDS))):
            try:
                self.sock.send(datagram)
                while True:
                    echoed, _, body = self.sock.recv(LARGEST).partition(b" ")
                    if echoed == cookie:
                        return body
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                raise Failure("nobody listens on the control port") from None
        raise Failure(f"no reply to {command} in {self.patience:g} s")

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def fresh_cookie() -> bytes:
    """A cookie as Kamailio makes them."""
    return b"conf_%d_%d" % (os.getpid(), next(_serial))


def _text(value: Any) -> Any:
    """Octets as text but for a body: ng knows no difference."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {key: _text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value
