"""The calls of a run: those that last, and others that come and go meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

from .kinds import KINDS
from .link import Event, Link
from .signalling import Address, Control, Failed, SipCall

CHURNERS = 5
# SIP workers that set up and end the calls that last.
WORKERS = 8
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

    def __exit__(self, *_exc: object) -> None:
        self.calm()
        self.link.__exit__()

    def gather(self, count: int) -> None:
        """Set up the calls that last, of all kinds in turn."""
        with ThreadPoolExecutor(WORKERS) as workers:
            kinds = (place % len(KINDS) for place in range(count))
            begun = [*filter(None, workers.map(partial(self._begin, endless=True), kinds))]
        for call, number in begun:
            self._lasting.append(call)
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
        with ThreadPoolExecutor(WORKERS) as workers:
            for call in self._lasting:
                workers.submit(self._try, call.delete)

    def reoffer_all(self) -> int:
        """Of how many calls that last the relay knows ports and paths."""
        return sum(self._try(call.reoffer) for call in self._lasting)

    def call_briefly(self) -> bool:
        """One call from offer to delete; whether all of it went well."""
        before = len(self.failed), sum(each["lost"] is not None for each in self.over)
        self._short(0)
        return before == (len(self.failed), sum(each["lost"] is not None for each in self.over))

    def offered(self) -> Address:
        """Where the relay waits for a peer of a call that nobody has answered."""
        call, number = self._fresh(0)
        self.link.close(number)
        call.offer()
        self._lasting.append(call)
        return call.told["b"].address

    def offer_only(self) -> None:
        """A call that is deleted before its answer. Raises Failed."""
        call, number = self._fresh(0)
        try:
            call.offer()
            call.delete()
        finally:
            self.link.close(number)

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
        begun = self._begin(kind, endless=False)
        if begun is None:
            return
        call, number = begun
        self.counts["short calls"] += 1
        if self.link.await_joined(number):
            self.link.await_over(number, OVER_SECONDS)
        self._try(call.delete)

    def _never_answered(self, kind: int) -> None:
        self.counts["unanswered calls"] += 1
        call, number = self._fresh(kind)
        if self._try(call.offer):
            self._try(call.delete)
        self.link.close(number)

    def _fresh(self, kind: int, *, endless: bool = False) -> tuple[SipCall, int]:
        number = next(self._numbers)
        ports = self.link.open(number, kind, endless=endless)
        return SipCall(self._control, self.link, KINDS[kind], number, ports), number

    def _begin(self, kind: int, *, endless: bool) -> tuple[SipCall, int] | None:
        call, number = self._fresh(kind, endless=endless)
        if self._try(call.offer) and self._try(call.answer):
            call.connect()
            return call, number
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
