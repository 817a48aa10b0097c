"""The harness sees what it should: lost, doubled, reordered and foreign octets, told apart."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from .aware import MessageReader, MessageWriter, Paths
from .book import Book, Messages, Octets
from .opaque import OctetReader
from .tally import Tally

BOOK = Book(1)
BIND = b"MSRP bind SEND\r\nTo-Path: msrp://x\r\n-------bind$\r\n"
STREAM = Octets(BOOK, 7, "a", BIND).at
A, B = (
    Paths("msrp://a:9/aaaa;tcp", "msrp://r:1/u;tcp"),
    Paths("msrp://b:9/b;tcp", "msrp://r:2/vv;tcp"),
)
SIZES = (0, 30, 900, 5000)
SPAN = 20_000


def stream(length: int = SPAN) -> bytes:
    return STREAM(0, len(BIND)) + STREAM(len(BIND), length - len(BIND))


def arrived(data: bytes) -> Tally:
    """The octets of an opaque session, in pieces."""
    reader = OctetReader(Octets(BOOK, 7, "a", BIND))
    for piece in pieces(data):
        reader.feed(piece)
    reader.finish()
    return reader.tally


def pieces(data: bytes) -> list[bytes]:
    cuts = sorted(random.Random(2).sample(range(len(data)), 40))
    return [data[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(data)])]


Damage = Callable[[bytes], bytes]
WHOLE = stream()
DAMAGE: dict[str, tuple[Damage, Tally]] = {
    "none": (lambda s: s, Tally(right=SPAN)),
    "lost": (lambda s: s[:5000] + s[5700:], Tally(right=SPAN - 700)),
    "lost at the beginning": (lambda s: s[300:], Tally(right=SPAN - 300)),
    "lost at the end": (lambda s: s[:-700], Tally(right=SPAN - 700)),
    "doubled": (lambda s: s[:5000] + s[4300:], Tally(SPAN, duplicated=700)),
    "all doubled": (lambda s: s + s, Tally(SPAN, duplicated=SPAN)),
    "reordered": (lambda s: s[:5000] + s[5700:9000] + s[5000:5700] + s[9000:],
                  Tally(SPAN, reordered=700)),
    "foreign": (lambda s: s[:5000] + b"?" * 90 + s[5000:], Tally(SPAN, strange=90)),
    "changed": (lambda s: s[:5000] + b"?" * 90 + s[5090:], Tally(SPAN - 90, strange=90)),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_octets_are_told_apart(name: str) -> None:
    damage, expected = DAMAGE[name]
    assert arrived(damage(WHOLE)) == expected


class Ends:
    """b reads what a says; a's frames as they come to b."""

    def __init__(self) -> None:
        said = Messages(BOOK, 7, "a", SIZES)
        self.frames = [said.send(number, B.own, B.told) for number in range(40)]
        own = Messages(BOOK, 7, "b", SIZES)
        self.writer = MessageWriter(own, B, budget=0)
        self.swallowed: list[bytes] = []
        self.reader = MessageReader(said, own, B, self.writer, self.swallowed.append)

    def feed(self, *frames: bytes) -> Tally:
        for piece in pieces(b"".join(frames)):
            self.reader.feed(piece)
        self.reader.finish()
        return self.reader.tally


def test_whole_messages_come_once_and_are_answered() -> None:
    ends = Ends()
    assert ends.feed(*ends.frames) == Tally(right=sum(map(len, ends.frames)))
    assert ends.writer.more(0.0).count(b" 200 OK\r\n") == 1
    assert not ends.swallowed


FRAMES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], Callable[[list[int]], Tally]]] = {
    "lost": (lambda f: f[:5] + f[7:], lambda n: Tally(sum(n) - n[5] - n[6])),
    "doubled": (lambda f: [*f[:6], f[5], *f[6:]], lambda n: Tally(sum(n), duplicated=n[5])),
    "reordered": (lambda f: [*f[:5], *f[6:9], f[5], *f[9:]],
                  lambda n: Tally(sum(n), reordered=n[5])),
    "cut short": (lambda f: [*f[:5], f[5][:-60], *f[6:]], lambda n: Tally(sum(n) - 60)),
    "cut in the middle": (lambda f: [*f[:5], f[5][:40] + f[5][60:], *f[6:]],
                          lambda n: Tally(sum(n) - 20)),
    "partly doubled": (lambda f: [*f[:5], f[5][:60] + f[5][40:], *f[6:]],
                       lambda n: Tally(sum(n), duplicated=20)),
    "foreign": (lambda f: [*f[:5], b"what?\r\n" * 20, *f[5:]],
                lambda n: Tally(sum(n), strange=140)),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_messages_are_told_apart(name: str) -> None:
    ends = Ends()
    damage, expected = FRAMES[name]
    assert ends.feed(*damage(ends.frames)) == expected([len(frame) for frame in ends.frames])


def test_a_bind_of_the_relays_own_is_answered_and_counted() -> None:
    ends = Ends()
    bind = (
        b"MSRP r3l4y SEND\r\nTo-Path: x\r\nFrom-Path: y\r\nByte-Range: 1-0/0\r\n-------r3l4y$\r\n"
    )
    assert ends.feed(bind, *ends.frames).is_clean
    assert ends.reader.relays_own == 1
    assert ends.swallowed[0].startswith(b"MSRP r3l4y 200 OK\r\n")


def test_every_size_and_decoy_is_among_the_messages() -> None:
    said = Messages(BOOK, 7, "a", SIZES)
    frames: Any = [said.send(number, "t", "f") for number in range(200)]
    assert any(b"\r\n\r\r\n-------" in frame for frame in frames)
    assert any(frame.endswith(b"+\r\n") for frame in frames)
    assert {b"Content-Type" in frame for frame in frames} == {True, False}
