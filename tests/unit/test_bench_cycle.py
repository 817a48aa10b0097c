"""The command line of `python -m bench.cycle`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("word", "status"), [("--help", 0), ("many", 2)])
def test_it_says_how_it_is_used(word: str, status: int) -> None:
    command = [sys.executable, "-m", "bench.cycle", word]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == status
    assert "usage: bench.cycle" in done.stdout + done.stderr
