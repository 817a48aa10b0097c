"""The control protocol by JSON-RPC on the daemon's unix socket."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from .relay import NotReached, Refused, Reply
from .replies import for_json, said, settled

# A reply to list or query may be long; the daemon's own lines end where its limits do.
LONGEST_LINE = 64 << 20
# Between two attempts to reach a relay that has just gone.
RECONNECT_SECONDS = 0.05


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
        # Another channel of this process must not have had the same cookies.
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._connecting = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, command: str, fields: Mapping[str, object]) -> Reply:
        """See :class:`Channel`; on a connection that is lost it is asked again on the next one.

        The next relay process listens at once after an upgrade or a crash. By the cookie it knows
        what the one before has carried out already, and gives the same reply.
        """
        cookie = f"{self._prefix}_{next(self._numbers)}"
        params = msgspec.Raw(for_json({**fields, "cookie": cookie}))
        lost: OSError | None = None
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    try:
                        return settled(await self._exchange(command, params))
                    except (ConnectionError, FileNotFoundError) as error:
                        lost = error
                    await asyncio.sleep(RECONNECT_SECONDS)
        except TimeoutError:
            why = f"no reply within {self._patience:g} s"
            raise NotReached(f"{self._path}: {said(lost) if lost else why}") from None
        except OSError as error:
            raise NotReached(f"{self._path}: {said(error)}") from None

    async def close(self) -> None:
        """Close the connection, if there is one, also where the relay hangs; open no other."""
        self._closed = True
        if self._reading is not None:
            if self._writer is not None:
                self._writer.transport.abort()
            await self._reading

    async def _exchange(self, command: str, params: msgspec.Raw) -> Reply:
        writer = await self._connected()
        number = next(self._numbers)
        request = {"jsonrpc": "2.0", "method": command, "params": params, "id": number}
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            # Not drained: each waits for its own answer, with which its line has left.
            writer.write(msgspec.json.encode(request) + b"\n")
            return await answer
        finally:
            del self._waiting[number]

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._closed:
                raise NotReached("the channel is closed")
            if self._writer is None:
                reader, self._writer = await asyncio.open_unix_connection(
                    self._path, limit=LONGEST_LINE
                )
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        why: Exception = ConnectionResetError("the relay closed the connection")
        try:
            # A line without its end is cut off: the relay has died over it.
            while (line := await reader.readline()).endswith(b"\n"):
                self._take(msgspec.json.decode(line, type=Response))
        except OSError as error:
            why = ConnectionResetError(said(error))
        except ValueError as error:
            why = NotReached(f"{self._path}: {error}")
        finally:
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(why)
            # What has not been sent is asked again: a relay that hangs would never take it.
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self, response: Response) -> None:
        waiting = self._waiting.get(response.id or 0)
        if response.id is None and response.error is not None:
            # A line that could not be read, too long perhaps: the first that is not answered.
            waiting = next(iter(self._waiting.values()), None)
        # A notification has no id.
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
