"""The command line: what is printed, and what the exit status says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from msrprelay.doctor import analysis
from msrprelay.doctor.capture import Capture
from msrprelay.doctor.command import check_host, doctor, lint

from .test_captures import CAPTURES, HEALTHY, ROOTS
from .wire import (
    ANSWER,
    OFFER,
    PATH_B,
    START,
    A,
    B,
    Call,
    Talk,
    Wire,
    ethernet,
    ok,
    pcap,
    sdp,
    send,
    udp_datagram,
)

SEED = str(CAPTURES / "blink_acm_seed.pcapng")
FINE = str(CAPTURES / "m00_healthy.pcap")
FAULTY = str(CAPTURES / "m01_no_200.pcap")


def ran(*args: str) -> Result:
    return CliRunner().invoke(doctor, args)


@pytest.mark.parametrize(
    ("names", "status"),
    [([name], 1) for name in ROOTS]
    + [([name], 0) for name in HEALTHY]
    + [([HEALTHY[0], "m01_no_200.pcap"], 1)],
    ids=lambda value: value[0] if isinstance(value, list) else str(value),
)
def test_exit_status(names: list[str], status: int) -> None:
    assert ran(*(str(CAPTURES / name) for name in names)).exit_code == status


def test_unreadable_is_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"nothing")
    result = ran(str(bad))
    assert result.exit_code == 2
    assert "bad.pcap" in result.output


def test_a_link_type_that_is_not_read_is_2(tmp_path: Path) -> None:
    radio = tmp_path / "radio.pcap"
    radio.write_bytes(pcap([], linktype=9))
    result = ran(str(radio))
    assert result.exit_code == 2
    assert "link type 9 (PPP) cannot be read here" in result.output


@pytest.mark.parametrize("batch", [False, True], ids=["list", "batch"])
def test_a_file_the_doctor_fails_on_does_not_end_the_run(
    batch: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for path in paths:
        path.write_bytes(Path(FINE).read_bytes())
    analyse = analysis.analyse

    def faulty(path: Path, progress: object = None) -> analysis.Analysis:
        if path == paths[0]:
            raise AttributeError("no such thing")
        return analyse(path)

    monkeypatch.setattr(analysis, "analyse", faulty)
    result = ran("--batch", str(tmp_path)) if batch else ran(*map(str, paths))
    assert result.exit_code == 2
    assert "a.pcap: the doctor failed on it: AttributeError: no such thing" in result.output
    assert ("2 files, 1 SIP dialogs" if batch else "b.pcap: 28 packets") in result.output


def test_without_cypcap_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msrprelay.doctor.capture.cypcap", None)
    result = ran(FINE)
    assert result.exit_code == 2
    assert "needs cypcap: pip install '.[doctor]' where" in result.output


def test_cut_without_a_fault_is_2_and_tells_what_was_read(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(FINE).read_bytes()[:-5])
    result = ran(str(cut))
    assert result.exit_code == 2
    assert "packet 28 cannot be read" in result.output
    assert "27 packets" in result.output


def snapped(name: str, size: int, path: Path) -> Path:
    """The capture as a snap length of ``size`` would have left it."""
    wire = [(f.time - START, f.data, f.wire_length) for f in Capture(CAPTURES / name)]
    path.write_bytes(
        pcap([(time, data[:size]) for time, data, _ in wire], sizes=[w[2] for w in wire])
    )
    return path


def test_cut_by_snaplen_is_not_healthy(tmp_path: Path) -> None:
    path = str(snapped("m00_healthy.pcap", 96, tmp_path / "snap.pcap"))
    result = ran(path)
    assert result.exit_code == 2
    assert "14 packets cut by snaplen" in result.output
    row = json.loads(ran("--json", path).output)
    assert row["healthy"] is False
    assert "cut by snaplen" in row["error"]


@pytest.mark.parametrize("lost", [False, True], ids=["the-fault-itself", "not-captured"])
def test_holes_are_the_captures_only_if_the_bytes_arrived(lost: bool, tmp_path: Path) -> None:
    path = CAPTURES / "f02_seqoff.pcapng"
    if lost:
        wire = Wire()
        talk = Talk(wire).open()
        for tid in ("t-1", "t-2", "t-3"):
            talk.send(0, send(tid))
            talk.send(1, ok(tid))
        del wire.frames[7]
        path = wire.save(tmp_path / "lossy.pcap")
    said = "The capture lacks bytes in 1 place: packets were not captured." in ran(str(path)).output
    assert said is lost
    assert json.loads(ran("--json", str(path)).output).get("holes", 0) == lost


def test_calls_that_were_judged_early_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    analyse = analysis.analyse

    def hurried(path: Path, progress: object = None) -> analysis.Analysis:
        return replace(analyse(path), rushed=3)

    monkeypatch.setattr(analysis, "analyse", hurried)
    assert json.loads(ran("--json", FINE).output)["rushed"] == 3
    assert "3 calls were too many to keep" in ran(FINE).output


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([], id="no-packet"),
        pytest.param([(0.0, ethernet(udp_datagram((A, 53), (B, 53), b"\0" * 20)))], id="dns"),
    ],
)
def test_no_sip_and_no_msrp_is_2(frames: list[tuple[float, bytes]], tmp_path: Path) -> None:
    path = tmp_path / "other.pcap"
    path.write_bytes(pcap(frames))
    result = ran(str(path))
    assert result.exit_code == 2
    assert f"{len(frames)} packet{'s' * (len(frames) != 1)}, 0 calls: no SIP or MSRP found" in (
        result.output
    )


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "MESSAGE"])
def test_sip_outside_a_call_is_no_call(method: str, tmp_path: Path) -> None:
    wire = Wire()
    other = Call(wire)
    other.message(f"{method} sip:b@x SIP/2.0", 1, method, to_tag="")
    other.reply("200 OK", method=method)
    path = str(wire.save(tmp_path / "other.pcap"))
    result = ran(path)
    assert result.exit_code == 2
    assert "2 packets, 0 calls: no call found, other SIP only" in result.output
    assert "1 files, 0 SIP dialogs" in ran("--batch", str(tmp_path)).output


def test_other_sip_does_not_count_beside_a_call(tmp_path: Path) -> None:
    wire = Wire()
    ping = Call(wire, call_id="ping")
    ping.message("OPTIONS sip:b@x SIP/2.0", 1, "OPTIONS", to_tag="")
    ping.reply("200 OK", method="OPTIONS")
    Call(wire).bye()  # the rest of this call was not captured
    result = ran(str(wire.save(tmp_path / "a.pcap")))
    assert result.exit_code == 0
    assert "4 packets, 1 call: healthy" in result.output


def test_cut_with_a_fault_is_1(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(Path(SEED).read_bytes()[:-5])
    assert ran(str(cut)).exit_code == 1


def test_json_has_one_line_a_file_with_exactly_these_keys() -> None:
    result = ran("--json", SEED, FINE)
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [set(row) for row in rows] == [{"file", "findings", "healthy"}] * 2
    assert [row["file"] for row in rows] == [SEED, FINE]
    assert [row["healthy"] for row in rows] == [False, True]
    for found in rows[0]["findings"]:
        assert set(found) == {"rule", "severity", "packets", "verdict", "remedy"}
        assert found["severity"] in {"error", "warning", "note"}
    assert rows[0]["findings"][0]["rule"] == "T01"
    assert rows[0]["findings"][0]["packets"] == [14, 18, 20, 26, 30, 32]


def test_json_tells_of_an_unreadable_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"")
    row = json.loads(ran("--json", str(bad)).output)
    assert row["healthy"] is False
    assert "bad.pcap" in row["error"]


def test_writes_report_and_ladder(tmp_path: Path) -> None:
    report, svg = tmp_path / "r.html", tmp_path / "l.svg"
    assert ran(SEED, "--report", str(report), "--svg", str(svg), "--ladder").exit_code == 1
    assert "<svg" in report.read_text("utf-8")
    assert svg.read_text("utf-8").startswith("<svg xmlns=")


@pytest.mark.parametrize(
    ("option", "name", "formats"),
    [
        ("--report", "r.txt", ".html or .htm or .md"),
        ("--report", "r", ".html or .htm or .md"),
        ("--histogram", "h.gif", ".svg or .png"),
    ],
)
def test_a_format_that_is_not_written_is_refused(
    option: str, name: str, formats: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    what = ["--batch", str(tmp_path)] if option == "--histogram" else [SEED]
    result = ran(*what, option, str(path))
    assert result.exit_code == 2
    assert f"does not end in {formats}" in " ".join(result.output.replace("│", "").split())
    assert not path.exists()


@pytest.mark.parametrize(
    ("names", "status"),
    [
        pytest.param(["fine"], 0, id="healthy"),
        pytest.param(["fine", "none"], 2, id="one-without-calls"),
        pytest.param(["faulty", "none"], 1, id="an-error-and-one-without-calls"),
        pytest.param(["faulty", "bad"], 1, id="an-error-and-one-unreadable"),
    ],
)
@pytest.mark.parametrize("batch", [False, True], ids=["list", "batch"])
def test_errors_found_come_before_files_that_were_not_judged(
    batch: bool, names: list[str], status: int, tmp_path: Path
) -> None:
    contents = {
        "fine": Path(FINE).read_bytes(),
        "faulty": Path(FAULTY).read_bytes(),
        "none": pcap([]),
        "bad": b"nothing",
    }
    for name in names:
        (tmp_path / f"{name}.pcap").write_bytes(contents[name])
    files = [str(tmp_path / f"{name}.pcap") for name in names]
    assert ran(*(["--batch", str(tmp_path)] if batch else files)).exit_code == status


@pytest.mark.parametrize(
    ("capture", "status"), [pytest.param(SEED, 1, id="faulty"), pytest.param(FINE, 2, id="healthy")]
)
@pytest.mark.parametrize("option", ["--report", "--svg", "--histogram"])
def test_what_cannot_be_written_is_told(
    option: str, capture: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / Path(capture).name).write_bytes(Path(capture).read_bytes())
    name = {"--report": "r.html", "--svg": "l.svg", "--histogram": "h.svg"}[option]
    what = ["--batch", str(tmp_path)] if option == "--histogram" else [capture]
    result = ran(*what, option, str(tmp_path / "none" / name))
    assert result.exit_code == status
    assert f"{name}: No such file" in result.output


def test_without_a_call_there_is_no_ladder_but_a_report(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap([]))
    svg, report = tmp_path / "l.svg", tmp_path / "r.md"
    result = ran(str(tmp_path / "a.pcap"), "--svg", str(svg), "--report", str(report))
    assert result.exit_code == 2
    assert "l.svg: no call to draw" in result.output
    assert report.exists()


@pytest.mark.parametrize(
    "args",
    [
        [],
        [SEED, "--batch", str(CAPTURES)],
        [SEED, "--histogram", "x.svg"],
        ["--batch", str(CAPTURES), "--report", "x.html"],
        ["--batch", str(CAPTURES), "--svg", "x.svg"],
        ["--batch", str(CAPTURES), "--ladder"],
    ],
    ids=lambda args: " ".join(arg for arg in args if arg.startswith("--")) or "files",
)
def test_wrong_usage(args: list[str]) -> None:
    result = ran(*args)
    assert result.exit_code == 2
    assert "Usage:" in result.output


def test_batch_of_the_captures(tmp_path: Path) -> None:
    picture = tmp_path / "h.svg"
    result = ran("--batch", str(CAPTURES), "--histogram", str(picture))
    assert result.exit_code == 1
    assert f"{len(ROOTS) + len(HEALTHY)} files" in result.output
    assert "cut by timer (median 396 s)" in result.output
    assert picture.exists()


def test_batch_json_ends_with_the_sum() -> None:
    lines = ran("--batch", str(CAPTURES), "--json").output.splitlines()
    assert len(lines) == len(ROOTS) + len(HEALTHY) + 1
    assert json.loads(lines[-1])["files"] == len(ROOTS) + len(HEALTHY)


def test_lint_exit_status(tmp_path: Path) -> None:
    for name, body in (("o", OFFER), ("a", ANSWER), ("bad", sdp(B, 1, PATH_B)), ("none", b"x")):
        (tmp_path / name).write_bytes(body)
    statuses = {
        args: CliRunner().invoke(lint, [str(tmp_path / name) for name in args.split()]).exit_code
        for args in ("o", "o a", "o bad", "none")
    }
    assert statuses == {"o": 0, "o a": 0, "o bad": 1, "none": 2}


@pytest.mark.parametrize(
    ("args", "given", "status"),
    [
        pytest.param(["-"], OFFER, 0, id="offer"),
        pytest.param(["FILE", "-"], ANSWER, 0, id="answer"),
        pytest.param(["-"], b"x", 2, id="no-sdp"),
        pytest.param(["-", "-"], OFFER, 2, id="both"),
    ],
)
def test_lint_reads_standard_input(
    args: list[str], given: bytes, status: int, tmp_path: Path
) -> None:
    (tmp_path / "offer").write_bytes(OFFER)
    named = [str(tmp_path / "offer") if arg == "FILE" else arg for arg in args]
    assert CliRunner().invoke(lint, named, input=given).exit_code == status


def test_a_file_without_end_is_no_sdp() -> None:
    done = CliRunner().invoke(lint, ["/dev/zero"])
    assert (done.exit_code, "larger than the relay reads" in done.output) == (2, True)


def test_lint_json(tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(OFFER)
    row = json.loads(CliRunner().invoke(lint, ["--json", str(tmp_path / "o")]).output)
    assert row["healthy"] is True


def test_check_host_runs_on_this_host() -> None:
    result = CliRunner().invoke(check_host, ["--json", "--sessions", "1"])
    names = {check["name"] for check in json.loads(result.output)["checks"]}
    assert {"open files (nofile)", "port range"} <= names
    assert CliRunner().invoke(check_host, ["--port-min", "9", "--port-max", "8"]).exit_code == 2
