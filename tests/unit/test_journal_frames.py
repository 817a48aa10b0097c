"""Records on a medium that may be torn or rotten anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.journal.frames import HEAD_SIZE, Entry, frame, frames, keys

ENTRIES = st.builds(
    Entry, st.none() | st.binary(max_size=60), st.sampled_from([0.0, 17.25]) | st.floats(0, 1e9)
)
RECORDS = st.lists(st.tuples(st.binary(max_size=20), ENTRIES), max_size=6)


def written(records: list[tuple[bytes, Entry]]) -> bytes:
    return b"".join(frame(key, *entry) for key, entry in records)


def found(data: bytes) -> list[tuple[bytes, Entry]]:
    return [(each.key, each.entry) for each in frames(data)]


@given(records=RECORDS)
def test_what_was_written_is_read(records: list[tuple[bytes, Entry]]) -> None:
    assert found(written(records)) == records


@given(records=RECORDS)
def test_torn_anywhere_the_whole_records_before_are_read(
    records: list[tuple[bytes, Entry]],
) -> None:
    data = written(records)
    ends = [len(written(records[:n])) for n in range(len(records) + 1)]
    for cut in range(len(data) + 1):
        whole = sum(end <= cut for end in ends) - 1
        assert found(data[:cut]) == records[:whole]


@given(records=RECORDS, data=st.data())
def test_a_flipped_bit_ends_the_journal_before_its_record(
    records: list[tuple[bytes, Entry]], data: st.DataObject
) -> None:
    whole = written(records)
    if not whole:
        return
    at = data.draw(st.integers(0, len(whole) - 1))
    rotten = bytearray(whole)
    rotten[at] ^= 1 << data.draw(st.integers(0, 7))
    before = max(n for n in range(len(records)) if len(written(records[:n])) <= at)
    assert found(bytes(rotten)) == records[:before]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_without_a_fault(data: bytes) -> None:
    assert sum(each.size for each in frames(data)) <= len(data)


@pytest.mark.parametrize("size", [0, 1, HEAD_SIZE, 4096])
def test_zeros_are_no_record(size: int) -> None:
    assert found(bytes(size)) == []


@given(records=RECORDS, cut=st.integers(0, 400))
def test_good_records_are_walked_through_without_looking_inside(
    records: list[tuple[bytes, Entry]], cut: int
) -> None:
    data = written(records)[:cut]
    walked = [(each.offset, each.size, each.key) for each in frames(data)]
    assert list(keys(data)) == walked
