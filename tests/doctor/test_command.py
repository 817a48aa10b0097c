"""The command line: what is printed, and what the exit status says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from msrprelay.doctor.command import check_host, doctor, lint

from .test_captures import CAPTURES, HEALTHY, ROOTS
from .wire import ANSWER, OFFER, PATH_B, B, sdp

SEED = str(CAPTURES / "blink_acm_seed.pcapng")
FINE = str(CAPTURES / "m00_healthy.pcap")


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


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    result = ran(SEED, "--report", str(tmp_path / "none" / "r.html"))
    assert result.exit_code == 1
    assert "No such file" in result.output


@pytest.mark.parametrize(
    "args", [[], [SEED, "--batch", str(CAPTURES)], [SEED, "--histogram", "x.svg"]]
)
def test_wrong_usage(args: list[str]) -> None:
    result = ran(*args)
    assert result.exit_code == 2
    assert "Usage:" in result.output


def test_batch_of_the_captures(tmp_path: Path) -> None:
    picture = tmp_path / "h.svg"
    result = ran("--batch", str(CAPTURES), "--histogram", str(picture))
    assert result.exit_code == 1
    assert "18 files" in result.output
    assert "cut by timer (median 396 s)" in result.output
    assert picture.exists()


def test_batch_json_ends_with_the_sum() -> None:
    lines = ran("--batch", str(CAPTURES), "--json").output.splitlines()
    assert len(lines) == 19
    assert json.loads(lines[-1])["files"] == 18


def test_lint_exit_status(tmp_path: Path) -> None:
    for name, body in (("o", OFFER), ("a", ANSWER), ("bad", sdp(B, 1, PATH_B)), ("none", b"x")):
        (tmp_path / name).write_bytes(body)
    statuses = {
        args: CliRunner().invoke(lint, [str(tmp_path / name) for name in args.split()]).exit_code
        for args in ("o", "o a", "o bad", "none")
    }
    assert statuses == {"o": 0, "o a": 0, "o bad": 1, "none": 2}


def test_lint_json(tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(OFFER)
    row = json.loads(CliRunner().invoke(lint, ["--json", str(tmp_path / "o")]).output)
    assert row["healthy"] is True


def test_check_host_runs_on_this_host() -> None:
    result = CliRunner().invoke(check_host, ["--json", "--sessions", "1"])
    names = {check["name"] for check in json.loads(result.output)["checks"]}
    assert {"open files (nofile)", "port range"} <= names
    assert CliRunner().invoke(check_host, ["--port-min", "9", "--port-max", "8"]).exit_code == 2
