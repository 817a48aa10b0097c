"""Leases of listening ports: a port is in one lease at a time, and rests before the next.

The order is random, so that a port cannot be guessed from the last one; a freed port rests in
quarantine, so that a late dialler of the old session does not land in a new one (it would be
refused by the gate, but it would cost that session a connection).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

from . import chance
from .errors import CommandError

RAN_OUT = "Ran out of ports"


class PortPool:
    """The ports of one interface.

    ``now`` is in seconds of any monotonic clock, the same in every call.
    """

    def __init__(self, ports: Iterable[int], *, quarantine: float, seed: int | None = None) -> None:
        """``quarantine``: seconds a freed port rests. ``seed`` fixes the order, for tests."""
        self._free = list(ports)
        self._below = chance.below if seed is None else random.Random(seed).randrange
        self._quarantine = quarantine
        self._resting: deque[tuple[float, int]] = deque()
        self._leased: set[int] = set()
        self.size = len(self._free)

    def lease(self, now: float) -> int:
        """Take a random free port; raises CommandError ``Ran out of ports``."""
        self._wake(now)
        if not self._free:
            raise CommandError(RAN_OUT)
        # Swap with the last one: taking from the middle of a list would cost its length.
        index = self._below(len(self._free))
        self._free[index], self._free[-1] = self._free[-1], self._free[index]
        port = self._free.pop()
        self._leased.add(port)
        return port

    def free(self, port: int, now: float) -> None:
        """End the lease of ``port``; it rests before it can be leased again.

        Also for a port whose bind failed: whoever holds it now may be gone after the quarantine.
        """
        self._leased.remove(port)
        self._resting.append((now + self._quarantine, port))

    @property
    def leased(self) -> int:
        """How many ports are in use."""
        return len(self._leased)

    @property
    def resting(self) -> int:
        """How many ports are in quarantine (some may be due)."""
        return len(self._resting)

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
