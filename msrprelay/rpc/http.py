"""ng over HTTP: ``POST /ng`` with a cookie, ``POST /ng-plain`` without, ``GET /ping``.

And ``GET /metrics``, for Prometheus.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..commands import Origin
from ..errors import NOT_NG
from ..log import Log, Throttle
from .ng import NgResponder
from .sockets import Address, Sockets

log = Log()

NG_TYPE = "application/x-rtpengine-ng"
JSON_TYPE = "application/json"
# Seconds an idle client may keep its connection, and half a request may take to be whole.
KEEPALIVE = 75.0
# Seconds for a request that has begun when the relay stops, and again for its end.
LAST_WORDS = 0.5
# What is logged of a fault: it quotes what came.
LONGEST_REASON = 200
# From the header Accept to a text and its media type.
Metrics = Callable[[str], tuple[bytes, str]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpServer:
    """ng for scripts. A request is answered by its own response, so nothing is cached."""

    def __init__(
        self,
        responder: NgResponder,
        *,
        longest: int,
        most_connections: int,
        metrics: Metrics,
        sockets: Sockets | None = None,
    ) -> None:
        """``longest``: bytes of one message; above it the answer is 413."""
        self._responder = responder
        self._metrics = metrics
        self._sockets = sockets or Sockets()
        self._most = most_connections
        application = web.Application(client_max_size=longest, middlewares=[self._note])
        application.add_routes(
            [
                web.post("/ng", self._ng),
                web.post("/ng-plain", self._ng_plain),
                web.get("/ping", self._ping),
                web.get("/metrics", self._scrape),
            ]
        )
        self._runner = web.AppRunner(
            application,
            access_log=None,
            keepalive_timeout=KEEPALIVE,
            handle_signals=False,
            # Commands take no time: only half a request is ever waited for.
            shutdown_timeout=LAST_WORDS,
            # A small body may become a very large one, and no client needs it.
            auto_decompress=False,
            logger=faults(),
        )
        self._servers: list[asyncio.Server] = []
        # Connections that have asked something, and those that were there at the last look.
        self._asked: set[web.RequestHandler] = set()
        self._seen: set[web.RequestHandler] = set()
        self._next_look: asyncio.TimerHandle | None = None
        self.refused_connections = 0

    @property
    def bound(self) -> list[tuple[str, int]]:
        """The addresses that are listened on."""
        names = (sock.getsockname() for server in self._servers for sock in server.sockets)
        return [(name[0], name[1]) for name in names]

    async def start(self, addresses: Iterable[Address]) -> None:
        """Listen; raises OSError."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        for sock in self._sockets.tcp("http", addresses):
            self._servers.append(await loop.create_server(self._protocol, sock=sock))
        self._next_look = loop.call_later(KEEPALIVE, self._look)

    async def close(self) -> None:
        """Stop listening and end all connections. Safe to repeat."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._next_look is not None:
            self._next_look.cancel()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._most:
            self.refused_connections += 1
            return _Refused()
        return server()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._asked.add(request.protocol)
        if len(self._asked) > 2 * self._most:
            # Else those that came and went would be kept until the next look.
            self._asked &= self._connections()
        return await handler(request)

    def _look(self) -> None:
        """End connections that have asked nothing: aiohttp's own limit begins with a response."""
        there = self._connections()
        self._asked &= there
        for silent in self._seen & there - self._asked:
            silent.force_close()
        self._seen = there
        self._next_look = asyncio.get_running_loop().call_later(KEEPALIVE, self._look)

    def _connections(self) -> set[web.RequestHandler]:
        server = self._runner.server
        return set() if server is None else set(server.connections)

    async def _ng(self, request: web.Request) -> web.Response:
        cookie, space, body = (await whole(request)).partition(b" ")
        if not cookie or not space:
            # rtpengine is silent here; over HTTP somebody waits for an answer.
            refused = self._responder.refuse(NOT_NG, origin_of(request))
            return web.Response(status=400, body=refused, content_type=NG_TYPE)
        reply = self._responder.plain(body, origin_of(request))
        return web.Response(body=b"%s %s" % (cookie, reply), content_type=NG_TYPE)

    async def _ng_plain(self, request: web.Request) -> web.Response:
        reply = self._responder.plain(await whole(request), origin_of(request))
        kind = JSON_TYPE if reply.startswith(b"{") else NG_TYPE
        return web.Response(body=reply, content_type=kind)

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.Response(text="pong")

    async def _scrape(self, request: web.Request) -> web.Response:
        text, kind = self._metrics(",".join(request.headers.getall("Accept", ())))
        return web.Response(body=text, headers={"Content-Type": kind})


class _Refused(asyncio.Protocol):
    """A connection beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        transport.abort()  # type: ignore[attr-defined]


class _Faults(logging.Handler):
    """What aiohttp has to say: strangers' bytes cost a line once in a while, and no traceback."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._throttle = Throttle(time.monotonic)

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if not isinstance(fault, (HttpProcessingError, web.RequestPayloadError)):
            log.error("http request failed", reason=record.getMessage(), exc_info=record.exc_info)
            return
        held = self._throttle.admit(type(fault).__name__)
        if held is not None:
            reason = " ".join(str(fault).split())[:LONGEST_REASON]
            log.warning("odd http message", reason=reason, held_back=held)


def faults() -> logging.Logger:
    """aiohttp's log as lines of ours."""
    logger = logging.Logger("http", logging.WARNING)
    logger.addHandler(_Faults())
    return logger


async def whole(request: web.Request) -> bytes:
    """The body; one that cannot be read, of odd chunks say, is answered 400, half of one 408."""
    try:
        async with asyncio.timeout(KEEPALIVE):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None


def origin_of(request: web.Request) -> Origin:
    """Who asked, for the log."""
    return Origin("http", request.remote or "", 0)
