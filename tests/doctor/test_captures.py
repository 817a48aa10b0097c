"""The recorded captures: what is wrong is found, what is right is called healthy."""

from __future__ import annotations

from pathlib import Path

import pytest

from msrprelay.doctor.analysis import Analysis, analyse

CAPTURES = Path(__file__).parents[1] / "data" / "captures"

ROOTS = {
    "blink_acm_seed.pcapng": {"T01", "M01"},
    "blink_acm_repro.pcap": {"T01", "M01"},
    "f02_seqoff.pcapng": {"T05"},
    "f03_nofin.pcapng": {"T11"},
    "m01_no_200.pcap": {"M01"},
    "m02_481_to_path.pcap": {"M02"},
    "m03_no_bind.pcap": {"M03"},
    "m04_both_passive.pcap": {"S06b"},
    "m07_endline_in_body.pcap": {"M07"},
    "reinvite_lost_final.pcap": {"S01"},
    "relay_bad_range.pcapng": {"M06"},
    "relay_cut.pcapng": {"M08"},
    "relay_dial_refused.pcapng": {"T10"},
    "relay_garbage.pcapng": {"M14"},
    "relay_no_200.pcapng": {"M01"},
    "relay_nobody_dials.pcapng": {"M04"},
    "relay_silent_callee.pcapng": {"M03"},
    "relay_tls_hello.pcapng": {"M14"},
    "relay_wrong_from.pcapng": {"M10"},
    "relay_wrong_to.pcapng": {"M02"},
    "s05_port_changed.pcap": {"S05"},
    "s07_path_vs_cm_no_cema.pcap": {"S07"},
    "t12_syn_held.pcap": {"T12"},
}
FOLLOWS = {
    "blink_acm_seed.pcapng": {"T02", "T04"},
    "blink_acm_repro.pcap": {"T02", "T04", "T13", "S12"},
    "f02_seqoff.pcapng": {"T09", "T13"},
    "m04_both_passive.pcap": {"M04"},
    "m07_endline_in_body.pcap": {"M06"},
    "reinvite_lost_final.pcap": {"S02"},
    "relay_cut.pcapng": {"M01"},
    "relay_dial_refused.pcapng": {"M01"},
    "relay_garbage.pcapng": {"M01"},
    "relay_nobody_dials.pcapng": {"M01"},
    "relay_silent_callee.pcapng": {"M01"},
    "relay_tls_hello.pcapng": {"M01"},
    "relay_wrong_from.pcapng": {"M11"},
    "relay_wrong_to.pcapng": {"M01"},
    "s05_port_changed.pcap": {"S05b"},
}
HEALTHY = [
    "any_sll.pcapng",
    "any_sll2.pcapng",
    "blink_acm_healthy_relay.pcapng",
    "blink_acm_healthy_splice.pcapng",
    "e11_translate.pcapng",
    "m00_healthy.pcap",
    "reinvite_healthy.pcap",
    "relay_dials_callee.pcapng",
]


def read(name: str) -> Analysis:
    return analyse(CAPTURES / name)


def test_every_capture_is_in_a_table() -> None:
    present = {path.name for path in CAPTURES.glob("*.pcap*")}
    assert present == {*ROOTS, *HEALTHY}


@pytest.mark.parametrize("name", ROOTS)
def test_finds_the_cause_and_what_follows(name: str) -> None:
    errors = [found for found in read(name).findings if found.severity == "error"]
    assert {found.rule for found in errors if found.follows is None} == ROOTS[name]
    assert {found.rule for found in errors if found.follows} == FOLLOWS.get(name, set())


@pytest.mark.parametrize("name", HEALTHY)
def test_calls_a_healthy_capture_healthy(name: str) -> None:
    analysis = read(name)
    assert analysis.healthy
    assert {found.severity for found in analysis.findings} <= {"note"}


def test_names_the_seeds_clocks_and_segments() -> None:
    root = read("blink_acm_seed.pcapng").findings[0]
    assert root.packets == (14, 18, 20, 26, 30, 32)
    for said in (
        "callee 10.201.1.99 throws away everything",
        "5 of 5 segments, 2 with data",
        "packet 14",
        "971262787",
        "856688003",
        "114,574,784 ticks older",
        "SEND 745f0cb1fb640e52 never reached",
    ):
        assert said in root.verdict


def test_predicts_the_kernels_count_of_dropped_segments() -> None:
    # SEED-TRACE run e01: 15 segments reached the callee, TcpExtPAWSEstab counted 15.
    root = read("blink_acm_repro.pcap").findings[0]
    assert "15 of 15 segments, 7 with data" in root.verdict


def test_tells_the_seeds_second_fault_apart() -> None:
    found = [f for f in read("blink_acm_seed.pcapng").findings if f.rule == "M01"]
    assert len(found) == 1
    assert "6ed1199a610a6a7d was delivered to the caller 10.201.1.152" in found[0].verdict
    assert found[0].packets == (23, 24)


def test_prints_both_uris_of_a_481() -> None:
    verdict = read("m02_481_to_path.pcap").findings[0].verdict
    assert "203.0.113.5:15000" in verdict
    assert "192.0.2.20:7654" in verdict
    assert "the host differs" in verdict


def test_dates_the_cut_by_the_timer() -> None:
    found = {f.rule: f for f in read("reinvite_lost_final.pcap").findings}
    assert "300.0 s after the provisional to CSeq 203" in found["S02"].verdict
    assert found["S01"].packets == (14, 15, 16)


def test_names_the_wrong_offset() -> None:
    found = read("f02_seqoff.pcapng").findings[0]
    assert "shifted by +1" in found.verdict
    assert "ISN+2" in found.verdict


def test_both_legs_of_the_middlebox_are_one_case() -> None:
    (diagnosis,) = read("blink_acm_healthy_relay.pcapng").diagnoses
    (pair,) = diagnosis.case.pairs
    parties = [leg.link.tcp.ends[leg.outer].host for leg in (pair.a, pair.b)]
    assert parties == ["10.201.1.152", "10.201.1.99"]
    assert not pair.packet_splice


@pytest.mark.parametrize("name", ["blink_acm_seed.pcapng", "e11_translate.pcapng"])
def test_tells_a_packet_splice_from_two_sockets(name: str) -> None:
    (diagnosis,) = read(name).diagnoses
    assert diagnosis.case.pairs[0].packet_splice
