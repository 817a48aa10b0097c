"""From Sippy's event loop to the relay and back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from typing import Any

from sippy.Core.EventDispatcher import ED2
from sippy.Core.Exceptions import dump_exception

from .. import client
from ..client import NotReached, Relay, RelayError


class RelayLink:
    """The relay, for a program whose loop is Sippy's: its commands run on a thread of their own."""

    def __init__(
        self, where: str = "udp:127.0.0.1:2224", patience: float = client.PATIENCE_SECONDS
    ) -> None:
        """``where`` as Sippy writes it: ``udp:HOST:PORT`` is ng, ``unix:PATH`` JSON-RPC.

        ``patience`` is how long a command waits for its reply, in seconds. Raises ValueError, and
        NotReached for a host that is none.
        """
        self._way = way(where, patience)
        self._loop = asyncio.new_event_loop()
        self._under_way: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._relay = self._wait_for(self._way.__aenter__())
        except NotReached:
            self._end()
            raise

    def run(
        self,
        work: Callable[[Relay], Awaitable[Any]],
        told: Callable[[Any], None] = lambda outcome: None,
    ) -> None:
        """Start ``work``; ``told`` gets its result or its RelayError, in Sippy's thread."""
        if self._loop.is_closed():
            return

        async def started() -> Any:
            try:
                return await work(self._relay)
            except RelayError as error:
                return error
            except Exception as error:
                # A fault of ours: the call must hear of it all the same, or it waits for ever.
                dump_exception("msrprelay: a command has failed")
                return RelayError(f"{type(error).__name__}: {error}")

        future = asyncio.run_coroutine_threadsafe(started(), self._loop)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        future.add_done_callback(lambda done: ED2.callFromThread(told, done.result()))

    def close(self) -> None:
        """Finish what is under way, and end the thread. Safe to repeat."""
        if self._loop.is_closed():
            return
        wait(tuple(self._under_way))
        self._wait_for(self._way.__aexit__(None, None, None))
        self._end()

    def _wait_for(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def way(where: str, patience: float) -> contextlib.AbstractAsyncContextManager[Relay]:
    """How to reach the relay at an address in Sippy's writing; raises ValueError."""
    kind, _, rest = where.partition(":")
    if kind == "unix" and rest:
        return client.jsonrpc(rest, patience=patience)
    host, _, port = rest.rpartition(":")
    if kind == "udp" and host and port.isdigit():
        return client.ng(host.strip("[]"), int(port), patience=patience)
    raise ValueError(f"udp:HOST:PORT or unix:PATH expected, not {where!r}")
