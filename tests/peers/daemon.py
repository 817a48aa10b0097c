"""A relay of the tests' own: `msrprelayd` on loopback, gone with its block."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .ng import Ng

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Daemon:
    """The daemon with settings such as ``{"timers.gate": 0.5}``; `ports` ports for legs.

    Log lines are kept in `log` as they are read; `said` waits for one. `command` runs before the
    daemon: ``["prlimit", "--nofile=64"]``. `package` is a folder with another copy of the package.
    """

    def __init__(
        self,
        settings: Mapping[str, float] | None = None,
        *,
        ports: int = 400,
        first_port: int | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] = (),
        interfaces: Sequence[str] = (f"test/{HOST}",),
        keeper: bool = False,
        package: Path | None = None,
    ) -> None:
        self.ng_address = (HOST, free_port())
        self.first_port = first_port or free_range(ports)
        self.log: list[str] = []
        self._read_more = threading.Condition()
        self._serving = threading.Event()
        self._package = package
        self._folder = tempfile.TemporaryDirectory(prefix="msrprelay-test-")
        last = self.first_port + ports - 1
        self._command = [
            *command, sys.executable, "-m", "msrprelay.cli.daemon", "--config=/dev/null",
            *(f"--interface={interface}" for interface in interfaces),
            f"--port-min={self.first_port}", f"--port-max={last}",
            f"--listen-ng={HOST}:{self.ng_address[1]}", f"--control={self.control}",
            "--keeper" if keeper else "--no-keeper", *options,
            *(f"--set={key}={value}" for key, value in (settings or {}).items()),
        ]  # fmt: skip

    @property
    def control(self) -> Path:
        """The JSON-RPC socket."""
        return Path(self._folder.name, "ctl.sock")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, also once it has ended. Raises RuntimeError."""
        self._serving.clear()
        said = len(self.log)
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=self._package,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._serving.wait(START_SECONDS)
        if not any('"serving"' in line for line in self.log[said:]):
            self.stop()
            raise RuntimeError("msrprelayd does not serve:\n" + "".join(self.log))

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def ask(self, command: str, fields: Mapping[str, object] | None = None) -> dict[str, Any]:
        """One ng command."""
        ng = Ng(*self.ng_address)
        try:
            return ng.ask(command, fields)
        finally:
            ng.close()

    def said(self, *words: str) -> str:
        """The first log line with these words in it, once it is there. Raises TimeoutError."""

        def found() -> str | None:
            return next((line for line in self.log if all(word in line for word in words)), None)

        with self._read_more:
            line = self._read_more.wait_for(found, START_SECONDS)
        if line is None:
            raise TimeoutError(f"no {words} in the log:\n" + "".join(self.log))
        return line

    def statistic(self, *keys: str) -> Any:
        """One figure of `statistics`; 0 where it was never counted."""
        found: Any = self.ask("statistics")
        for key in keys:
            found = found.get(key, 0) if isinstance(found, dict) else 0
        return found

    def stop(self) -> None:
        """End it, and what it has left behind."""
        self.end()
        self._folder.cleanup()

    def end(self) -> None:
        """SIGTERM twice: at once, without draining; SIGKILL if it does not obey."""
        for _ in range(2):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                with self._read_more:
                    self.log.append(line)
                    self._read_more.notify_all()
                if '"serving"' in line:
                    self._serving.set()
        # Ended: whoever waits for it shall not wait on.
        self._serving.set()


def free_port() -> int:
    """A UDP port nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def free_range(count: int, host: str = HOST) -> int:
    """The first of `count` TCP ports in a row that nobody has, below the kernel's own."""
    for first in random.sample(range(20000, 32000 - count), 100):
        if all(_is_free(host, port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free TCP ports in a row")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # What is left of a closed connection (TIME_WAIT) hinders nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
