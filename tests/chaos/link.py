"""The driver's side of the process of the peers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

Event = dict[str, Any]
PATIENCE = 30.0


class Link:
    """Asks and waits; every finished session is told to `over`, on a thread of the link."""

    def __init__(self, seed: int, over: Callable[[Event], None]) -> None:
        self._over = over
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.traffic", str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._writing = threading.Lock()
        self._heard = threading.Condition()
        self._events: dict[tuple[str, int], Event] = {}
        self._live: dict[int, bool] = defaultdict(bool)
        self._watches = 0
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def open(self, number: int, kind: int, *, endless: bool) -> dict[str, int]:
        """A new session; at which port each side waits, 0 where it dials."""
        self._live[number] = endless
        self._say("open", id=number, kind=kind, endless=endless)
        return dict(self._await("opened", number)["ports"])

    def connect(
        self, number: int, addresses: dict[str, tuple[str, int]], paths: dict[str, tuple[str, str]]
    ) -> None:
        """Where each side goes; its own path and the one it was told."""
        self._say("connect", id=number, addresses=addresses, paths=paths)

    def close(self, number: int) -> None:
        """Forget a session whose call was refused."""
        with self._heard:
            self._live.pop(number, None)
        self._say("close", id=number)

    def await_joined(self, number: int, patience: float = PATIENCE) -> bool:
        """Whether it is joined, or was."""
        return self._wait_for(lambda: self._has(number, "joined", "over"), patience)

    def await_over(self, number: int, patience: float = PATIENCE) -> bool:
        """Whether it has ended."""
        return self._wait_for(lambda: self._has(number, "over"), patience)

    def await_moved(self, patience: float) -> bool:
        """Whether octets that are sent from now on arrive in every endless session."""
        self._watches += 1
        number = self._watches
        self._say("watch_all", number=number)
        return self._wait_for(lambda: ("moved", number) in self._events, patience)

    def lose_waiting(self, why: str) -> None:
        """Give up the sessions that :meth:`await_moved` waits for."""
        self._say("lose_waiting", why=why)

    def finish(self, patience: float) -> None:
        """End every endless session; those that do not end are lost."""
        self._say("finish")
        if not self._wait_for(lambda: not self._live, patience):
            self._say("lose_all", why=f"did not end in {patience:g} s")
            self._wait_for(lambda: not self._live, PATIENCE)

    @property
    def endless(self) -> int:
        """How many endless sessions live."""
        with self._heard:
            return sum(self._live.values())

    def _has(self, number: int, *events: str) -> bool:
        return any((event, number) in self._events for event in events)

    def _await(self, event: str, number: int) -> Event:
        if not self._wait_for(lambda: (event, number) in self._events, PATIENCE):
            raise RuntimeError(f"the peers do not answer: {event} {number}")
        return self._events[event, number]

    def _wait_for(self, condition: Callable[[], bool], patience: float) -> bool:
        with self._heard:
            return self._heard.wait_for(condition, patience)

    def _say(self, what: str, **fields: object) -> None:
        assert self._process.stdin is not None
        with self._writing:
            self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(json.loads(line))

    def _take(self, event: Event) -> None:
        number = int(event["id"] if "id" in event else event["number"])
        if event["event"] == "over":
            self._over(event)
        with self._heard:
            self._events[event["event"], number] = event
            if event["event"] == "over":
                self._live.pop(number, None)
            self._heard.notify_all()
