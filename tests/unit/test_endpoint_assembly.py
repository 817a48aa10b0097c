"""Messages in chunks: each goes where its Byte-Range says, and only what has come is reported."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from msrprelay.endpoint import Endpoint, Event, FilePiece, MalformedStream, Message, Send
from msrprelay.endpoint.assembly import MESSAGE_LIMIT, OPEN_LIMIT, Arrival, Assembly, TooMuch
from msrprelay.endpoint.chunks import range_of
from msrprelay.framing import ByteRange, Chunk, ChunkReader

A = "msrp://192.0.2.1:9/aaaa;tcp"
B = "msrp://192.0.2.2:5000/bbbb;tcp"
CHAT, FILE = "text/plain", "application/octet-stream"
Part = tuple[int, bytes, str]


def sent(parts: list[Part], kind: str, total: int | None) -> tuple[list[Event], list[ByteRange]]:
    """What a bound endpoint makes of the parts of one message, and the ranges it reports."""
    b = Endpoint(B, [A], active=False)
    b.connected()
    b.receive(Send.bind().encode("bind0001", B, A))
    b.outgoing()
    events: list[Event] = []
    for start, body, flag in parts:
        part = Send("m0001", range_of(start, len(body), total), kind, body, flag, True)
        events += b.receive(part.encode(part.tid(), B, A))
    answers = [item for item in ChunkReader().feed(b.outgoing()) if isinstance(item, Chunk)]
    reports = [each.byte_range for each in answers if each.method == "REPORT"]
    return events, [each for each in reports if each is not None]


PARTS = [
    pytest.param([(1, b"hello", "+"), (6, b"world", "$")], b"helloworld", [10], id="in-order"),
    pytest.param([(6, b"world", "$")], None, [], id="the-first-never-came"),
    pytest.param([(1, b"hell", "+"), (6, b"world", "$")], None, [4], id="a-gap"),
    pytest.param([(6, b"world", "$"), (1, b"hello", "+")], b"helloworld", [10], id="last-first"),
    pytest.param(
        [(1, b"hello", "+"), (1, b"hello", "+"), (6, b"world", "$")],
        b"helloworld",
        [10],
        id="one-repeated",
    ),
    pytest.param(
        [(1, b"hello", "+"), (4, b"LOW", "+"), (7, b"orld", "$")],
        b"helLOWorld",
        [10],
        id="overlapping-the-later-counts",
    ),
    pytest.param([(1, b"", "$")], b"", [0], id="empty"),
]


@pytest.mark.parametrize(("parts", "content", "ends"), PARTS)
def test_a_message_is_whole_when_every_octet_has_come(
    parts: list[Part], content: bytes | None, ends: list[int]
) -> None:
    events, reports = sent(parts, CHAT, 10 if content != b"" else 0)
    assert events == ([] if content is None else [Message("m0001", CHAT, content)])
    assert [(told.start, told.end) for told in reports] == [(1, end) for end in ends]


@pytest.mark.parametrize(("parts", "content", "ends"), PARTS)
def test_of_a_file_no_octet_is_reported_that_has_not_come(
    parts: list[Part], content: bytes | None, ends: list[int]
) -> None:
    events, reports = sent(parts, FILE, 10 if content != b"" else 0)
    assert events == [
        FilePiece("m0001", FILE, start, body, flag == "$") for start, body, flag in parts
    ]
    assert [(told.start, told.end) for told in reports] == [(1, end) for end in ends]


def test_the_total_of_what_has_a_gap_is_not_made_up() -> None:
    _, reports = sent([(1, b"hell", "+"), (6, b"world", "$")], CHAT, None)
    assert reports == [ByteRange(1, 4, None)]


@pytest.mark.parametrize("kind", [CHAT, FILE])
def test_an_aborted_message_is_not_reported(kind: str) -> None:
    events, reports = sent([(1, b"hel", "+"), (4, b"lo", "#")], kind, 10)
    assert reports == []
    assert [each.aborted for each in events if isinstance(each, FilePiece)] == (
        [False, True] if kind == FILE else []
    )


@given(content=st.binary(min_size=1, max_size=60), data=st.data())
def test_any_chunks_in_any_order_give_the_whole(content: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(content) - 1, 1)), max_size=8)))
    bounds = [0, *(cut for cut in cuts if cut < len(content)), len(content)]
    parts = list(pairwise(bounds))
    parts += data.draw(st.lists(st.sampled_from(parts), max_size=3))
    assembly = Assembly(keep=True)
    wholes = []
    missing = set(parts)
    for begin, end in data.draw(st.permutations(parts)):
        missing.discard((begin, end))
        flag = "$" if end == len(content) else "+"
        arrival = assembly.add("m", begin + 1, content[begin:end], flag)
        if arrival.complete:
            wholes.append(arrival.content)
            assert not missing
            break
    assert wholes == [content]


def test_what_is_kept_has_bounds() -> None:
    chats = Assembly(keep=True)
    with pytest.raises(TooMuch):
        chats.add("long", MESSAGE_LIMIT + 1, b"x", "+")
    files = Assembly(keep=False)
    assert files.add("long", MESSAGE_LIMIT + 1, b"x", "+") == Arrival(0, False)
    for number in range(OPEN_LIMIT - 1):
        files.add(f"m{number}", 1, b"x", "+")
    with pytest.raises(TooMuch):
        files.add("one more", 1, b"x", "+")
    apart = Assembly(keep=False)
    for number in range(OPEN_LIMIT):
        apart.add("m", 1 + 2 * number, b"x", "+")
    with pytest.raises(TooMuch):
        apart.add("m", 1 + 2 * OPEN_LIMIT, b"x", "+")


def test_there_is_no_octet_before_the_first() -> None:
    with pytest.raises(MalformedStream):
        Assembly(keep=False).add("m", 0, b"x", "+")
