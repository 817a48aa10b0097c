"""Captures made to be slow or large cost no more than honest ones: work and memory are counted."""

from __future__ import annotations

from typing import ClassVar

import pytest

from msrprelay.doctor import packets
from msrprelay.doctor.capture import Frame
from msrprelay.doctor.packets import Datagram, Decoder, Packet
from msrprelay.doctor.streams import Reassembler

from .wire import ETHERNET, A, B, ethernet, fragment, udp_datagram

DATAGRAM = udp_datagram((A, 5060), (B, 5060), bytes(range(256)) * 12)[20:]


class Offset(int):
    """A stream offset that counts how often it is compared with another one."""

    compared: ClassVar[int] = 0

    def __lt__(self, other: int) -> bool:
        Offset.compared += 1
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        Offset.compared += 1
        return int(self) <= int(other)


def behind_a_hole(islands: int) -> Reassembler:
    stream = Reassembler()
    for number in range(islands):
        assert stream.add(Offset(100_000 + 2 * number), b"z", number, 0.0) == []
    return stream


@pytest.mark.parametrize("what", ["data in order", "acknowledgements"])
def test_segments_behind_a_hole_are_not_looked_through_for_each_packet(what: str) -> None:
    stream = behind_a_hole(1_500)
    before = Offset.compared
    for at in range(1_000):
        if what == "data in order":
            assert stream.add(at, b"q", 1, 0.0)
        else:
            assert stream.skip_holes(at) == []
    assert Offset.compared - before < 10 * 1_000


def test_many_tiny_segments_make_a_hole_be_given_up() -> None:
    stream = Reassembler()
    out = [p for at in range(5_000) for p in stream.add(10 + 2 * at, b"z", at, 0.0)]
    assert len(out) >= 3_000
    assert all(piece.hole for piece in out)
    assert [piece.offset for piece in out] == sorted(piece.offset for piece in out)


def pieces(size: int, identity: int = 7, data: bytes = DATAGRAM) -> list[bytes]:
    return [
        fragment(A, B, 17, identity, at, data[at : at + size], more=at + size < len(data))
        for at in range(0, len(data), size)
    ]


def decoded(frames: list[tuple[float, bytes]], decoder: Decoder | None = None) -> list[Packet]:
    decode = (decoder or Decoder()).decode
    found = (decode(Frame(1, time, ETHERNET, ethernet(p), 14 + len(p))) for time, p in frames)
    return [packet for packet in found if packet is not None]


def test_a_datagram_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    joins = 0
    join = packets._Pieces._joined

    def counted(waiting: packets._Pieces) -> bytes | None:
        nonlocal joins
        joins += 1
        return join(waiting)

    monkeypatch.setattr(packets._Pieces, "_joined", counted)
    (datagram,) = decoded([(0.0, piece) for piece in pieces(32)[::-1]])
    assert isinstance(datagram, Datagram)
    assert datagram.payload == DATAGRAM[8:]
    assert joins == 1


def test_a_datagram_in_very_many_pieces_is_not_put_together() -> None:
    decoder = Decoder()
    assert decoded([(0.0, piece) for piece in pieces(8)[::-1]], decoder) == []
    (waiting,) = decoder._waiting.values()
    assert len(waiting._parts) <= packets.MAX_PIECES


def test_fragments_that_overlap_hold_no_more_than_a_datagram() -> None:
    decoder = Decoder()
    overlapping = [fragment(A, B, 17, 7, 8 * n, b"x" * 60_000, more=True) for n in range(100)]
    assert decoded([(0.0, piece) for piece in overlapping], decoder) == []
    (waiting,) = decoder._waiting.values()
    assert sum(map(len, waiting._parts.values())) <= packets.MAX_DATAGRAM


@pytest.mark.parametrize(
    ("later", "found"),
    [
        pytest.param(20.0, [b"old" + b"x" * 5 + b"new" + b"x" * 5], id="soon"),
        pytest.param(31.0, [], id="the-first-is-stale"),
    ],
)
def test_a_stale_fragment_does_not_mix_into_a_later_datagram(
    later: float, found: list[bytes]
) -> None:
    first = fragment(A, B, 17, 7, 0, DATAGRAM[:8] + b"old" + b"x" * 5, more=True)
    last = fragment(A, B, 17, 7, 16, b"new" + b"x" * 5, more=False)
    got = decoded([(0.0, first), (later, last)])
    assert [packet.payload for packet in got if isinstance(packet, Datagram)] == found


def test_after_a_stale_fragment_the_new_datagram_is_read_whole() -> None:
    stale = pieces(1480, data=b"\0" * 3_000)[0]
    got = decoded([(0.0, stale), *((40.0, piece) for piece in pieces(1480)[::-1])])
    assert [packet.payload for packet in got if isinstance(packet, Datagram)] == [DATAGRAM[8:]]
