"""What `make setup` says is missing on a machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "prerequisites"
TOOLS = ("dirname", "head", "printf", "sed", "sort")
NEEDED = re.findall(r'rust-version = "(.*)"', (ROOT / "native" / "Cargo.toml").read_text())


def judged(folder: Path, version: str | None, *compilers: str) -> tuple[int, str]:
    """Status and words of the script on a machine with this cargo and these compilers."""
    for name in (*TOOLS, "sh"):
        os.symlink(f"/usr/bin/{name}", folder / name)
    for name in compilers:
        os.symlink("/usr/bin/true", folder / name)
    if version is not None:
        cargo = folder / "cargo"
        cargo.write_text(f"#!/bin/sh\necho '{version}'\n")
        cargo.chmod(0o755)
    done = subprocess.run(
        [folder / "sh", SCRIPT],
        env={"PATH": str(folder), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "version", [f"cargo {NEEDED[0]}.0 (abc 2025)", "cargo 1.100.1", "cargo 2.0.0"]
)
def test_a_rust_of_today_and_a_c_compiler_are_enough(tmp_path: Path, version: str) -> None:
    assert judged(tmp_path, version, "cc") == (0, "")


@pytest.mark.parametrize("version", ["cargo 1.63.0", "cargo 1.9.0", "nonsense", None])
def test_a_rust_that_is_too_old_is_told(tmp_path: Path, version: str | None) -> None:
    status, said = judged(tmp_path, version, "cc")
    assert status == 1
    assert NEEDED[0] in said
    assert version is None or version.removeprefix("cargo ") in said or version == "nonsense"


def test_what_is_missing_is_named_with_its_package(tmp_path: Path) -> None:
    status, said = judged(tmp_path, f"cargo {NEEDED[0]}.0")
    assert (status, "apt-get install gcc" in said) == (1, True)
