"""ng over TCP (``cookie SP body``, back to back) and over a unix socket (no cookie)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..commands import Origin
from . import unix
from .connections import Connections
from .ng import NgResponder
from .ng_framing import NgStream, StreamFault
from .sockets import Address, Sockets

READ_SIZE = 1 << 16
# On the unix socket messages have no cookie.
UNIX = Origin("ng-unix", "", 0)


class NgStreamServer:
    """Answers in order; a reader that does not read slows only itself."""

    def __init__(
        self,
        responder: NgResponder,
        *,
        longest: int,
        most_connections: int,
        clock: Callable[[], float] = time.monotonic,
        sockets: Sockets | None = None,
    ) -> None:
        """``longest``: bytes of one message. ``clock``: seconds, for the reply cache."""
        self._responder = responder
        self._sockets = sockets or Sockets()
        self._clock = clock
        self._longest = longest
        self._connections = Connections(self._serve, most_connections)
        self._servers: list[asyncio.Server] = []
        # The unix socket's path, with what is there.
        self._place: tuple[Path, unix.Identity | None] | None = None

    @property
    def bound(self) -> list[tuple[str, int]]:
        """The TCP addresses that are listened on."""
        names = (sock.getsockname() for server in self._servers for sock in server.sockets)
        return [(name[0], name[1]) for name in names if isinstance(name, tuple)]

    @property
    def refused_connections(self) -> int:
        """Connections beyond the limit."""
        return self._connections.refused

    async def listen_tcp(self, addresses: Iterable[Address]) -> None:
        """Listen on these addresses too; raises OSError."""
        for sock in self._sockets.tcp("ng-tcp", addresses):
            server = await asyncio.start_server(self._connections.accept, sock=sock)
            self._servers.append(server)

    async def listen_unix(self, path: Path) -> None:
        """Listen on this socket too; raises OSError, also if another process listens there."""
        sock = self._sockets.unix("ng-unix", path)
        self._place = path, unix.identity(path)
        self._servers.append(await asyncio.start_unix_server(self._connections.accept, sock=sock))

    async def close(self) -> None:
        """Stop listening and end all connections. Safe to repeat."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._place is not None:
            unix.remove(*self._place)
            self._place = None
        self._connections.abort()
        for server in servers:
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        with_cookies = isinstance(peer, tuple)
        origin = Origin("tcp", *peer[:2]) if with_cookies else UNIX
        stream = NgStream(longest=self._longest, cookies=with_cookies)
        try:
            while (data := await reader.read(READ_SIZE)) and not writer.is_closing():
                for cookie, body in stream.feed(data):
                    writer.write(self._reply(cookie, body, origin))
                    # After each: replies may be a thousand times as long as their requests.
                    await writer.drain()
            stream.end()
        except StreamFault as fault:
            if writer.is_closing():
                return
            # There is no telling where the next message begins.
            prefix = fault.cookie + b" " if with_cookies else b""
            writer.write(prefix + self._responder.refuse(fault.reason, origin))
            await writer.drain()

    def _reply(self, cookie: bytes, body: bytes, origin: Origin) -> bytes:
        if origin is UNIX:
            return self._responder.plain(body, origin)
        return self._responder.exchange(cookie, body, origin, self._clock())
