"""The journal in memory: what a process after this one reads, whenever this one dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msrprelay.journal import Journal, Moment, Unreadable, read
from msrprelay.journal import journal as module
from msrprelay.journal.file import FIRST
from msrprelay.journal.frames import frame


class Ticking:
    """Both clocks of a boot."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> Moment:
        return Moment("boot", 1e9 + self.now, self.now)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def journal(clock: Ticking) -> Iterator[Journal]:
    made = Journal.create(clock)
    yield made
    made.close()


def kept(fd: int) -> dict[bytes, bytes | None]:
    """What a process after this one would find, but for the time."""
    return {key: entry.value for key, entry in read(fd).entries.items() if key}


def test_the_newest_value_of_each_key_is_found(journal: Journal) -> None:
    journal.put(b"a", b"1")
    journal.put(b"b", b"2")
    journal.put(b"a", b"3")
    journal.flush()
    assert kept(journal.fd) == {b"a": b"3", b"b": b"2"}


def test_nothing_is_written_before_the_flush(journal: Journal) -> None:
    journal.put(b"a", b"1")
    assert kept(journal.fd) == {}


def test_a_flush_is_one_write(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    pwrite = os.pwrite

    def write(fd: int, data: Any, at: int) -> int:
        writes.append(len(data))
        return pwrite(fd, data, at)

    monkeypatch.setattr(os, "pwrite", write)
    for number in range(10):
        journal.put(b"%d" % number, bytes(100))
    journal.drop(b"3")
    journal.flush()
    journal.flush()
    assert len(writes) == 1


def test_what_was_dropped_is_gone(journal: Journal) -> None:
    journal.put(b"a", b"1")
    journal.flush()
    journal.drop(b"a")
    journal.drop(b"never there")
    journal.flush()
    assert kept(journal.fd) == {}


def test_another_process_goes_on_behind_the_last_good_record(
    journal: Journal, clock: Ticking
) -> None:
    journal.put(b"a", b"1")
    journal.put(b"b", b"2", until=200.0)
    journal.flush()
    os.pwrite(journal.fd, b"torn", journal.span[1])
    successor, found = Journal.resume(os.dup(journal.fd), clock)
    assert found.torn == 4
    assert (found.entries[b"a"].value, found.entries[b"b"].until) == (b"1", 200.0)
    successor.put(b"a", b"3")
    successor.flush()
    assert kept(journal.fd) == {b"a": b"3", b"b": b"2"}
    successor.close()


def test_a_journal_cut_anywhere_gives_its_last_good_record(journal: Journal) -> None:
    for number in range(5):
        journal.put(b"%d" % number, b"value")
        journal.flush()
    size = os.fstat(journal.fd).st_size
    whole = os.pread(journal.fd, size, 0)
    numbers = set()
    for cut in range(size):
        fd = os.memfd_create("cut")
        os.pwrite(fd, whole[:cut], 0)
        try:
            found = kept(fd)
            assert list(found) == [b"%d" % number for number in range(len(found))]
            numbers.add(len(found))
        except Unreadable:
            assert cut < FIRST
        finally:
            os.close(fd)
    assert numbers == {0, 1, 2, 3, 4}


@given(data=st.binary(max_size=200), title=st.booleans())
def test_any_bytes_are_a_journal_or_unreadable(data: bytes, title: bool) -> None:
    fd = os.memfd_create("any")
    try:
        if title:
            os.pwrite(fd, b"msrprelay journal 1\n", 0)
        os.pwrite(fd, data, 64 if title else 0)
        read(fd)
    except Unreadable:
        assert True
    finally:
        os.close(fd)


def test_a_journal_of_another_version_says_so(journal: Journal) -> None:
    os.pwrite(journal.fd, b"msrprelay journal 2\n", 0)
    with pytest.raises(Unreadable, match="another version"):
        read(journal.fd)


def test_the_time_is_told_once_a_second(journal: Journal, clock: Ticking) -> None:
    ends = []
    for step in (0.0, 0.5, 0.6):
        clock.now += step
        journal.put(b"a", b"1")
        before = journal.span[1]
        journal.flush()
        ends.append(journal.span[1] - before)
    assert ends[0] == ends[2] > ends[1]


# Clearing away.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals clear away early."""
    monkeypatch.setattr(module, "SLACK", 512)
    monkeypatch.setattr(module, "BLOCK", 256)
    monkeypatch.setattr(module, "GIVEN_BACK", 4096)


@pytest.mark.usefixtures("small")
def test_a_long_life_needs_no_more_room_than_what_counts(journal: Journal, clock: Ticking) -> None:
    # A value for each of seven keys, and the replies of the last half second.
    counting = 7 * len(frame(b"0", b"1234")) + 50 * len(frame(b"reply 1234", b"reply"))
    for number in range(2000):
        clock.now += 0.01
        journal.put(b"%d" % (number % 7), b"%d" % number)
        journal.put(b"reply %d" % number, b"reply", until=clock.now + 0.5)
        journal.flush()
        head, tail = journal.span
        assert tail - head <= 2 * counting + 1024
    assert {key: kept(journal.fd)[key] for key in (b"0", b"6")} == {b"0": b"1995", b"6": b"1994"}
    blocks = os.fstat(journal.fd).st_blocks * 512
    assert blocks < 40_000 < os.fstat(journal.fd).st_size


@pytest.mark.usefixtures("small")
def test_generations_need_no_more_room_than_one(journal: Journal, clock: Ticking) -> None:
    fd = os.dup(journal.fd)
    for generation in range(40):
        heir, _ = Journal.resume(os.dup(fd), clock)
        for number in range(20):
            heir.put(b"key", b"%d %d" % (generation, number) + bytes(100))
            heir.flush()
        heir.close()
    assert os.fstat(fd).st_size > 80_000
    assert os.fstat(fd).st_blocks * 512 < 20_000
    os.close(fd)


@pytest.mark.usefixtures("small")
def test_a_key_that_is_never_written_again_is_carried_along(journal: Journal) -> None:
    journal.put(b"old", b"value")
    for number in range(500):
        journal.put(b"new", b"%d" % number)
        journal.flush()
    assert journal.span[0] > FIRST
    assert kept(journal.fd) == {b"old": b"value", b"new": b"499"}


@pytest.mark.usefixtures("small")
def test_a_record_longer_than_what_is_looked_at_in_one_go_is_carried_too(journal: Journal) -> None:
    journal.put(b"long", bytes(1000))
    for number in range(500):
        journal.put(b"new", b"%d" % number)
        journal.flush()
    assert journal.span[0] > FIRST
    assert kept(journal.fd)[b"long"] == bytes(1000)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.binary(max_size=80)),
        st.tuples(st.just("fleeting"), st.integers(0, 5), st.binary(max_size=80)),
        st.tuples(st.just("drop"), st.integers(0, 5), st.just(b"")),
        st.tuples(st.just("flush"), st.just(0), st.just(b"")),
        st.tuples(st.just("restart"), st.just(0), st.just(b"")),
    ),
    max_size=80,
)


class Killed(BaseException):
    """The process dies here."""


def dying(chance: Callable[[], int], after: int) -> Callable[[int, Any, int], int]:
    """A pwrite that dies after so many calls, having written a part."""
    calls = 0
    pwrite = os.pwrite

    def write(fd: int, data: Any, at: int) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            # A head of some bytes is within one page: the kernel writes it whole or not at all.
            pwrite(fd, data[: chance() % (len(data) + 1)] if at >= FIRST else b"", at)
            raise Killed
        return pwrite(fd, data, at)

    return write


@pytest.mark.usefixtures("small")
@settings(deadline=None)
@given(steps=STEPS, after=st.integers(0, 40), part=st.integers(0, 10_000))
def test_whenever_the_process_dies_all_that_was_flushed_is_there(
    steps: list[tuple[str, int, bytes]], after: int, part: int
) -> None:
    clock = Ticking()
    journal = Journal.create(clock)
    # What was flushed last, and how it was after each change since.
    states: list[dict[bytes, bytes]] = [{}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", dying(lambda: part, after))
        try:
            for what, number, value in steps:
                clock.now += 0.3
                key = b"key %d" % number
                if what == "put":
                    journal.put(key, value)
                    states.append({**states[-1], key: value})
                elif what == "fleeting":
                    journal.put(b"fleeting " + key, value, until=clock.now + 1.0)
                elif what == "drop":
                    journal.drop(key)
                    states.append({k: v for k, v in states[-1].items() if k != key})
                else:
                    journal.flush()
                    states = states[-1:]
                    if what == "restart":
                        journal, _ = Journal.resume(journal.fd, clock)
        except Killed:
            pass
    found = {k: v for k, v in kept(journal.fd).items() if not k.startswith(b"fleeting")}
    assert found in states
    journal.close()


# Faults.


def test_what_cannot_be_written_comes_later(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: Any, at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    journal.put(b"a", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        journal.flush()
        journal.put(b"b", b"2")
        journal.flush()
    assert journal.failing == "No space left on device"
    assert kept(journal.fd) == {}
    journal.put(b"c", b"3")
    journal.flush()
    assert journal.failing is None
    assert kept(journal.fd) == {b"a": b"1", b"b": b"2", b"c": b"3"}


def test_a_write_in_pieces_is_whole(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:7], at))
    journal.put(b"a", bytes(100))
    journal.flush()
    assert kept(journal.fd) == {b"a": bytes(100)}


def test_a_journal_that_cannot_be_written_for_long_ends(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 1000)

    def full(fd: int, data: Any, at: int) -> int:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        for number in range(20):
            journal.put(b"%d" % number, bytes(100))
            journal.flush()
    assert journal.ended
    journal.put(b"late", b"")
    journal.flush()
    assert (kept(journal.fd), journal.failing) == ({}, "Cannot allocate memory")


@pytest.mark.parametrize(
    ("then", "now", "shift"),
    [
        pytest.param(Moment("x", 5.0, 50.0), Moment("x", 9.0, 53.0), 0.0, id="same-boot"),
        pytest.param(
            Moment("x", 1000.0, 50.0), Moment("y", 1030.0, 7.0), -73.0, id="half-a-minute"
        ),
        pytest.param(Moment("x", 1000.0, 50.0), Moment("y", 10.0, 7.0), -43.0, id="clock-set-back"),
    ],
)
def test_deadlines_are_told_in_the_time_of_another_boot(
    then: Moment, now: Moment, shift: float
) -> None:
    assert then.shift(now) == shift
