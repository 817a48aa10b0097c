"""JSON-RPC on a unix socket: one JSON text a line, each way; events between the replies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from ..commands import Origin
from ..events import Feed
from ..log import Log
from . import unix
from .connections import Connections
from .jsonrpc import INVALID_REQUEST, Fault, JsonRpcResponder
from .sockets import Sockets
from .subscription import Subscription

log = Log()

# Seconds for what has been written when the relay stops.
LAST_WORDS = 1.0


class JsonRpcServer:
    """The operator's socket. Connections answer in order; a slow reader slows only itself."""

    def __init__(
        self,
        responder: JsonRpcResponder,
        path: Path,
        *,
        feed: Feed | None = None,
        longest_line: int = 1 << 20,
        most_connections: int = 64,
        event_queue: int = 1000,
        sockets: Sockets | None = None,
    ) -> None:
        """``longest_line`` in bytes; a connection beyond ``most_connections`` is closed at once.

        ``feed`` is what can be subscribed to; ``event_queue`` events wait for a slow reader.
        """
        self._responder = responder
        self._path = path
        self._sockets = sockets or Sockets()
        self._feed = feed or Feed()
        self._longest = longest_line
        self._event_queue = event_queue
        self._server: asyncio.Server | None = None
        self._own: unix.Identity | None = None
        self._connections = Connections(self._serve, most_connections)
        self._subscriptions: set[Subscription] = set()
        # Refused for their length, for ``limits``.
        self.refused_lines = 0

    @property
    def refused_connections(self) -> int:
        """Connections beyond the limit."""
        return self._connections.refused

    async def start(self) -> None:
        """Listen; raises OSError, also if another process listens at the path."""
        sock = self._sockets.unix("ctl", self._path)
        self._own = unix.identity(self._path)
        accept = self._connections.accept
        self._server = await asyncio.start_unix_server(accept, sock=sock, limit=self._longest)

    async def close(self) -> None:
        """Stop listening, remove the socket and end all connections. Safe to repeat.

        Subscribers are told what has happened up to now, if they soon read it.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        unix.remove(self._path, self._own)
        for subscription in self._subscriptions:
            subscription.finish()
        await self._connections.close(LAST_WORDS)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = unix.peer(writer.get_extra_info("socket"))
        log.info("control connection", path=str(self._path), pid=peer.pid, uid=peer.uid)
        origin = Origin("unix", str(peer), 0)
        subscription = Subscription(self._feed, writer, self._event_queue)
        self._subscriptions.add(subscription)
        try:
            # When the relay stops, what is left of a line is no request, and nobody hears a reply.
            while (line := await self._line(reader, writer)) and not writer.is_closing():
                reply = self._responder.answer(line, origin, subscription)
                if reply is not None:
                    writer.write(reply + b"\n")
                    await writer.drain()
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The next line; empty at the end of the stream, or after a line that is too long."""
        try:
            return await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            # A last line without its end is a request too: `echo -n` is easily typed.
            return end.partial
        except asyncio.LimitOverrunError:
            self.refused_lines += 1
            why = f"Invalid Request: a line has at most {self._longest} bytes"
            error = self._responder.error(None, Fault(INVALID_REQUEST, why))
            writer.write(msgspec.json.encode(error) + b"\n")
            return b""
