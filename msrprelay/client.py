"""A client of the relay's control protocol, for SIP servers and B2BUAs that run asyncio.

The same commands go two ways: :func:`ng` over UDP, as rtpengine's clients speak it, and
:func:`jsonrpc` on the daemon's unix socket. Either gives a :class:`Relay`::

    async with client.ng("127.0.0.1", 2224) as relay:
        offer = await relay.offer(sdp, call_id="c1", from_tag="alice")

Any further ng key is a keyword, ``_`` for ``-``, as ``msrp_path="sessmatch"``.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import msgspec

from .rpc import bencode

PATIENCE_SECONDS = 5.0
"""How long a command waits for its reply."""
REPEAT_SECONDS = 0.5
"""After this long without a reply a datagram is sent again."""
# A reply to list or query may be long; the daemon's own lines end where its limits do.
LONGEST_LINE = 64 << 20
# Words by which a relay says that another one may have room (rtpengine's).
FULL = frozenset(
    {
        "Bandwidth limit exceeded",
        "CPU usage limit exceeded",
        "Load limit exceeded",
        "Parallel session limit reached",
        "Ran out of ports",
    }
)

# A reply as JSON has it, but ``sdp`` is bytes.
Reply: TypeAlias = dict[str, Any]


class RelayError(Exception):
    """A command that came to nothing."""


class NotReached(RelayError):
    """No relay answers, or what answers is none."""


class Refused(RelayError):
    """The relay answered with an error; ``reason`` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def full(self) -> bool:
        """Whether another relay should be asked."""
        return self.reason in FULL


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The SDP to send on instead; ``warning`` tells an operator what is odd about it."""

    sdp: bytes
    warning: str | None


class Channel(Protocol):
    """A way to the relay."""

    async def ask(self, command: str, fields: Mapping[str, object]) -> Reply:
        """The reply to one command. Raises Refused and NotReached."""


class Relay:
    """What a SIP side asks of a relay. Every method raises Refused and NotReached."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def offer(self, sdp: bytes, *, call_id: str, from_tag: str, **keys: object) -> Rewritten:
        """Rewrite an offer of the party ``from_tag``; with ``to_tag`` a re-offer in the dialog."""
        return await self._rewrite("offer", sdp, call_id, from_tag, keys)

    async def answer(
        self, sdp: bytes, *, call_id: str, from_tag: str, to_tag: str, **keys: object
    ) -> Rewritten:
        """Rewrite the answer of the party ``to_tag`` to the offer of ``from_tag``; both count."""
        return await self._rewrite("answer", sdp, call_id, from_tag, {"to_tag": to_tag, **keys})

    async def rollback(self, *, call_id: str, from_tag: str) -> None:
        """The re-offer of ``from_tag`` was rejected: everything goes on as before it."""
        await self.ask("rollback", call_id=call_id, from_tag=from_tag)

    async def delete(self, *, call_id: str, **keys: object) -> str | None:
        """End the call; gives the warning, if any: to delete what is gone already is no error.

        Without tags it means the whole call; with a ``from_tag`` whose re-offer is pending it is
        taken for a rollback, as stock SIP scripts mean it.
        """
        warning: str | None = (await self.ask("delete", call_id=call_id, **keys)).get("warning")
        return warning

    async def query(self, *, call_id: str, **keys: object) -> Reply:
        """Everything about one call."""
        return await self.ask("query", call_id=call_id, **keys)

    async def list(self, limit: int = 32) -> list[str]:
        """The call-ids, oldest first."""
        calls: list[str] = (await self.ask("list", limit=limit))["calls"]
        return calls

    async def ping(self) -> None:
        """Return if the relay is there."""
        await self.ask("ping")

    async def ask(self, command: str, **keys: object) -> Reply:
        """Any command, by its name; None values are not sent."""
        fields = {key.replace("_", "-"): value for key, value in keys.items() if value is not None}
        return await self._channel.ask(command, fields)

    async def _rewrite(
        self, command: str, sdp: bytes, call_id: str, from_tag: str, keys: Mapping[str, object]
    ) -> Rewritten:
        reply = await self.ask(command, call_id=call_id, from_tag=from_tag, sdp=sdp, **keys)
        if not isinstance(reply.get("sdp"), bytes):
            raise NotReached(f"the reply to {command} has no SDP")
        return Rewritten(reply["sdp"], reply.get("warning"))


@asynccontextmanager
async def ng(
    host: str = "127.0.0.1",
    port: int = 2224,
    *,
    patience: float = PATIENCE_SECONDS,
    every: float = REPEAT_SECONDS,
) -> AsyncIterator[Relay]:
    """A relay by ng over UDP: a datagram is repeated ``every`` seconds, ``patience`` seconds long.

    Raises NotReached for a host that is none.
    """
    async with ng_channel(host, port, patience=patience, every=every) as channel:
        yield Relay(channel)


@asynccontextmanager
async def jsonrpc(
    path: str = "/run/msrprelayd/ctl.sock", *, patience: float = PATIENCE_SECONDS
) -> AsyncIterator[Relay]:
    """A relay by JSON-RPC on its unix socket; connected when needed, also after a restart."""
    channel = JsonRpcChannel(path, patience)
    try:
        yield Relay(channel)
    finally:
        await channel.close()


@asynccontextmanager
async def ng_channel(
    host: str,
    port: int,
    *,
    patience: float = PATIENCE_SECONDS,
    every: float = REPEAT_SECONDS,
) -> AsyncIterator[NgChannel]:
    """The channel of :func:`ng`. Raises NotReached."""
    loop = asyncio.get_running_loop()
    try:
        transport, channel = await loop.create_datagram_endpoint(
            lambda: NgChannel(patience, every), remote_addr=(host, port)
        )
    except OSError as error:
        raise NotReached(f"{host} port {port}: {error.strerror or error}") from None
    try:
        yield channel
    finally:
        transport.close()


class NgChannel(asyncio.DatagramProtocol):
    """ng over UDP. A repeated datagram has the same cookie, so that the relay acts once."""

    def __init__(self, patience: float, every: float) -> None:
        self._patience = patience
        self._every = every
        # Another client on this port, before or after us, must not have had the same cookies.
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def ask(
        self,
        command: str,
        fields: Mapping[str, object],
        patience: float | None = None,
        every: float | None = None,
    ) -> Reply:
        """See :class:`Channel`; ``patience`` and ``every`` for this command only."""
        cookie = f"{self._prefix}_{next(self._numbers)}".encode()
        # SIP servers write the command last.
        datagram = cookie + b" " + bencode.encode({**fields, "command": command})
        patience = self._patience if patience is None else patience
        return settled(await self._exchange(cookie, datagram, patience, every or self._every))

    async def _exchange(
        self, cookie: bytes, datagram: bytes, patience: float, every: float
    ) -> Reply:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answer
        try:
            async with asyncio.timeout(patience):
                while self._transport is not None:
                    self._transport.sendto(datagram)
                    done, _ = await asyncio.wait([answer], timeout=every)
                    if done:
                        return from_bencode(answer.result())
            raise NotReached("the channel is closed")
        except TimeoutError:
            raise NotReached(f"no reply within {patience:g} s") from None
        finally:
            del self._waiting[cookie]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such by their methods only.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def datagram_received(self, data: bytes, addr: object) -> None:
        cookie, _, body = data.partition(b" ")
        waiting = self._waiting.get(cookie)
        if waiting is not None and not waiting.done():
            waiting.set_result(body)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens (yet): the next transmission may find somebody."""


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


def settled(reply: Reply) -> Reply:
    """The reply of a command that was carried out; raises Refused for any other."""
    if reply.get("result") in ("ok", "pong"):
        return reply
    reason = reply.get("error-reason") or reply.get("message") or reply.get("result")
    raise Refused(str(reason or "the reply has no result"))


def from_bencode(body: bytes) -> Reply:
    """A bencoded reply as JSON would have it, ``sdp`` left as bytes. Raises NotReached."""
    try:
        value, _ = bencode.decode(body)
    except bencode.BencodeError as error:
        raise NotReached(f"the reply is no bencode: {error}") from None
    if not isinstance(value, dict):
        raise NotReached("the reply is no dictionary")
    return {key: item if key == "sdp" else as_text(item) for key, item in value.items()}


def as_text(value: bencode.Value) -> Any:
    """A bencoded value with its bytes as strings."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return value


def for_json(value: object) -> object:
    """A field with bytes as a string; raises Refused for bytes that JSON cannot carry."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused("bytes that are no UTF-8 cannot go by JSON-RPC: use ng") from None
