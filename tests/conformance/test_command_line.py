"""The runner as others use it."""

from __future__ import annotations

import json

import pytest

from .__main__ import main
from .relay import NgRelay


def test_the_table_has_a_line_for_each_case(
    patient: NgRelay, capsys: pytest.CaptureFixture[str]
) -> None:
    host, port = patient.address
    chosen = ["--case", "61", "--case", "87", "--case", "218"]
    assert main(["--ng", f"{host}:{port}", *chosen]) == 0
    *rows, counts = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [["61", "pass"], ["87", "pass"], ["218", "not"]]
    assert counts == "2 pass, 0 fail, 1 not applicable"


def test_a_failure_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens at the discard port."""
    assert main(["--ng", "127.0.0.1:9", "--patience", "1", "--case", "61", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"fail": 1}
    assert told["cases"][0]["case"] == 61
    assert "aware" in told["cases"][0]["reason"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--ng", "x:1", "--two-port", "a:1,b:2"], ["--ng", "x:1", "--timer", "tea=5"]],
    ids=["no relay", "two relays", "unknown timer"],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err
