"""What a keeper costs is read off the samples of a run."""

from __future__ import annotations

from bench.measure import Sample
from bench.protection import KEPT, PLAIN, compared


def sample(system: str, number: int, cost: float, cpu: float = 0.0, keeper: float = 0.0) -> Sample:
    return Sample("setup", system, "aware", number, cost, cpu_seconds=cpu, keeper_seconds=keeper)


def test_rounds_of_both_are_compared_and_the_keeper_stands_besides() -> None:
    samples = [
        *(sample(PLAIN, number, cost) for number, cost in enumerate([100, 200, 400])),
        # Its last round is missing.
        *(sample(KEPT, number, cost, 2.0, 1.0) for number, cost in enumerate([200, 300])),
    ]
    [work] = compared(samples)
    figures = {name: work[name] for name in ("plain", "kept", "ratio", "keeper", "rounds")}
    assert figures == {"plain": 150, "kept": 250, "ratio": 1.75, "keeper": 125, "rounds": 2}


def test_a_ratio_has_its_quartiles_where_rounds_are_enough() -> None:
    samples = [
        sample(system, number, cost)
        for system, costs in ((PLAIN, [100.0] * 5), (KEPT, [100.0, 110, 120, 130, 200]))
        for number, cost in enumerate(costs)
    ]
    [work] = compared(samples)
    assert (work["ratio"], work["spread"]) == (1.2, [1.1, 1.3])
    [single] = compared([samples[0], samples[5]])
    assert single["spread"] == []


def test_a_work_without_time_has_no_keeper_and_one_without_a_keeper_no_row() -> None:
    samples = [sample(PLAIN, 0, 1.5), sample(KEPT, 0, 3.0)]
    [work] = compared(samples)
    assert (work["ratio"], work["keeper"]) == (2.0, 0.0)
    assert list(compared(samples[:1])) == []
