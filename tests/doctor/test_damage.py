"""Truncated, corrupt and hostile captures: findings or an error, never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msrprelay.doctor.analysis import analyse
from msrprelay.doctor.hosts import Endpoint
from msrprelay.doctor.ladder import build_ladder, draw_svg, draw_text
from msrprelay.doctor.plots import time_sequence
from msrprelay.doctor.questions import answers
from msrprelay.doctor.sip_message import parse_message, split_stream

from .test_captures import CAPTURES, HEALTHY, ROOTS
from .wire import START, Talk, Wire, diagnoses

EVERY_BYTE = ["m07_endline_in_body.pcap", "t12_syn_held.pcap", "m04_both_passive.pcap"]
HERE = Endpoint("192.0.2.1", 5060)


def look(path: Path) -> None:
    """Everything that is shown of a capture is made once."""
    for diagnosis in analyse(path).diagnoses:
        ladder = build_ladder(diagnosis.case)
        draw_text(ladder)
        draw_svg(ladder).markup()
        answers(diagnosis)
        for link in diagnosis.case.links:
            time_sequence(link, diagnosis.case).markup()


@pytest.mark.parametrize("name", EVERY_BYTE)
def test_cut_at_every_byte(name: str, tmp_path: Path) -> None:
    data = (CAPTURES / name).read_bytes()
    path = tmp_path / "cut.pcap"
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        analysis = analyse(path)
        assert analysis.damage is not None or analysis.packets > 0 or cut >= 24
        assert analysis.unreadable == (cut < 24)


@pytest.mark.parametrize("name", [*ROOTS, *HEALTHY])
def test_cut_at_many_bytes(name: str, tmp_path: Path) -> None:
    data = (CAPTURES / name).read_bytes()
    path = tmp_path / "cut.pcap"
    for cut in range(0, len(data), max(len(data) // 120, 1)):
        path.write_bytes(data[:cut])
        look(path)


@pytest.mark.parametrize("name", [*ROOTS, *HEALTHY])
def test_flipped_bytes(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    path = tmp_path / "flipped.pcap"
    for _ in range(40):
        data = bytearray((CAPTURES / name).read_bytes())
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(24, len(data))] = chance.randrange(256)
        path.write_bytes(data)
        look(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(0, 63),
            st.integers(-50, 400),
            st.integers(-50, 400),
            st.binary(max_size=80),
            st.binary(max_size=36).map(lambda b: b[: len(b) // 4 * 4]),
        ),
        max_size=30,
    )
)
def test_any_segments_are_survived(
    segments: list[tuple[int, int, int, int, bytes, bytes]],
) -> None:
    wire = Wire()
    talk = Talk(wire)
    for side, flags, seq, ack, payload, options in segments:
        talk.raw(side, flags, payload, seq=seq, ack=ack, options=options)
    for diagnosis in diagnoses(wire):
        draw_text(build_ladder(diagnosis.case))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=12))
def test_any_msrp_is_survived(pieces: list[bytes]) -> None:
    wire = Wire()
    talk = Talk(wire).open()
    talk.send(0, b"MSRP ")
    for count, piece in enumerate(pieces):
        talk.send(count % 2, piece)
    diagnoses(wire)


@given(st.binary(max_size=300))
def test_any_sip_is_survived(data: bytes) -> None:
    for prefix in (b"", b"INVITE sip:a SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"):
        parse_message(prefix + data, 1, START, HERE, HERE, "UDP")
        split_stream(prefix + data)


@given(st.data())
def test_sip_streams_split_anywhere_alike(data: st.DataObject) -> None:
    one = b"BYE sip:a SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 4\r\n\r\nbody"
    stream = b"\r\n\r\n" + one + one
    cut = data.draw(st.integers(0, len(stream)))
    first, rest = split_stream(stream[:cut])
    second, rest = split_stream(rest + stream[cut:])
    assert first + second == [one, one]
    assert rest == b""
