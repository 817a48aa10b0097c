"""The SIP side: offers, answers and deletes as Kamailio sends them, and a network that loses."""

from __future__ import annotations

import itertools
import os
import random
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from msrprelay.rpc import bencode

from ..conformance.call import uri
from ..peers import sdp
from ..peers.ng import LARGEST
from .kinds import Kind
from .link import Link

HERE = "127.0.0.1"
# Kamailio's defaults: rtpengine_tout_ms, rtpengine_retr.
REPEAT_SECONDS = 1.0
TRIES = 5
Address = tuple[str, int]
_serial = itertools.count(1)


class Failed(Exception):
    """A command was refused, or nobody answered."""


class Control:
    """Commands to one relay; each from a socket of its own, repeated with the same cookie."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.repeated = 0

    def ask(self, command: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """The reply. Raises Failed."""
        cookie = b"chaos_%d_%d" % (os.getpid(), next(_serial))
        datagram = cookie + b" " + bencode.encode({**fields, "command": command})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(self.address)
            for attempt in range(TRIES):
                self.repeated += attempt > 0
                body = exchange(sock, datagram, cookie)
                if body is not None:
                    return _judged(command, body)
        raise Failed(f"{command}: no reply to {TRIES} datagrams in {TRIES * REPEAT_SECONDS:g} s")


def exchange(sock: socket.socket, datagram: bytes, cookie: bytes) -> bytes | None:
    """One datagram, and the first reply with this cookie in REPEAT_SECONDS."""
    until = time.monotonic() + REPEAT_SECONDS
    try:
        sock.send(datagram)
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            echoed, _, body = sock.recv(LARGEST).partition(b" ")
            if echoed == cookie:
                return body
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        time.sleep(max(0.0, until - time.monotonic()))
    return None


def _judged(command: str, body: bytes) -> dict[str, Any]:
    reply: Any = bencode.decode(body)[0]
    if reply["result"] != b"ok":
        told = b"%b %b" % (reply["result"], reply.get("error-reason", b""))
        raise Failed(f"{command}: {told.decode('utf-8', 'replace')}")
    return dict(reply)


class SipCall:
    """One call of two peers of the traffic process."""

    def __init__(
        self, control: Control, link: Link, kind: Kind, number: int, ports: dict[str, int]
    ):
        self._control = control
        self._link = link
        self._kind = kind
        self._number = number
        self._ports = {side: port or 9 for side, port in ports.items()}
        self._own = {side: uri(HERE, port) for side, port in self._ports.items()}
        self.told: dict[str, sdp.Told] = {}
        self.tags: dict[str, object] = {"call-id": f"chaos-{os.getpid()}-{number}", "from-tag": "a"}

    def offer(self) -> None:
        """a offers; b is told."""
        self._exchange("offer", "a", "b", {})

    def answer(self) -> None:
        """b answers; a is told."""
        self._exchange("answer", "b", "a", {"to-tag": "b"})

    def reoffer(self) -> None:
        """The same again in the dialog: nobody may be told another place."""
        before = {side: (told.address, told.path) for side, told in self.told.items()}
        self._exchange("offer", "a", "b", {"to-tag": "b"})
        self._exchange("answer", "b", "a", {"to-tag": "b"})
        after = {side: (told.address, told.path) for side, told in self.told.items()}
        if before != after:
            raise Failed(f"re-offer: {after} instead of {before}")

    def delete(self) -> None:
        """The BYE's."""
        self._control.ask("delete", {**self.tags, "flags": ["fatal"], "delete-delay": "0"})

    def connect(self) -> None:
        """The peers go where they were told."""
        self._link.connect(
            self._number,
            {side: self.told[side].address for side in "ab"},
            {side: (self._own[side], self.told[side].path[0]) for side in "ab"},
        )

    def _exchange(self, command: str, said: str, told: str, more: Mapping[str, object]) -> None:
        setup = self._kind.setups["ab".index(said)]
        section = sdp.section(self._own[said], setup=setup, host=HERE, port=self._ports[said])
        fields = {"msrp-path": self._kind.policy, "sdp": sdp.body(section).encode()}
        reply = self._control.ask(command, {**self.tags, **more, **fields})
        self.told[told] = sdp.message_sections(bytes(reply["sdp"]).decode())[0]


class LossyNetwork:
    """UDP to `target` by a way that loses, doubles and overtakes; of a cookie it loses one at most.

    Whoever asks three times is heard, unless the relay itself fails.
    """

    LOSES, DOUBLES, DELAYS, LATEST = 0.1, 0.1, 0.15, 0.05
    # Each command has a socket of its own; those of the oldest are closed.
    CLIENTS = 100

    def __init__(self, target: Address, seed: int) -> None:
        self._target = target
        self._random = random.Random(seed)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((HERE, 0))
        self.address: Address = (HERE, self._front.getsockname()[1])
        self._backs: dict[Address, socket.socket] = {}
        self._lost: set[bytes] = set()
        self._late: list[tuple[float, socket.socket, bytes, Address]] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._running = True
        self._thread = threading.Thread(target=self._run)
        self.counts = {"lost": 0, "doubled": 0, "delayed": 0}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._running = False
        self._thread.join()
        for sock in (self._front, *self._backs.values()):
            sock.close()
        self._selector.close()

    def _run(self) -> None:
        while self._running:
            for key, _ in self._selector.select(0.01):
                self._pass(key.fileobj, key.data)
            now = time.monotonic()
            due = [each for each in self._late if each[0] <= now]
            self._late = [each for each in self._late if each[0] > now]
            for _, sock, datagram, to in due:
                sock.sendto(datagram, to)

    def _pass(self, sock: Any, client: Address | None) -> None:
        try:
            datagram, source = sock.recvfrom(LARGEST)
        except OSError:
            return
        if client is None:
            self._roll(self._back(source), datagram, self._target)
        else:
            self._roll(self._front, datagram, client)

    def _back(self, client: Address) -> socket.socket:
        if client not in self._backs:
            if len(self._backs) == self.CLIENTS:
                self._forget(next(iter(self._backs)))
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.bind((HERE, 0))
            self._backs[client] = back
            self._selector.register(back, selectors.EVENT_READ, client)
        return self._backs[client]

    def _forget(self, client: Address) -> None:
        back = self._backs.pop(client)
        self._selector.unregister(back)
        self._late = [each for each in self._late if each[1] is not back]
        back.close()

    def _roll(self, sock: socket.socket, datagram: bytes, to: Address) -> None:
        cookie = datagram.partition(b" ")[0]
        fate = self._random.random()
        if fate < self.LOSES and cookie not in self._lost:
            self._lost.add(cookie)
            self.counts["lost"] += 1
        elif fate < self.LOSES + self.DELAYS:
            self.counts["delayed"] += 1
            due = time.monotonic() + self._random.uniform(0, self.LATEST)
            self._late.append((due, sock, datagram, to))
        else:
            sock.sendto(datagram, to)
            if fate > 1 - self.DOUBLES:
                self.counts["doubled"] += 1
                sock.sendto(datagram, to)
