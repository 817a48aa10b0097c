"""JSON-RPC on a unix socket: one JSON text a line, each way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import structlog

from ..commands import Origin
from . import unix
from .jsonrpc import INVALID_REQUEST, Fault, JsonRpcResponder

log = structlog.get_logger(__name__)


class JsonRpcServer:
    """The operator's socket. Connections answer in order; a slow reader slows only itself."""

    def __init__(
        self,
        responder: JsonRpcResponder,
        path: Path,
        *,
        longest_line: int = 1 << 20,
        most_connections: int = 64,
    ) -> None:
        """``longest_line`` in bytes; a connection beyond ``most_connections`` is closed at once."""
        self._responder = responder
        self._path = path
        self._longest = longest_line
        self._most = most_connections
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        # What the two limits refused, for ``limits``.
        self.refused_lines = 0
        self.refused_connections = 0

    async def start(self) -> None:
        """Listen; raises OSError, also if another process listens at the path."""
        sock = unix.listener(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=self._longest)

    async def close(self) -> None:
        """Stop listening, remove the socket and end all connections. Safe to repeat."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        self._path.unlink(missing_ok=True)
        for writer in tuple(self._open):
            writer.transport.abort()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._most:
            self.refused_connections += 1
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            await self._converse(reader, writer)
        except ConnectionError as error:
            log.debug("control connection lost", error=error)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = unix.peer(writer.get_extra_info("socket"))
        log.info("control connection", path=str(self._path), pid=peer.pid, uid=peer.uid)
        origin = Origin("unix", str(peer), 0)
        while line := await self._line(reader, writer):
            reply = self._responder.answer(line, origin)
            if reply is not None:
                writer.write(reply + b"\n")
                await writer.drain()

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
