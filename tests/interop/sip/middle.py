"""Between the SIP server and a relay: passes ng datagrams on, remembers them, loses or delays some.

Each socket of the SIP server gets one of its own towards the relay, so that the relay sees as many
clients as there are SIP processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msrprelay.rpc import bencode

from .programs import HOST

LARGEST = 65536
PATIENCE_SECONDS = 30.0
Address = tuple[str, int]


@dataclass
class Faults:
    """What happens to every exchange of the named commands; all of them where none is named.

    The first ``requests`` transmissions are lost, then the first ``replies``; what is left of the
    replies comes ``delay`` seconds late.
    """

    requests: int = 0
    replies: int = 0
    delay: float = 0.0
    commands: frozenset[str] = frozenset()

    def concern(self, exchange: Exchange) -> bool:
        return not self.commands or exchange.command in self.commands


@dataclass
class Exchange:
    """One command of the SIP server: all datagrams with the same cookie from the same socket."""

    command: str
    fields: dict[str, Any]
    at: float
    """When it was first asked, on the loop's clock."""
    transmissions: int = 0
    requests_lost: int = 0
    replies_lost: int = 0
    reply: dict[str, Any] | None = None
    heard: bool = False
    """Whether a reply has reached the SIP server."""

    @property
    def call_id(self) -> str:
        return _text(self.fields.get("call-id", b""))

    @property
    def result(self) -> str:
        """What came of it, in a few words."""
        if self.reply is None or not self.heard:
            return "no reply"
        said = [_text(self.reply.get("result", b""))]
        said += [_text(self.reply[key]) for key in ("error-reason", "warning") if key in self.reply]
        return ": ".join(said)


@dataclass
class Middle:
    """One relay as the SIP server sees it: point it at ``port``."""

    name: str
    port: int
    faults: Faults = field(default_factory=Faults)
    exchanges: list[Exchange] = field(default_factory=list)

    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the SIP server has asked something, or a reply has reached it."""

    async def asked(self, count: int) -> None:
        """Until there have been ``count`` commands: Sippy tells a party beside the relay."""
        await self._until(lambda: len(self.exchanges) >= count)

    async def settled(self, call_id: str) -> None:
        """Until every command about a call has had its reply."""
        await self._until(lambda: all(each.heard for each in self.of(call_id)))

    async def rewritten(self, call_id: str, command: str) -> bytes:
        """The SDP in the reply to the call's first offer (or answer), once it is out."""
        await self._until(lambda: any(self._replies(call_id, command)))
        return bytes(next(self._replies(call_id, command))["sdp"])

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                self.news.clear()
                await self.news.wait()

    def _replies(self, call_id: str, command: str) -> Iterator[dict[str, Any]]:
        for each in self.of(call_id):
            if each.command == command and each.heard and each.reply is not None:
                yield each.reply

    def of(self, call_id: str) -> list[Exchange]:
        """What the SIP server has asked about a call, in order."""
        return [each for each in self.exchanges if each.call_id == call_id]


@contextlib.asynccontextmanager
async def middle(relay_port: int, name: str = "relay") -> AsyncIterator[Middle]:
    """Stands before the relay whose ng port is given, for the block."""
    door = _Door(relay_port)
    with _bound() as listening:
        door.middle = Middle(name, listening.getsockname()[1])
        loop = asyncio.get_running_loop()
        loop.add_reader(listening, door.from_server, listening)
        try:
            yield door.middle
        finally:
            loop.remove_reader(listening)
            door.close()


class _Door:
    middle: Middle

    def __init__(self, relay_port: int) -> None:
        self._relay = (HOST, relay_port)
        self._upstream: dict[Address, socket.socket] = {}
        self._open: dict[tuple[Address, bytes], Exchange] = {}
        self._loop = asyncio.get_running_loop()
        self._late: set[asyncio.TimerHandle] = set()

    def from_server(self, listening: socket.socket) -> None:
        data, source = listening.recvfrom(LARGEST)
        exchange = self._exchange(source, data)
        exchange.transmissions += 1
        faults = self.middle.faults
        if faults.concern(exchange) and exchange.transmissions <= faults.requests:
            exchange.requests_lost += 1
            return
        if source not in self._upstream:
            upstream = self._upstream[source] = _bound()
            self._loop.add_reader(upstream, self._from_relay, upstream, listening, source)
        # A relay that is dead refuses by ICMP, which is for the SIP server's own socket to see.
        with contextlib.suppress(OSError):
            self._upstream[source].sendto(data, self._relay)

    def close(self) -> None:
        for handle in self._late:
            handle.cancel()
        for upstream in self._upstream.values():
            self._loop.remove_reader(upstream)
            upstream.close()

    def _exchange(self, source: Address, data: bytes) -> Exchange:
        cookie, _, body = data.partition(b" ")
        key = (source, cookie)
        if key not in self._open:
            fields = _dictionary(body)
            self._open[key] = Exchange(_text(fields.get("command", b"")), fields, self._loop.time())
            self.middle.exchanges.append(self._open[key])
            self.middle.news.set()
        return self._open[key]

    def _from_relay(self, upstream: socket.socket, listening: socket.socket, to: Address) -> None:
        try:
            data = upstream.recv(LARGEST)
        except OSError:
            return
        cookie, _, body = data.partition(b" ")
        exchange, faults = self._open[to, cookie], self.middle.faults
        exchange.reply = _dictionary(body)
        concerned = faults.concern(exchange)
        if concerned and exchange.replies_lost < faults.replies:
            exchange.replies_lost += 1
            return

        def deliver() -> None:
            self._late.discard(handle)
            exchange.heard = True
            self.middle.news.set()
            listening.sendto(data, to)

        handle = self._loop.call_later(faults.delay if concerned else 0.0, deliver)
        self._late.add(handle)


def story(middles: list[Middle], call_id: str) -> str:
    """What was asked about a call and what came back, as a line of the interop document."""
    asked = [(one, exchange) for one in middles for exchange in one.of(call_id)]
    said = []
    for one, exchange in sorted(asked, key=lambda pair: pair[1].at):
        where = f"{one.name}: " if len(middles) > 1 else ""
        lost = exchange.requests_lost + exchange.replies_lost
        times = f" ({lost} lost)" if lost else ""
        said.append(f"{where}`{exchange.command}`{times} → {exchange.result}")
    runs = [(text, len(list(same))) for text, same in itertools.groupby(said)]
    return "; ".join(f"{count} × {text}" if count > 1 else text for text, count in runs)


def _bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    made.setblocking(False)
    return made


def _dictionary(body: bytes) -> dict[str, Any]:
    value, _ = bencode.decode(body)
    assert isinstance(value, dict), f"no dictionary: {body!r}"
    return value


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
