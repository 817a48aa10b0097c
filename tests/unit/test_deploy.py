"""What deploy/ ships for systemd: units that systemd accepts, of a daemon with few rights."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "msrprelayd.service"
PROGRAMS = "/opt/msrprelay/bin"
# systemd's own judgement: 0 is nothing to fear, 10 is everything; below 2 it says OK.
EXPOSURE = 15  # tenths

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # The daemon is not installed on this machine, another executable is.
    text = re.sub(rf"{PROGRAMS}/msrprelay(d|-ctl) ", f"{sys.executable} ", UNIT.read_text())
    unit.write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (
        0,
        [],
    )


@needs_systemd
def test_the_daemon_can_do_little_besides(tmp_path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={EXPOSURE}", str(UNIT)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_names_are_those_of_the_documents() -> None:
    said = dict(re.findall(r"(?m)^(\w+)=(.*)$", UNIT.read_text()))
    assert said["ExecStart"] == f"{PROGRAMS}/msrprelayd --config=/etc/msrprelayd/msrprelayd.toml"
    assert said["ExecReload"] == f"{PROGRAMS}/msrprelay-ctl upgrade"
    assert said["RuntimeDirectory"] == said["StateDirectory"] == said["User"] == "msrprelayd"
    for page in ("README.md", "docs/operations.md"):
        text = DEPLOY.parent.joinpath(page).read_text()
        assert f"{PROGRAMS}/pip install ." in text, page
        assert not re.search(r"(?m)^pip install", text), f"{page}: Debian refuses that"
    assert "u msrprelayd " in (DEPLOY / "msrprelayd.sysusers").read_text()
