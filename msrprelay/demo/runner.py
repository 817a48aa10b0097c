"""One endpoint in a process of its own: JSON lines in, JSON lines out.

In: ``{"id": 1, "do": "chat", "with": {"messages": 10}}``. Out: ``{"id": 1, "did": {...}}`` or
``{"id": 1, "failed": "..."}``, and meanwhile ``{"progress": "chat", "done": 3, "of": 10}``.
The process ends with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from ..endpoint import (
    Endpoint,
    EndpointFault,
    Event,
    FileReceipt,
    Listener,
    Manner,
    dial,
    send_file,
)
from ..endpoint.connection import Connection
from .talk import Talk

HOST = "127.0.0.1"
NOT_LISTENING = 9
"""The port in the SDP of an end that only dials (RFC 4145 §4.1)."""

LINE_LIMIT = 1 << 20
STEPS = 50
"""Progress notes of one task, at most."""

Say = Callable[[dict[str, object]], None]
Answer = dict[str, object]


class Runner:
    """The tasks that the demo can give to an endpoint, by their names in ``do``."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._uri = ""
        self._listener: Listener | None = None
        self._made: Connection | None = None
        self._talk = Talk("a")
        self._receipt = FileReceipt()

    async def prepare(self, side: str, listens: bool) -> Answer:
        """Choose the URI for the SDP; listen where somebody may have to dial this endpoint."""
        self._talk = Talk(side)
        self._listener = Listener(HOST) if listens else None
        port = self._listener.port if self._listener else NOT_LISTENING
        self._uri = f"msrp://{HOST}:{port}/{secrets.token_hex(10)};tcp"
        return {"uri": self._uri, "host": HOST, "port": port}

    async def connect(
        self, dials: bool, host: str, port: int, peer: list[str], manner: str
    ) -> Answer:
        """Dial ``host:port``, or wait to be dialled, and come back once the session is bound."""
        end = Endpoint(self._uri, peer, active=dials, manner=Manner(manner))
        if not dials and self._listener is not None:
            self._made = await self._listener.accept(end, self._take)
        else:
            if self._listener is not None:
                self._listener.close()
            self._made = await dial(end, host, port, self._take)
        await self._made.bound()
        return {"port": self._made.local_port}

    async def chat(self, messages: int) -> Answer:
        """Say the script's lines and hear the other's; each answered and reported."""
        await self._talk.hold(self._connection, messages, self._progress("chat", messages))
        return {"responses": self._talk.responses, "reports": self._talk.reports}

    async def send_file(self, path: str) -> Answer:
        """Send one file; back when it is reported as delivered."""
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            progress = self._progress("file", size)
            sent = await send_file(self._connection, file, size, progress=progress)
        return {"sha256": sent.sha256, "chunks": sent.chunks}

    async def receive_file(self) -> Answer:
        """Wait for the last piece of the file."""
        await self._connection.until(lambda: self._receipt.complete)
        return {"sha256": self._receipt.sha256, "bytes": self._receipt.size}

    async def count(self) -> Answer:
        """The octets that this endpoint has sent and received."""
        made = self._connection
        return {"sent": made.bytes_sent, "received": made.bytes_received}

    async def hang_up(self) -> Answer:
        """Close the connection: FIN after everything that is queued."""
        await self._connection.close()
        return await self.count()

    async def be_hung_up_on(self) -> Answer:
        """Wait for the end of the connection; raises if it broke."""
        made = self._connection
        await made.until(lambda: made.closed)
        if made.fault is not None:
            raise made.fault
        return await self.count()

    def _take(self, event: Event) -> None:
        self._talk.take(event)
        self._receipt.take(event)

    @property
    def _connection(self) -> Connection:
        if self._made is None:
            raise EndpointFault("there is no connection")
        return self._made

    def _progress(self, what: str, of: int) -> Callable[[int], None]:
        told = 0

        def tell(done: int) -> None:
            nonlocal told
            if done >= told + max(1, of // STEPS):
                told = done
                self._say({"progress": what, "done": done, "of": of})

        return tell


async def _serve(runner: Runner, say: Say) -> None:
    """Start a task for every line; come back at the end of the input."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=LINE_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks = set()
    while line := await lines.readline():
        task = asyncio.create_task(_do(runner, msgspec.json.decode(line), say))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _do(runner: Runner, order: dict[str, Any], say: Say) -> None:
    try:
        did = await getattr(runner, order["do"])(**order["with"])
        say({"id": order["id"], "did": did})
    except (EndpointFault, OSError) as error:
        say({"id": order["id"], "failed": f"{type(error).__name__}: {error}"})


def _say(message: dict[str, object]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_serve(Runner(_say), _say))
