# cython: annotation_typing=False
"""Leases of listening ports: a port is in one lease at a time, and rests before the next.

The order is random, so that a port cannot be guessed from the last one; a freed port rests in
quarantine, so that a late dialler of the old session does not land in a new one (it would be
refused by the gate, but it would cost that session a connection).
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

from .. import chance
from ..errors import RAN_OUT, CommandError


class PortPool:
    """The ports of one local address.

    ``now`` is in seconds of any monotonic clock, the same in every call.
    """

    def __init__(
        self, ports: Collection[int], *, quarantine: float, seed: int | None = None
    ) -> None:
        """``quarantine``: seconds a freed port rests. ``seed`` fixes the order, for tests."""
        self._ports = ports
        self._free = list(ports)
        self._below: Callable[[int], int] = (
            chance.below if seed is None else random.Random(seed).randrange
        )
        self._quarantine = quarantine
        self._resting: deque[tuple[float, int]] = deque()
        self._leased: set[int] = set()
        # What another process has leased more than once, once less.
        self._again: list[int] = []
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

    def free(self, port: int, now: float) -> float:
        """End the lease of ``port``; gives until when it rests before it can be leased again.

        Also for a port whose bind failed: whoever holds it now may be gone after the quarantine.
        """
        until = now + self._quarantine
        if port in self._again:
            self._again.remove(port)
            return until
        self._leased.remove(port)
        self._resting.append((until, port))
        return until

    def put_back(self, port: int) -> None:
        """End the lease of a port that nobody was told of: no late dialler can come to it."""
        self._leased.remove(port)
        self._free.append(port)

    def restore(self, leased: Iterable[int], resting: Iterable[tuple[float, int]]) -> None:
        """Go on with another process's leases, and with its quarantine as (until when, port).

        A port may be in two leases of a process that had a pool for each interface.
        """
        leases = Counter(leased)
        self._leased = set(leases)
        self._again = list((leases - Counter(self._leased)).elements())
        known = {port: until for until, port in sorted(resting) if port not in self._leased}
        self._resting = deque(sorted((until, port) for port, until in known.items()))
        self._free = [p for p in self._ports if p not in self._leased and p not in known]

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
            port = self._resting.popleft()[1]
            # A process before this one may have had other ports to give.
            if port in self._ports:
                self._free.append(port)
