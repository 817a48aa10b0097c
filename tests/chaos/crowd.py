"""The calls of a run: those that last, and others that come and go meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from .kinds import KINDS
from .link import Event, Link
from .signalling import Control, Failed, SipCall

CHURNERS = 3
OVER_SECONDS = 60.0


class Crowd:
    """Calls through one relay; `failed` says which commands failed, and why."""

    def __init__(self, control: Control, seed: int) -> None:
        self._control = control
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._lasting: list[SipCall] = []
        self._going_on = threading.Event()
        self._threads: list[threading.Thread] = []
        self.link = Link(seed, self._take)
        self.failed: list[str] = []
        self.over: list[Event] = []
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.link.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calm()
        self.link.__exit__(kind, error, trace)

    def gather(self, count: int) -> None:
        """Set up the calls that last, of all kinds in turn."""
        numbers = []
        for _ in range(count):
            number = next(self._numbers)
            call = self._begin(number, (number - 1) % len(KINDS), endless=True)
            if call is not None:
                self._lasting.append(call)
                numbers.append(number)
        for number in numbers:
            self.link.await_joined(number)

    def stir(self) -> None:
        """Let short calls come and go from now on."""
        self._going_on.set()
        for _ in range(CHURNERS):
            thread = threading.Thread(target=self._churn, args=(self._random.random(),))
            self._threads.append(thread)
            thread.start()

    def calm(self) -> None:
        """No more short calls; those there are have ended when it returns."""
        self._going_on.clear()
        while self._threads:
            self._threads.pop().join()

    def leave(self, patience: float) -> None:
        """End the calls that last."""
        self.calm()
        self.link.finish(patience)
        for call in self._lasting:
            self._try(call.delete)

    def _churn(self, seed: float) -> None:
        dice = random.Random(seed)
        while self._going_on.is_set():
            fate = dice.random()
            if fate < 0.2 and self._lasting:
                self.counts["re-offers"] += 1
                self._try(dice.choice(self._lasting).reoffer)
            elif fate < 0.35:
                self._never_answered(dice.randrange(len(KINDS)))
            else:
                self._short(dice.randrange(len(KINDS)))

    def _short(self, kind: int) -> None:
        number = next(self._numbers)
        call = self._begin(number, kind, endless=False)
        if call is None:
            return
        self.counts["short calls"] += 1
        if self.link.await_joined(number):
            self.link.await_over(number, OVER_SECONDS)
        self._try(call.delete)

    def _never_answered(self, kind: int) -> None:
        number = next(self._numbers)
        self.counts["unanswered calls"] += 1
        ports = self.link.open(number, kind, endless=False)
        call = SipCall(self._control, self.link, KINDS[kind], number, ports)
        if self._try(call.offer):
            self._try(call.delete)
        self.link.close(number)

    def _begin(self, number: int, kind: int, *, endless: bool) -> SipCall | None:
        ports = self.link.open(number, kind, endless=endless)
        call = SipCall(self._control, self.link, KINDS[kind], number, ports)
        if self._try(call.offer) and self._try(call.answer):
            call.connect()
            return call
        self.link.close(number)
        return None

    def _try(self, command: object) -> bool:
        assert callable(command)
        try:
            command()
        except Failed as why:
            self.failed.append(str(why))
            return False
        return True

    def _take(self, event: Event) -> None:
        self.over.append(event)
