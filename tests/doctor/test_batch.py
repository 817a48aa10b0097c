"""Many calls: outcomes, the second seed's pattern, the loss behind it."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from msrprelay.doctor import batch_text, histogram
from msrprelay.doctor.batch import Batch, bins, captures, estimate, run
from msrprelay.doctor.calls import Outcome
from msrprelay.doctor.canvas import ticks

from .population import Made, population

LOSS = 0.02


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Made], Batch]:
    folder = tmp_path_factory.mktemp("calls")
    calls = population(folder, calls=2000, files=8, loss=LOSS)
    return calls, run(folder)


def test_every_call_has_its_outcome(made: tuple[list[Made], Batch]) -> None:
    calls, batch = made
    assert batch.files == 8
    assert len(batch.outcomes) == len(calls) == 2000
    cut = [o for o in batch.outcomes if o.ended.startswith("cut by")]
    assert len(cut) == sum(call.cut for call in calls) > 50
    assert sum(o.ended == "ended by a user" for o in batch.outcomes) == 2000 - len(cut)


def test_durations_are_those_of_the_calls(made: tuple[list[Made], Batch]) -> None:
    calls, batch = made
    wanted = sorted(call.seconds for call in calls if call.cut)
    assert batch.interrupted == pytest.approx(wanted, abs=0.01)


def test_names_the_second_seeds_pattern(made: tuple[list[Made], Batch]) -> None:
    calls, batch = made
    pattern = batch.pattern
    assert pattern is not None
    assert (pattern.timer, pattern.interval) == (300, 32)
    first = sum(call.cut and call.keepalives == 1 for call in calls)
    assert pattern.first_keepalive == first > 0
    assert pattern.on_peaks == pattern.cut - first
    assert all((seconds - 364) % 32 == 0 for seconds, _ in pattern.peaks)
    said = pattern.sentence()
    for words in ("Lost final of a re-INVITE", "timer of 300 s", "364 + 32·n s", "900 s"):
        assert words in said


def test_the_first_keepalive_cuts_at_932_seconds(made: tuple[list[Made], Batch]) -> None:
    _, batch = made
    late = [o.seconds for o in batch.outcomes if o.ended == "cut by first keep-alive"]
    assert all(931 < (seconds or 0) < 933 for seconds in late)


def test_estimates_the_loss(made: tuple[list[Made], Batch]) -> None:
    calls, batch = made
    loss = batch.loss
    assert loss is not None
    assert loss.finals == sum(call.keepalives for call in calls)
    assert loss.low < LOSS < loss.high
    assert loss.high - loss.low < 0.01


def test_no_pattern_without_loss(tmp_path: Path) -> None:
    population(tmp_path, calls=100, files=1, loss=0.0)
    batch = run(tmp_path)
    assert batch.pattern is None
    assert batch.interrupted == []
    assert batch.loss is not None
    assert batch.loss.estimate == 0.0
    assert "ended by a user" in batch_text.as_text(batch)


@pytest.mark.parametrize(
    ("lost", "finals", "low", "high"),
    [(0, 100, 0.0, 0.037), (50, 100, 0.404, 0.596), (100, 100, 0.963, 1.0)],
)
def test_interval_of_the_estimate(lost: int, finals: int, low: float, high: float) -> None:
    found = estimate(lost, finals)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.001)


def test_text_and_json_agree(made: tuple[list[Made], Batch]) -> None:
    _, batch = made
    row = json.loads(batch_text.as_json(batch))
    assert row["calls"] == 2000
    assert row["pattern"]["timer"] == 300
    text = batch_text.as_text(batch)
    assert "Peaks at 364 + 32·n s" in text
    assert f"Loss of a final: {row['loss']['lost']} of {row['loss']['finals']}" in text


@pytest.mark.parametrize("name", ["calls.svg", "calls.png"])
def test_histogram_is_drawn(made: tuple[list[Made], Batch], tmp_path: Path, name: str) -> None:
    _, batch = made
    path = tmp_path / name
    histogram.write_histogram(path, batch)
    data = path.read_bytes()
    if name.endswith("png"):
        assert data.startswith(b"\x89PNG")
    else:
        assert f"{len(batch.interrupted)} interrupted calls by duration".encode() in data
        assert "364 + 32·n s".encode() in data


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        pytest.param([], [], id="none"),
        pytest.param([364.0, 364.5, 396.1], [(360, 2), (392, 1)], id="apart"),
        pytest.param([8.0, 1e12], [(8, 1), (10**12, 1)], id="very-far-apart"),
    ],
)
def test_bins_hold_every_call_once(seconds: list[float], found: list[tuple[int, int]]) -> None:
    assert list(islice(bins(seconds), 10)) == found


@pytest.mark.parametrize("step", [1.7e9, -1.7e9], ids=["from-1970", "to-1970"])
def test_a_clock_that_was_set_during_a_call_does_not_stretch_the_picture(
    tmp_path: Path, step: float
) -> None:
    lost = [
        Outcome(f"call-{number}", 0.0, "ended after a lost final", seconds, 1, 1, None, 300)
        for number, seconds in enumerate([364.0, 364.0 + step])
    ]
    batch = Batch(files=1, outcomes=lost)
    assert batch.interrupted == [364.0]
    histogram.write_histogram(tmp_path / "h.svg", batch)
    assert (tmp_path / "h.svg").stat().st_size < 10_000
    assert histogram.as_text(batch).count("\n") == 1


CAPTURES = ["a.pcap", "b.PCAPNG", "call.pcap1", "call.pcap12", "old.pcap3.gz", "sub/c.cap.gz"]


def test_captures_are_found_by_name_and_the_others_told(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in (*CAPTURES, "notes.txt", "d.pcap.bak"):
        (tmp_path / name).write_bytes(b"")
    found, others = captures(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found] == CAPTURES
    assert [path.name for path in others] == ["d.pcap.bak", "notes.txt"]
    batch = run(tmp_path)
    assert batch.files == len(CAPTURES)
    assert "skipped 2, by name no captures: " in batch_text.as_text(batch)
    assert len(json.loads(batch_text.as_json(batch))["skipped"]) == 2


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    population(tmp_path, calls=3, files=1, loss=0.0)
    (tmp_path / "zero.pcap").write_bytes(b"")
    (tmp_path / "cut.pcap.gz").write_bytes(gzip.compress(b"x" * 99)[:-4])
    batch = run(tmp_path)
    assert batch.files == 3
    assert len(batch.unreadable) == 2
    assert len(batch.outcomes) == 3


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.001), (3, 3), (0, 1e9), (-5, 17)])
def test_ticks_are_within_their_axis(low: float, high: float) -> None:
    found = ticks(low, high, 6)
    assert len(found) <= 14
    assert all(low - 1e-6 <= tick <= high + 1e-6 for tick in found)
