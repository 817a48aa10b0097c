"""Rows of the result: ours beside a peer's, with the bars that are set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median, quantiles

import msgspec

from .ends import Policy
from .measure import Sample
from .systems import is_ours
from .works import Bars, Catalogue, Work

__all__ = ["Row", "label", "rows"]

NO_PEER = "-"
# Cost by round.
Costs = dict[int, float]


class Row(msgspec.Struct):
    """One comparison. Lower is better throughout.

    ``ratio`` is the median of the rounds' ratios of ``ours`` to ``theirs``, ``spread`` the
    quartiles; ``must`` and ``aim`` are bars for it. Where ``peer`` is "-", ``theirs`` and
    ``ratio`` are null and the bars are for ``ours``, in ``unit``.
    """

    work: str
    policy: str
    peer: str
    unit: str
    ours: float
    theirs: float | None
    ratio: float | None
    must: float | None
    aim: float | None
    rounds: int
    spread: tuple[float, float] | None

    @property
    def judged(self) -> float | None:
        """What the bars are for."""
        return self.ours if self.peer == NO_PEER else self.ratio


def rows(catalogue: Catalogue, works: Iterable[Work], samples: Iterable[Sample]) -> list[Row]:
    """All comparisons that the samples allow."""
    table = Table(samples)
    found = []
    for work in works:
        found += list(compared(catalogue, work, table))
        found += list(valued(catalogue, work, table))
    return found + list(added(catalogue, table)) + list(grown(catalogue, table))


class Table:
    """Costs by work, system and policy."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._costs: dict[tuple[str, str, Policy], Costs] = {}
        for sample in samples:
            key = sample.work, sample.system, sample.policy
            self._costs.setdefault(key, {})[sample.round] = sample.cost

    def of(self, work: str, system: str, policy: Policy) -> Costs:
        """Costs by round; empty where nothing was measured."""
        return self._costs.get((work, system, policy), {})

    def ours(self, work: str) -> Iterator[tuple[str, Policy, Costs]]:
        """Our variants in a work."""
        for (name, system, policy), costs in self._costs.items():
            if name == work and is_ours(system):
                yield system, policy, costs


def compared(catalogue: Catalogue, work: Work, table: Table) -> Iterator[Row]:
    """Ours to each peer's."""
    for system, policy, ours in table.ours(work.name):
        for peer in work.peers:
            theirs = table.of(work.name, peer, "opaque")
            # The direct connection costs no relay anything.
            if not any(theirs.get(number) for number in ours):
                continue
            targets = [
                target.peers[peer]
                for target in catalogue.target
                if (target.work, target.policy) == (work.name, policy) and peer in target.peers
            ]
            # What is not shipped has nothing to reach.
            bars = targets[0] if targets and system != "msrprelayd-uncompiled" else None
            yield ratio_row(work.title, label(system, policy), peer, work.unit, ours, theirs, bars)


def valued(catalogue: Catalogue, work: Work, table: Table) -> Iterator[Row]:
    """Ours to a value."""
    for target in catalogue.target:
        for system, policy, ours in table.ours(work.name):
            shipped = system == "msrprelay-defaults"
            bars = (target.value_defaults if shipped else None) or target.value
            if (target.work, target.policy) == (work.name, policy) and bars:
                yield value_row(work.title, label(system, policy), work.unit, ours, bars)


def added(catalogue: Catalogue, table: Table) -> Iterator[Row]:
    """What the aware policy adds."""
    for entry in catalogue.added:
        aware = table.of(entry.work, "msrprelay", "aware")
        opaque = table.of(entry.work, entry.to, "opaque")
        difference = {number: aware[number] - opaque[number] for number in aware.keys() & opaque}
        if difference:
            yield value_row(entry.title, "aware", "CPU us/message", difference, entry.value)


def grown(catalogue: Catalogue, table: Table) -> Iterator[Row]:
    """Cost with many sessions over cost with few, ours to a peer's."""
    for entry in catalogue.growth:
        for system, policy, _ in list(table.ours(entry.many)):
            ours = growth(table, entry.few, entry.many, system, policy)
            for peer, bars in entry.peers.items():
                theirs = growth(table, entry.few, entry.many, peer, "opaque")
                if ours.keys() & theirs:
                    yield ratio_row(
                        entry.title, label(system, policy), peer, "times", ours, theirs, bars
                    )


def growth(table: Table, few: str, many: str, system: str, policy: Policy) -> Costs:
    """By round."""
    small, large = table.of(few, system, policy), table.of(many, system, policy)
    return {number: large[number] / small[number] for number in small.keys() & large}


def ratio_row(
    title: str,
    policy: str,
    peer: str,
    unit: str,
    ours: Costs,
    theirs: Costs,
    bars: Bars | None,
) -> Row:
    """Ours and theirs in the rounds that both went through."""
    common = sorted(number for number in ours if theirs.get(number))
    ratios = [ours[number] / theirs[number] for number in common]
    return Row(
        title,
        policy,
        peer,
        unit,
        median(ours[number] for number in common),
        median(theirs[number] for number in common),
        median(ratios),
        bars and bars[0],
        bars and bars[1],
        len(common),
        spread(ratios),
    )


def value_row(title: str, policy: str, unit: str, ours: Costs, bars: Bars) -> Row:
    """Ours alone."""
    values = list(ours.values())
    return Row(
        title, policy, NO_PEER, unit, median(values), None, None, *bars, len(values), spread(values)
    )


def spread(values: list[float]) -> tuple[float, float] | None:
    """The quartiles; None of a single value."""
    if len(values) < 2:
        return None
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first, third


def label(system: str, policy: Policy) -> str:
    """The policy, and what else distinguishes the variant."""
    match system:
        case "msrprelay" | "msrprelay-search":
            return policy
        case "msrprelayd":
            return "compiled"
        case "msrprelayd-uncompiled":
            return "uncompiled"
        case _:
            return f"{policy}, {system.removeprefix('msrprelay-')}"
