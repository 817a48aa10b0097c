"""A plain relay in asyncio and uvloop: what one writes in an afternoon. LISTEN TARGET, HOST:PORT.

It accepts a connection, dials the target and copies, with flow control and half-close.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class Leg(asyncio.Protocol):
    """One connection; what it receives is written to the other."""

    def __init__(self, other: Leg | None = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Dial the target for an accepted leg; write what waited for a dialled one."""
        # uvloop's transports are no instances of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)
        if self.other is None:
            self.other = Leg(self)
            host, port = TARGET
            dial = asyncio.get_running_loop().create_connection(lambda: self.far, host, port)
            TASKS.add(task := asyncio.ensure_future(dial))
            task.add_done_callback(TASKS.discard)
        else:
            self.transport.writelines(self.other.early)
            self.other.early.clear()

    @property
    def far(self) -> Leg:
        """The leg at the other end."""
        assert self.other is not None
        return self.other

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, or keep them until there is somebody to pass them to."""
        if self.far.transport is None:
            self.early.append(data)
        else:
            self.far.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of one direction on; the other goes on."""
        self.ended = True
        if self.far.transport is not None and self.far.transport.can_write_eof():
            self.far.transport.write_eof()
        return not self.far.ended

    def pause_writing(self) -> None:
        """This leg is full: do not read from the other."""
        if self.far.transport is not None:
            self.far.transport.pause_reading()

    def resume_writing(self) -> None:
        """This leg has room again."""
        if self.far.transport is not None and not self.far.transport.is_closing():
            self.far.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """One leg is gone: so is the other."""
        if self.far.transport is not None:
            self.far.transport.close()


async def serve(host: str, port: int) -> None:
    """Accept legs for ever."""
    server = await asyncio.get_running_loop().create_server(Leg, host, port, backlog=4096)
    await server.serve_forever()


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host, int(port)


TASKS: set[asyncio.Future[tuple[asyncio.Transport, Leg]]] = set()
TARGET = address(sys.argv[2])

if __name__ == "__main__":
    uvloop.run(serve(*address(sys.argv[1])))
