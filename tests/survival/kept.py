"""A keeper with a fake relay process, and what a test asks of both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msrprelay import keeper

KEEPER = Path(keeper.__file__)
FAKE = Path(__file__).with_name("fake_relay.py")
PATIENCE_SECONDS = 30.0
# Before an unanswered datagram is repeated; one that waits in the socket is not lost.
REPEAT_SECONDS = 5.0


class Kept:
    """``python``: what the interpreter runs instead of the keeper's file."""

    def __init__(self, folder: Path, *python: str, prepare: float = 10.0) -> None:
        self.folder = folder
        self.log: list[dict[str, Any]] = []
        program = python or ("-I", "-S", str(KEEPER))
        settings = json.dumps({"prepare": prepare})
        command = [sys.executable, *program, settings, sys.executable, str(FAKE), str(folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.pid = self.process.pid

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_exc: object) -> None:
        # The keeper first: it would start another.
        self.process.kill()
        self.process.wait()
        for pid in children_of(self.pid):
            os.kill(pid, signal.SIGKILL)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def misbehave(self, how: str) -> None:
        """Every relay process that starts from now on does."""
        (self.folder / "mode").write_text(how)

    @property
    def port(self) -> int:
        until(lambda: (self.folder / "port").exists())
        return int((self.folder / "port").read_text())

    def ask(self, command: str, argument: object = "") -> Any:
        """What the fake relay process answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE_SECONDS)
            client.connect(("127.0.0.1", self.port))
            client.send(f"{command} {argument}".encode())
            return json.loads(client.recv(65536))

    def tell(self, command: str, argument: object = "") -> None:
        """The same, of one that does not answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(f"{command} {argument}".encode(), ("127.0.0.1", self.port))

    def kill_relay(self) -> int:
        """Its pid was."""
        pid: int = self.ask("state")["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def event(self, name: str) -> dict[str, Any]:
        """The next line of the log with this event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                entry: dict[str, Any] = json.loads(line)
                if entry["event"] == name:
                    return entry
        raise AssertionError(f"the keeper ended without {name!r}")

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def children_of(keeper_pid: int) -> list[int]:
    """Fake relay processes in whatever state: those whose command line has the keeper's folder."""
    return []


def until(true: Callable[[], bool]) -> None:
    """Wait until it is true; the test's own timeout bounds it."""
    import time

    while not true():
        time.sleep(0.01)
