"""The demo's hold on one endpoint process: it is told what to do, and says what it did."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from .failure import DemoFailed

STOP_SECONDS = 2.0

Progress = Callable[[str, str, int, int], None]
"""Gets side, what (``chat`` or ``file``), how much is done, and of how much."""


class Party:
    """One endpoint in a process of its own; made by :func:`party`."""

    def __init__(self, side: str, process: asyncio.subprocess.Process, progress: Progress) -> None:
        self.side = side
        self._process = process
        self._progress = progress
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ended = False

    async def ask(self, what: str, **arguments: object) -> dict[str, Any]:
        """Have the endpoint do ``what``; its answer. Raises DemoFailed with what it says."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        order = {"id": number, "do": what, "with": arguments}
        stdin = self._process.stdin
        if stdin is None or self._ended:
            raise DemoFailed(f"endpoint {self.side} is gone")
        stdin.write(msgspec.json.encode(order) + b"\n")
        try:
            return await answer
        finally:
            del self._waiting[number]

    async def listen(self) -> None:
        """Take what the process says until it ends."""
        stdout = self._process.stdout
        while stdout is not None and (line := await stdout.readline()):
            self._take(msgspec.json.decode(line))
        self._ended = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(DemoFailed(f"endpoint {self.side} has ended unasked"))

    def _take(self, said: dict[str, Any]) -> None:
        if "progress" in said:
            self._progress(self.side, said["progress"], said["done"], said["of"])
            return
        waiting = self._waiting.get(said["id"])
        if waiting is None or waiting.done():
            return
        if "failed" in said:
            waiting.set_exception(DemoFailed(f"endpoint {self.side}: {said['failed']}"))
        else:
            waiting.set_result(said["did"])


@asynccontextmanager
async def party(side: str, progress: Progress) -> AsyncIterator[Party]:
    """Start an endpoint process; it ends with the block, by force if it must."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "msrprelay.demo.runner",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C on the terminal is for the demo; it then ends its endpoints itself.
        start_new_session=True,
    )
    made = Party(side, process, progress)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        await _end(process)
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _end(process: asyncio.subprocess.Process) -> None:
    """The runner ends with its standard input."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


async def both(one: Any, other: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Await two answers at once; the first failure calls the other off."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        first, second = await asyncio.gather(*tasks)
        return first, second
    finally:
        for task in tasks:
            task.cancel()
