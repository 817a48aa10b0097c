"""Rounds: every system does the work once, then all again, in another order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from .ends import Policy
from .measure import Sample, measure
from .place import Place, loopback, segments
from .processes import Unavailable
from .systems import SYSTEMS, Measured, is_ours
from .works import Work

__all__ = ["Contender", "Say", "run"]

Contender = tuple[str, Policy]
Say = Callable[[str], None]


def run(works: list[Work], rounds: int, *, quick: bool, say: Say) -> Iterator[Sample]:
    """Measure all works, those of one place together."""
    for place_name, enter in (("loopback", loopback), ("segments", segments)):
        here = [work for work in works if work.place == place_name]
        if not here:
            continue
        with enter() as place:
            if place is None:
                say(f"not measured without namespaces: {[work.name for work in here]}")
                continue
            with ExitStack() as stack:
                field = Field(place, stack, say)
                for work in here:
                    yield from field.rounds(work, rounds, quick=quick)


class Field:
    """The systems of one place. Started when first needed; all idle but the one at work."""

    def __init__(self, place: Place, stack: ExitStack, say: Say) -> None:
        self._place = place
        self._stack = stack
        self._say = say
        self._running: dict[str, Measured] = {}
        self._absent: set[str] = set()

    def rounds(self, work: Work, rounds: int, *, quick: bool) -> Iterator[Sample]:
        """Every contender once in every round; one that fails drops out of the work."""
        contenders = contenders_of(work, quick=quick)
        for number in range(rounds * work.rounds):
            # Who comes first changes: caches and neighbours are nobody's privilege.
            turn = number % max(1, len(contenders))
            for contender in contenders[turn:] + contenders[:turn]:
                sample = self._once(work, contender, number)
                if sample is None:
                    contenders.remove(contender)
                else:
                    yield sample

    def _once(self, work: Work, contender: Contender, number: int) -> Sample | None:
        name, policy = contender
        if name in self._absent:
            return None
        try:
            with self._system(name, fresh=work.measure == "memory") as system:
                fields = measure(work, system, self._place, policy)
        except Unavailable as error:
            self._absent.add(name)
            self._say(f"{name}: {error}")
        except (RuntimeError, OSError) as error:
            self._say(f"{work.name}: {name} {policy}: failed: {error}")
            self._discard(name)
        else:
            sample = Sample(work.name, name, policy, number, **fields)
            self._say(
                f"{work.name:20} {number} {name:20} {policy:7} {sample.cost:10.4g} {work.unit}"
            )
            return sample
        return None

    @contextmanager
    def _system(self, name: str, *, fresh: bool) -> Iterator[Measured]:
        if fresh:
            # Both would listen on the same port.
            self._discard(name)
            system = SYSTEMS[name](self._place)
            try:
                yield system
            finally:
                system.stop()
            return
        if name not in self._running:
            self._running[name] = SYSTEMS[name](self._place)
            self._stack.callback(self._discard, name)
        yield self._running[name]

    def _discard(self, name: str) -> None:
        if system := self._running.pop(name, None):
            with suppress(OSError):
                system.stop()


def contenders_of(work: Work, *, quick: bool) -> list[Contender]:
    """Ours in every policy and variant, then the peers, which have no policy."""
    variants = work.ours[:1] if quick else work.ours
    ours: list[Contender] = [(name, policy) for policy in work.policies for name in variants]
    unknown = [name for name in work.peers if name not in SYSTEMS or is_ours(name)]
    if unknown:
        sys.exit(f"{work.name}: no such peer: {unknown}")
    return ours + [(name, "opaque") for name in work.peers]
