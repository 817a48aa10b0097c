"""`msrprelayd` with its keeper, for tests that kill both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ..peers.daemon import HOST, Daemon
from .kept import PATIENCE_SECONDS, end_all


class KeptDaemon(Daemon):
    """The daemon, whose `log` has the lines of all its processes.

    Its configuration is a file, so that an upgrade may find another one; ``control_in_file`` and
    ``interface_in_file``: these too, which else are options.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        first_port: int | None = None,
        control_in_file: bool = False,
        interface_in_file: bool = False,
    ) -> None:
        self.folder = folder
        self.file = folder / "msrprelayd.toml"
        self.file.write_text("")
        more = (f"--config={self.file}", "--keeper", "--dial-allow=127.0.0.0/8", *options)
        super().__init__(options=more, ports=64, first_port=first_port)
        if control_in_file:
            self._command.remove(f"--control={self.control}")
            self.file.write_text(f'control = "{self.control}"\n')
        if interface_in_file:
            self._command.remove(f"--interface=test/{HOST}")
            self.file.write_text(f'interface = "test/{HOST}"\n')

    def __exit__(self, *exc: object) -> None:
        end_all(self.folder)
        super().__exit__(*exc)

    def processes(self) -> dict[str, Any]:
        """What the relay says of itself and its keeper."""
        found: dict[str, Any] = self.call("statistics")["result"]["processes"]
        return found

    @property
    def relay(self) -> int:
        """The relay process."""
        return int(self.processes()["relay"])

    @property
    def keeper(self) -> int:
        """The keeper."""
        return int(self.processes()["keeper"])

    def call(self, method: str, **params: object) -> Any:
        """One JSON-RPC call, asked again if the process that was to answer dies."""
        line = b""
        while not line:
            line = self._line({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return json.loads(line)

    def _line(self, request: object) -> bytes:
        with contextlib.suppress(ConnectionError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30.0)
            client.connect(str(self.control))
            client.sendall(json.dumps(request).encode())
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").readline()
        return b""

    def ctl(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `msrprelay-ctl` does."""
        whole = [sys.executable, "-m", "msrprelay.cli.ctl", *command, f"--control={self.control}"]
        return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)

    def popen_ctl(self, *command: str) -> subprocess.Popen[str]:
        """The same, begun."""
        whole = [sys.executable, "-m", "msrprelay.cli.ctl", *command, f"--control={self.control}"]
        return subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait(self) -> int:
        """The exit status of the first keeper."""
        return self._process.wait(PATIENCE_SECONDS)

    def new_keeper(self, old: int) -> int:
        """The keeper that has taken the place of the old one."""
        while (found := self.keeper) in (old, 0):
            pass
        return found


class MuteDaemon(KeptDaemon):
    """One whose log has no room: nothing is heard of it, and it is not to mind."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with open("/dev/full", "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=log, text=True,
                start_new_session=True, cwd=self._package,
            )  # fmt: skip
        self._reader = threading.Thread(target=lambda: None)
        self._reader.start()
        while not self.control.exists():
            assert self._process.poll() is None
        self.call("ping")


def is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # the latter: it ended while it was read
        return False
    return status != "Z"


def send_until(pid: int, number: signal.Signals, ended: int) -> None:
    """Send a signal again and again, until another process has ended."""
    while is_running(ended):
        os.kill(pid, number)
