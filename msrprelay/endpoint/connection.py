"""An endpoint on a TCP connection: it dials or accepts, feeds the protocol, counts octets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import cast

from .chunks import Send
from .faults import ConnectionLost, EndpointFault
from .protocol import Endpoint, Event, Failed

DIAL_SECONDS = 30.0
WINDOW = 32
"""SENDs that may wait for their response before :meth:`Connection.send` waits."""
CLOSE_SECONDS = 10.0
"""How long a peer may read nothing of what is left for it when the connection closes."""


class Connection(asyncio.Protocol):
    """One endpoint on one connection; made by :func:`dial` or :meth:`Listener.accept`."""

    def __init__(self, endpoint: Endpoint, listener: Callable[[Event], None] | None = None) -> None:
        self.endpoint = endpoint
        self.window = WINDOW
        self.patience = CLOSE_SECONDS
        self.bytes_sent = 0
        self.bytes_received = 0
        self.closed = False
        self.fault: EndpointFault | None = None
        self._transport: asyncio.Transport | None = None
        self.listeners: tuple[Callable[[Event], None], ...] = (listener,) if listener else ()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._writable = True
        self._given_up = False

    @property
    def local_port(self) -> int:
        """The TCP port of this end, 0 when there is no connection."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return int(name[1]) if name else 0

    @contextlib.contextmanager
    def listening(self, listener: Callable[[Event], None]) -> Iterator[None]:
        """Call ``listener`` with every event while the block runs; a fault it raises ends all."""
        self.listeners += (listener,)
        try:
            yield
        finally:
            self.listeners = tuple(one for one in self.listeners if one != listener)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at whenever something has happened.

        Raises the EndpointFault that ended the session, or ConnectionLost.
        """
        if condition():
            return
        if self.closed or self.fault:
            raise self._ending()
        waiter = (condition, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter[1]
        finally:
            self._waiters.remove(waiter)

    async def bound(self) -> None:
        """Wait until both ends may speak. Raises as :meth:`until`."""
        await self.until(lambda: self.endpoint.bound)

    async def send(self, request: Send) -> None:
        """Send one chunk as soon as the window and the kernel have room. Raises as :meth:`until`,
        and NotBound."""
        await self.until(self._has_room)
        self.endpoint.send(request)
        self._flush()

    async def close(self) -> None:
        """Send what is queued, then FIN, and wait for the end of the connection.

        Raises as :meth:`until`, and ConnectionLost for a peer that stops reading: it is aborted.
        """
        if self._transport is not None:
            self._transport.close()
            await self._written(self._transport)
        await self.until(lambda: self.closed)
        if self._given_up:
            raise ConnectionLost(f"the peer read nothing for {self.patience:g} s")

    async def _written(self, transport: asyncio.Transport) -> None:
        left = 0
        while not self.closed:
            before, left = left, transport.get_write_buffer_size()
            if left and left == before:
                self._given_up = True
                transport.abort()
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    await self.until(lambda: self.closed)

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _has_room(self) -> bool:
        return self._writable and self.endpoint.unanswered < self.window and not self.closed

    def _ending(self) -> EndpointFault:
        return self.fault or ConnectionLost("the connection has ended")

    def _flush(self) -> None:
        data = self.endpoint.outgoing()
        if data and self._transport is not None and not self._transport.is_closing():
            self.bytes_sent += len(data)
            self._transport.write(data)

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Failed):
                raise event.fault
            for listener in self.listeners:
                listener(event)

    def _wake(self) -> None:
        for condition, waiter in self._waiters:
            if waiter.done():
                continue
            if condition():
                waiter.set_result(None)
            elif self.closed or self.fault:
                waiter.set_exception(self._ending())

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such by their methods only.
        self._transport = cast(asyncio.Transport, transport)
        self.endpoint.connected()
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self.fault:
            return
        try:
            self._tell(self.endpoint.receive(data))
        except EndpointFault as fault:
            self.fault = fault
        self._flush()
        if self.fault and self._transport is not None:
            self._transport.close()
        self._wake()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if exc is not None and self.fault is None:
            self.fault = ConnectionLost(f"the connection broke: {exc}")
        self._wake()


async def dial(
    endpoint: Endpoint, host: str, port: int, listener: Callable[[Event], None] | None = None
) -> Connection:
    """Connect to ``host:port`` once. Raises OSError, and TimeoutError after 30 s."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DIAL_SECONDS):
        _, connection = await loop.create_connection(
            lambda: Connection(endpoint, listener), host, port
        )
    return connection


class Listener:
    """A listening port for exactly one connection, as a passive Blink has it."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen at once; port 0 takes a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1)
        self._socket.setblocking(False)
        self.host = host
        self.port: int = self._socket.getsockname()[1]

    async def accept(
        self, endpoint: Endpoint, listener: Callable[[Event], None] | None = None
    ) -> Connection:
        """Wait for the one connection, stop listening, and put ``endpoint`` on it."""
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = await loop.sock_accept(self._socket)
        finally:
            self.close()
        _, connection = await loop.connect_accepted_socket(
            lambda: Connection(endpoint, listener), accepted
        )
        return connection

    def close(self) -> None:
        """Stop listening. Safe to repeat."""
        self._socket.close()
