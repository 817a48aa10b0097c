"""What the benchmark makes of its measurements, and that its data says what it should."""

from __future__ import annotations

from bench.measure import Sample
from bench.plot import plot
from bench.report import judgement, text_table, verdict
from bench.rows import Row, rows
from bench.systems import SYSTEMS, is_ours
from bench.works import Catalogue, catalogue

CATALOGUE = catalogue()


def samples(work: str, costs: dict[tuple[str, str], list[float]]) -> list[Sample]:
    """Costs by system and policy, one a round."""
    return [
        Sample(work, system, "aware" if policy == "aware" else "opaque", number, cost)
        for (system, policy), each in costs.items()
        for number, cost in enumerate(each)
    ]


def made(found: list[Sample], known: Catalogue = CATALOGUE) -> list[Row]:
    return rows(known, known.work, found)


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    costs = {("msrprelay", "opaque"): [1.0, 2.0, 9.0], ("haproxy", "opaque"): [4.0, 4.0, 10.0]}
    (row,) = made(samples("bulk-8", costs))
    assert (row.ours, row.theirs, row.ratio, row.rounds) == (2.0, 4.0, 0.5, 3)
    assert row.spread == (0.375, 0.7)
    assert (row.must, row.aim, verdict(row)) == (0.35, 0.20, "MISSED")


def test_rounds_that_one_of_the_two_missed_do_not_count() -> None:
    costs = {("msrprelay", "opaque"): [1.0, 2.0], ("haproxy", "opaque"): [4.0]}
    (row,) = made(samples("bulk-8", costs))
    assert (row.ratio, row.rounds, row.spread) == (0.25, 1, None)


def test_direct_connection_is_a_floor_and_no_peer() -> None:
    costs = {("msrprelay", "opaque"): [1.0], ("direct", "opaque"): [0.0]}
    assert made(samples("bulk-8", costs)) == []


def test_value_is_judged_by_itself() -> None:
    (row,) = made(samples("stall", {("msrprelay", "opaque"): [1.8]}))
    assert (row.peer, row.theirs, row.ratio, verdict(row)) == ("-", None, None, "must")


def test_added_cost_is_the_difference_of_the_policies() -> None:
    costs = {("msrprelay", "aware"): [0.5], ("msrprelay", "opaque"): [0.25]}
    (row,) = made(samples("stream-300", costs))
    assert (row.ours, row.must, verdict(row)) == (0.25, 0.15, "MISSED")


def test_growth_is_compared_with_the_peers_growth() -> None:
    few = {("msrprelay", "opaque"): [2.0], ("haproxy", "opaque"): [4.0]}
    many = {("msrprelay", "opaque"): [3.0], ("haproxy", "opaque"): [8.0]}
    found = made(samples("chat-100", few) + samples("chat-8900", many))
    (row,) = (row for row in found if row.unit == "times")
    assert (row.ours, row.theirs, row.ratio, verdict(row)) == (1.5, 2.0, 0.75, "aim")


def test_variants_are_told_apart_and_judged_as_shipped() -> None:
    systems = ("msrprelay", "msrprelay-defaults")
    ours = {(system, "opaque"): [0.1] for system in systems}
    found = made(samples("bulk-8", ours | {("haproxy", "opaque"): [1.0]}))
    assert [(row.policy, verdict(row)) for row in found] == [
        ("opaque", "aim"),
        ("opaque, defaults", "aim"),
    ]


def test_code_that_is_not_shipped_has_no_bars() -> None:
    daemons = ("msrprelayd", "msrprelayd-uncompiled")
    ours = {(daemon, "aware"): [100.0] for daemon in daemons}
    found = made(samples("call", ours | {("rtpengine", "opaque"): [100.0]}))
    assert [(row.policy, verdict(row)) for row in found] == [
        ("compiled", "aim"),
        ("uncompiled", ""),
    ]


def test_every_row_of_the_catalogue_names_what_there_is() -> None:
    works = {work.name: work for work in CATALOGUE.work}
    assert len(works) == len(CATALOGUE.work)
    for work in works.values():
        assert set(work.peers) | set(work.ours) <= SYSTEMS.keys()
        assert set(work.quick_peers) <= set(work.peers)
        assert not any(map(is_ours, work.peers))
        assert all(map(is_ours, work.ours))
    for target in CATALOGUE.target:
        assert target.peers.keys() <= set(works[target.work].peers)
        assert target.policy in works[target.work].policies
        assert target.peers or target.value
    bars = [bar for target in CATALOGUE.target for bar in [*target.peers.values(), target.value]]
    assert all(aim <= must for must, aim in filter(None, bars))


def test_tables_and_plot_show_every_row() -> None:
    costs = {("msrprelay", "opaque"): [1.0, 2.0], ("haproxy", "opaque"): [4.0, 0.01]}
    found = made(samples("bulk-8", costs) + samples("stall", costs))
    text = text_table(found)
    assert len(text.splitlines()) == len(found) + 1
    assert plot(found).count('fill="#') == sum(row.ratio is not None for row in found)
    assert judgement(found).startswith("2 rows with bars")
