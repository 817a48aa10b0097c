"""The daemon under chaos: its processes, told apart from outside, and what befalls them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..peers.daemon import Daemon
from .signalling import Address

PORTS = 3000
PATIENCE = 20.0
# Short calls may end a direction long before the other; see kinds.
SETTINGS = {"timers.grace": 60.0, "timers.port-quarantine": 10.0}
OPTIONS = ("--dial-allow=127.0.0.0/8",)


class ChaosRelay:
    """A relay in processes of a session of their own; started again by its keeper, or by us."""

    def __init__(
        self,
        *,
        keeper: bool,
        ports: int = PORTS,
        options: Sequence[str] = (),
        first: int | None = None,
    ) -> None:
        self.keeper = keeper
        self.restarts = 0
        self._daemon = Daemon(
            SETTINGS, ports=ports, first_port=first, options=(*OPTIONS, *options), keeper=keeper
        )

    def __enter__(self) -> Self:
        self._daemon.__enter__()
        self._session = self._daemon.pid
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGTERM)
        self._daemon.stop()
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)

    @property
    def ng(self) -> Address:
        """Its control port."""
        return self._daemon.ng_address

    @property
    def log(self) -> list[str]:
        """What it has said."""
        return self._daemon.log

    def relay_pid(self) -> int:
        """The process that moves bytes; waits until there is one."""
        return self._await("no relay process", lambda pid: not _is_keeper(pid))

    def keeper_pid(self) -> int:
        """The process that outlives it."""
        return self._await("no keeper", _is_keeper)

    def kill_relay(self) -> float:
        """SIGKILL; when it was."""
        return _kill(self.relay_pid())

    def revive(self) -> None:
        """What systemd does for a daemon without a keeper."""
        if not self.keeper:
            self._daemon.stop()
            self._daemon.__enter__()
            self._session = self._daemon.pid
            self.restarts += 1

    def ask(self, method: str, **params: object) -> Any:
        """One JSON-RPC call. Raises OSError, and RuntimeError for an error."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self._daemon.control))
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            client.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(client.makefile("rb").readline())
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def upgrade(self) -> float:
        """Put a new process in the old one's place; when it was asked for."""
        old, asked = self.relay_pid(), time.monotonic()
        self.ask("upgrade")
        deadline = asked + PATIENCE
        while _is_alive(old):
            if time.monotonic() > deadline:
                raise RuntimeError("upgrade: the old process goes on")
            time.sleep(0.005)
        return asked

    def _await(self, missing: str, wanted: Any) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for pid in self._processes():
                if wanted(pid):
                    return pid
            time.sleep(0.001)
        raise RuntimeError(missing)

    def _processes(self) -> Iterator[int]:
        """The processes of the daemon's session, oldest first."""
        for pid in sorted(int(each.name) for each in Path("/proc").glob("[0-9]*")):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self._session and fields[0] != "Z":
                yield pid


def _kill(pid: int) -> float:
    now = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return now


def _is_keeper(pid: int) -> bool:
    try:
        return b"keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
