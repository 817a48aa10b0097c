"""What the daemon tells systemd, from its start to its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..survival.kept import end_all

PATIENCE_SECONDS = 30
# timers.drain is above what the unit allows: systemd is asked for more.
STOPPING = b"STOPPING=1\nEXTEND_TIMEOUT_USEC=630000000"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE_SECONDS)
        yield sock


@pytest.fixture
def daemon(tmp_path: Path, systemd: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    file = tmp_path / "msrprelayd.toml"
    file.write_text(
        'interface = ["test/127.0.0.1"]\nlisten-ng = []\ncontrol = ""\ntimers.drain = 600\n'
    )
    command = [sys.executable, "-m", "msrprelay.cli.daemon", f"--config={file}"]
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    with subprocess.Popen(command, env=environment) as process:
        yield process
        end_all(tmp_path)


def test_start_reload_and_end(
    daemon: subprocess.Popen[bytes], systemd: socket.socket, tmp_path: Path
) -> None:
    assert heard(systemd) == ["STATUS=0 calls", "READY=1"]
    daemon.send_signal(signal.SIGHUP)
    assert heard(systemd) == ["RELOADING=1", "READY=1"]
    (tmp_path / "msrprelayd.toml").write_text("nonsense")
    daemon.send_signal(signal.SIGHUP)
    assert heard(systemd) == ["RELOADING=1", "READY=1"], "a refused file ends the reload too"
    daemon.send_signal(signal.SIGTERM)
    assert systemd.recv(100) == STOPPING
    assert daemon.wait(PATIENCE_SECONDS) == 0


def heard(systemd: socket.socket) -> list[str]:
    """The first lines of what came, up to the daemon's being ready."""
    lines: list[str] = []
    while lines[-1:] != ["READY=1"]:
        lines.append(systemd.recv(100).decode().partition("\n")[0])
    return lines


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_another_process_is_ready_again_and_another_keeper_is_the_main_one(
    daemon: subprocess.Popen[bytes], systemd: socket.socket, number: signal.Signals
) -> None:
    heard(systemd)
    relay = int(Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text())
    os.kill(relay, number)
    assert heard(systemd)[-1] == "READY=1"
    daemon.kill()
    told = systemd.recv(100).decode()
    assert told.startswith("MAINPID=")
    os.kill(int(told.removeprefix("MAINPID=")), signal.SIGTERM)
    assert systemd.recv(100) == STOPPING
