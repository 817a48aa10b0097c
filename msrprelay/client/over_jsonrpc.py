"""The control protocol by JSON-RPC on the daemon's unix socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from .relay import NotReached, Refused, Reply
from .replies import for_json, settled

# A reply to list or query may be long; the daemon's own lines end where its limits do.
LONGEST_LINE = 64 << 20


class Error(msgspec.Struct):
    """The error object of a JSON-RPC response."""

    message: str


class Response(msgspec.Struct):
    """A JSON-RPC response, as far as it matters."""

    id: int | None = None
    result: Reply | None = None
    error: Error | None = None


class JsonRpcChannel:
    """JSON-RPC on one connection; answers find their question by its id."""

    def __init__(self, path: str, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, command: str, fields: Mapping[str, object]) -> Reply:
        number = next(self._numbers)
        params = {key: for_json(value) for key, value in fields.items()}
        request = {"jsonrpc": "2.0", "method": command, "params": params, "id": number}
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._patience):
                writer = await self._connected()
                self._waiting[number] = answer
                writer.write(msgspec.json.encode(request) + b"\n")
                await writer.drain()
                return settled(await answer)
        except TimeoutError:
            raise NotReached(f"{self._path}: no reply within {self._patience:g} s") from None
        except OSError as error:
            raise NotReached(f"{self._path}: {error.strerror or error}") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._reading is not None and self._writer is not None:
            self._writer.close()
            await self._reading

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                reader, self._writer = await asyncio.open_unix_connection(
                    self._path, limit=LONGEST_LINE
                )
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        why: Exception = ConnectionResetError("the relay closed the connection")
        try:
            while line := await reader.readline():
                self._take(msgspec.json.decode(line, type=Response))
        except (OSError, ValueError) as error:
            why = NotReached(f"{self._path}: {error}")
        finally:
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(why)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self, response: Response) -> None:
        # A notification has no id.
        waiting = self._waiting.get(response.id or 0)
        if waiting is None or waiting.done():
            return
        if response.error is not None:
            waiting.set_exception(Refused(response.error.message))
            return
        if response.result is None:
            raise ValueError("an answer without result and error")
        reply = response.result
        if isinstance(reply.get("sdp"), str):
            reply["sdp"] = reply["sdp"].encode()
        waiting.set_result(reply)
