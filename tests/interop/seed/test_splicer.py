"""The splicer does to headers what the packets of the first seed show, and nothing more."""

from __future__ import annotations

import socket
import struct

import pytest

from .splicer import ACK, SYN, Endpoint, Segment, Splicer

BLINK_1 = Endpoint(socket.inet_aton("10.201.1.152"), 53502)
BLINK_2 = Endpoint(socket.inet_aton("10.201.1.99"), 49838)
SBC_1 = Endpoint(socket.inet_aton("10.207.1.100"), 15002)
SBC_2 = Endpoint(socket.inet_aton("10.207.1.100"), 15000)
CLOCK_1, CLOCK_2 = 856688003, 971262787
ISN_1, ISN_2 = 0xFFFFFFF0, 1000


def segment(
    source: Endpoint,
    destination: Endpoint,
    flags: int,
    *,
    numbers: tuple[int, int],
    clocks: tuple[int, int],
    payload: bytes = b"",
) -> bytes:
    options = b"\x01\x01\x08\x0a" + struct.pack("!II", *clocks)
    if flags & SYN:
        options = b"\x02\x04\x05\xb4\x01\x03\x03\x03" + options
    offset = (20 + len(options)) // 4 << 4
    ports = (source.port, destination.port)
    tcp = struct.pack("!HHIIBBHHH", *ports, *numbers, offset, flags, 65535, 0, 0) + options
    total = 20 + len(tcp) + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, 6, 0, source.host, destination.host)
    return Segment(ip + tcp + payload).sealed()


SYN_1 = segment(BLINK_1, SBC_1, SYN, numbers=(ISN_1, 0), clocks=(CLOCK_1, 0))
SYN_2 = segment(BLINK_2, SBC_2, SYN, numbers=(ISN_2, 0), clocks=(CLOCK_2, 0))


@pytest.fixture
def splicer() -> Splicer:
    """A splicer that has both SYNs."""
    splicer = Splicer(SBC_1, SBC_2)
    assert splicer.receive(SYN_1) == []
    splicer.receive(SYN_2)
    return splicer


def test_both_syns_are_held_then_mirrored() -> None:
    splicer = Splicer(SBC_1, SBC_2)
    assert splicer.receive(SYN_2) == []
    answers = [Segment(packet) for packet in splicer.receive(SYN_1)]
    assert [
        (answer.source, answer.destination, answer.flags, answer.timestamps) for answer in answers
    ] == [
        (SBC_1, BLINK_1, SYN | ACK, (CLOCK_1, 0)),
        (SBC_2, BLINK_2, SYN | ACK, (CLOCK_2, 0)),
    ]
    assert [(answer.seq, answer.ack) for answer in answers] == [
        (ISN_1, ISN_1 + 1),
        (ISN_2, ISN_2 + 1),
    ]
    assert answers[0].options == Segment(SYN_1).options
    assert answers[0].window == Segment(SYN_1).window


def test_a_repeated_syn_is_answered_again(splicer: Splicer) -> None:
    (answer,) = splicer.receive(SYN_1)
    assert Segment(answer).destination == BLINK_1


def test_a_send_keeps_its_clock_and_changes_its_numbers(splicer: Splicer) -> None:
    """Frame of SEND 745f0cb1fb640e52 and its copy: Seq=1 Ack=1 on both legs, TSV of Blink-1."""
    send = segment(
        BLINK_1,
        SBC_1,
        ACK,
        numbers=(ISN_1 + 1, ISN_1 + 1),
        clocks=(CLOCK_1, CLOCK_1),
        payload=b"MSRP 745f0cb1fb640e52 SEND\r\n",
    )
    (packet,) = splicer.receive(send)
    copy = Segment(packet)
    assert (copy.source, copy.destination) == (SBC_2, BLINK_2)
    assert (copy.seq, copy.ack) == (ISN_2 + 1, ISN_2 + 1)
    assert copy.timestamps == (CLOCK_1, CLOCK_1)
    assert copy.payload == b"MSRP 745f0cb1fb640e52 SEND\r\n"


def test_numbers_wrap_round_at_2_to_the_32(splicer: Splicer) -> None:
    answer = segment(BLINK_2, SBC_2, ACK, numbers=(1226, 1227), clocks=(CLOCK_2, CLOCK_2))
    (packet,) = splicer.receive(answer)
    assert (Segment(packet).seq, Segment(packet).ack) == (210, 211)


def test_checksums_are_right(splicer: Splicer) -> None:
    """Summed with the checksum in place, ones' complement arithmetic gives all ones."""
    (packet,) = splicer.receive(SYN_1)
    tcp = packet[20:]
    assert ones_complement_sum(packet[:20]) == 0xFFFF
    pseudo_header = packet[12:20] + struct.pack("!HH", 6, len(tcp))
    assert ones_complement_sum(pseudo_header + tcp) == 0xFFFF


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x60" + bytes(60), id="ipv6"),
        pytest.param(SYN_1[:9] + b"\x11" + SYN_1[10:], id="udp"),
        pytest.param(
            segment(
                Endpoint(BLINK_1.host, 1), SBC_1, ACK, numbers=(1, 1), clocks=(CLOCK_1, CLOCK_1)
            ),
            id="stranger",
        ),
        pytest.param(
            segment(BLINK_1, BLINK_2, ACK, numbers=(1, 1), clocks=(CLOCK_1, CLOCK_1)),
            id="another-port",
        ),
    ],
)
def test_what_belongs_to_neither_leg_vanishes(splicer: Splicer, packet: bytes) -> None:
    assert splicer.receive(packet) == []


def ones_complement_sum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(total)
