"""Chunks that are cut, longer than they say, or never end."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, rule
from ..msrp import ANSWER_SECONDS, Loss, Transaction
from ..quote import quoted
from ..tracker import Link

CHUNK_SECONDS = 30.0


@rule(
    "M06",
    Level.LINK,
    "Byte-Range and body disagree",
    "Sender bug, or a relay that split a chunk without rewriting Byte-Range.",
)
def range_mismatch(link: Link, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 7.1.1: end - start + 1 octets, none beyond the total."""
    for chunk in link.msrp.transactions:
        wrong = _range_fault(chunk)
        if wrong is None:
            continue
        numbers, twin = [chunk.begin.number], case.twin(link, chunk)
        if twin is not None and _range_fault(twin.request) == wrong:
            if twin.earlier(chunk):
                continue  # it came to the middlebox like that
            numbers.append(twin.request.begin.number)
        who = case.party(link, chunk.side)
        yield Hit(numbers, f"{chunk.method} {chunk.tid} of the {who} {wrong}.")


def _range_fault(chunk: Transaction) -> str | None:
    """What is wrong with a chunk's Byte-Range."""
    found = chunk.byte_range
    if found is None or chunk.flag in ("", "#") or chunk.method == "REPORT":
        return None
    if chunk.range_length is not None and chunk.range_length != chunk.body_length:
        promised = f"promises {chunk.range_length:,} bytes ({found.start}-{found.end})"
        return f"{promised} and carries {chunk.body_length:,}"
    end = found.start + chunk.body_length - 1
    if found.total is not None and end > found.total:
        return f"ends at byte {end:,} of a message of {found.total:,}"
    return None


@rule(
    "M06b",
    Level.LINK,
    "Gap or overlap in a message",
    "Chunks of a message are sent in order: look for a lost or a repeated chunk.",
)
def range_gap(link: Link, case: Case) -> Iterator[Hit]:
    """The next chunk of a Message-ID continues where the last one ended."""
    for gap in link.msrp.gaps:
        what = "missing" if gap.start > gap.expected else "duplicated"
        low, high = sorted((gap.expected, gap.start))
        yield Hit([gap.at.number], f"Message {gap.message_id}: bytes {low}-{high - 1} {what}.")


@rule(
    "M07",
    Level.LINK,
    "Framing lost",
    "The sender must choose another transaction id (RFC 4975 section 7.1); a relay should take "
    "Byte-Range as a hint only.",
)
def framing_lost(link: Link, case: Case) -> Iterator[Hit]:
    """The bytes after an end-line, or inside a chunk, are no MSRP."""
    for side, loss in link.msrp.losses:
        who = case.party(link, side)
        cut = loss.cut
        if cut is not None and _cut_short(cut, loss):
            yield Hit(
                [cut.begin.number, loss.at.number],
                f"The end-line of {cut.tid} occurs inside the body: the message of the {who} is "
                f"cut after {cut.body_length:,} of {cut.range_length or 0:,} bytes, and what "
                f"follows ({quoted(loss.next_bytes)}) is no MSRP.",
            )
        else:
            yield Hit(
                [loss.at.number],
                f"The stream of the {who} is not MSRP from packet {loss.at.number} on "
                f"({loss.code}): {quoted(loss.next_bytes)}.",
            )


def _cut_short(cut: Transaction, loss: Loss) -> bool:
    promised = cut.range_length
    return promised is not None and cut.body_length < promised and cut.flag != "#"


@rule(
    "M08",
    Level.LINK,
    "Chunk never finished",
    "Relay: on FIN without an end-line close the chunk to the peer with '#', or close.",
)
def never_finished(link: Link, case: Case) -> Iterator[Hit]:
    """Start line and headers, no end-line by the end of the stream or for 30 s."""
    for side in (0, 1):
        direction = link.tcp.directions[side]
        found = link.msrp.unfinished(side)
        if found is None or link.msrp.halves[side].lost or direction.unacked:
            continue
        if not link.heard_out(side) or _cut_before(link, side, case):
            continue
        chunk, begin = found
        waits = link.tcp.directions[1 - side].window_closed
        silent = case.end - direction.last_data > CHUNK_SECONDS and not waits
        if direction.fins or direction.rsts or silent:
            yield Hit(
                [begin.number],
                f"The {case.party(link, side)} stopped inside chunk {chunk.tid}: "
                f"{chunk.body_length:,} bytes of its body came, the end-line never did.",
            )


def _cut_before(link: Link, side: int, case: Case) -> bool:
    """Whether the chunk came to the middlebox no further than this."""
    source = case.copied(link, side)
    if source is None:
        return False
    came, gone = source[0].msrp.unfinished(source[1]), link.msrp.unfinished(side)
    return came is not None and gone is not None and came[0].tid == gone[0].tid


@rule(
    "M08b",
    Level.LINK,
    "Message never completed",
    "Look for the answer to its last chunk (M01).",
)
def never_completed(link: Link, case: Case) -> Iterator[Hit]:
    """The last chunk said ``+`` and nothing more came for 30 s."""
    for side in (0, 1):
        for name, at in link.msrp.open_messages(side):
            if not link.heard_out(side):
                break
            if case.end - at.time > ANSWER_SECONDS or link.tcp.directions[side].fins:
                yield Hit(
                    [at.number],
                    f"Message {name} of the {case.party(link, side)} was never "
                    "completed: its last chunk said '+'. The sender waits for an answer, or died.",
                )
