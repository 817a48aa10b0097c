"""A keeper with a fake relay process, and what a test asks of both."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msrprelay.keeping import keeper

KEEPER = Path(keeper.__file__)
FAKE = Path(__file__).with_name("fake_relay.py")
# Without packages it starts sooner.
PROGRAM = (sys.executable, "-S", str(FAKE))
PATIENCE_SECONDS = 30.0


class Kept:
    """``python``: instead of the keeper's file; ``relay``: instead of the fake relay process."""

    def __init__(
        self, folder: Path, *python: str, prepare: float = 10.0, relay: tuple[str, ...] = PROGRAM
    ) -> None:
        self.folder = folder
        program = python or ("-I", "-S", str(KEEPER))
        settings = json.dumps({"prepare": prepare})
        command = [sys.executable, *program, settings, *relay, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_exc: object) -> None:
        end_all(self.folder)
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def misbehave(self, how: str) -> None:
        """Every relay process that starts from now on does."""
        (self.folder / "mode").write_text(how)

    @functools.cached_property
    def port(self) -> int:
        """Where the fake relay process answers."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

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
        """Its pid was; dead, it reads no more of what is asked."""
        pid: int = self.ask("state")["pid"]
        end(pid)
        return pid

    def eldest(self) -> int:
        """The oldest process that the keeper has started and that lives."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return int(children.split()[0])

    def rest(self) -> list[str]:
        """The rest of the log, after the end."""
        assert self.process.stderr is not None
        return [line.decode() for line in self.process.stderr]

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


def end(pid: int) -> None:
    """Kill the process, and wait until it is dead; it need not be our child."""
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    ended = select.poll()  # select(2) knows no descriptor from 1024 on
    ended.register(pidfd, select.POLLIN)
    ended.poll(PATIENCE_SECONDS * 1000)
    os.close(pidfd)


def halt(pid: int) -> None:
    """Stop the process, and wait until it stands still; SIGCONT lets it go on."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        pass


def end_all(folder: Path) -> None:
    """Kill all processes that have the folder in their command line, and those they start."""
    while pids := list(started_in(folder)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def started_in(folder: Path) -> Iterator[int]:
    """Processes that have the folder in their command line, zombies left out."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.fsencode(folder) in (entry / "cmdline").read_bytes():
                yield int(entry.name)
