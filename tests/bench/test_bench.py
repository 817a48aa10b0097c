"""The benchmark runs from end to end, on a tiny scale; its figures mean nothing here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.load import PROGRAM, build

ROOT = Path(__file__).parents[2]
ROW = {
    "work", "policy", "peer", "unit", "ours", "theirs", "ratio", "must", "aim", "rounds", "spread",
}  # fmt: skip
WORKS = ["bulk-1", "chunks-2k", "chat-100x8", "setup", "idle", "stall"]
PEERS = ["direct", "haproxy", "uvloop"]
IN_CI = "CI" in os.environ


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one round of small works left."""
    if not PROGRAM.exists() and shutil.which("cargo") is None and not IN_CI:
        pytest.skip("the load generator is not built, and there is no cargo")
    build()
    out = tmp_path_factory.mktemp("results")
    chosen = [f"--work={name}" for name in WORKS] + [f"--peer={name}" for name in PEERS]
    scale = ["--rounds=1", "--scale=0.004", f"--out={out}"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench", *scale, *chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "failed" not in ran.stderr
    return out


def read(results: Path, name: str) -> Any:
    return json.loads((results / f"{name}.json").read_text())


def test_rows_have_the_promised_shape(results: Path) -> None:
    rows = read(results, "latest")
    assert all(set(row) == ROW for row in rows)
    works = {sample["work"] for sample in read(results, "samples")}
    assert works == set(WORKS)


def test_every_system_did_the_work(results: Path) -> None:
    samples = read(results, "samples")
    systems = {sample["system"] for sample in samples}
    expected = {"msrprelay", "msrprelay-defaults", "msrprelay-kept", "msrprelay-deleted", "direct"}
    expected |= {"uvloop"}
    haproxy = {"haproxy"} if IN_CI or shutil.which("haproxy", path="/usr/sbin:/usr/bin") else set()
    assert systems == expected | haproxy
    assert all(sample["bytes"] > 0 for sample in samples)
    chat = [sample for sample in samples if sample["work"] == "chat-100x8"]
    assert len({sample["messages"] for sample in chat}) == 1
    assert all(sample["p99_us"] >= sample["p50_us"] > 0 for sample in chat)


def test_the_run_says_what_it_ran_on(results: Path) -> None:
    run = read(results, "run")
    assert run["uid"] == os.geteuid()
    assert int(run["capabilities"], 16) >= 0
    assert run["settings"]
    assert (results / "ratios.svg").read_text().startswith("<svg")
    assert "msrprelay" in (results / "systems.md").read_text()
