"""Processes of a run: programs that serve a port, and programs that are asked by lines of JSON."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from . import readings
from .place import Place

__all__ = ["ROOT", "Lines", "Service", "Unavailable", "find"]

ROOT = Path(__file__).parents[1]
START_SECONDS = 10.0
END_SECONDS = 10.0
POLL_SECONDS = 0.01


class Unavailable(RuntimeError):
    """A program that is not installed here, or does not serve; says why."""


class Service:
    """A program that serves a port, with a directory of its own for its files.

    In its arguments and in its configuration ``@NAME@`` stands for a value; ``@DIRECTORY@`` for
    the directory, in which the configuration is the file ``config``.
    """

    def __init__(
        self,
        place: Place,
        command: Sequence[str],
        port: int,
        values: Mapping[str, str],
        *,
        config: str | None = None,
        protocol: Literal["tcp", "udp"] = "tcp",
    ) -> None:
        program = find(command[0])
        self._directory = Path(tempfile.mkdtemp(prefix="bench-"))
        values = {**values, "DIRECTORY": str(self._directory), "PORT": str(port)}
        if config is not None:
            (self._directory / "config").write_text(filled(config, values))
        argv = [program, *(filled(argument, values) for argument in command[1:])]
        self._output = self._directory / "output"
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                place.systems.command(argv),
                # Modules of this repository are found here.
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._await_port(port, protocol)

    def _await_port(self, port: int, protocol: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not readings.is_served(self._process.pid, port, protocol):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._output.read_text()
                self.stop()
                raise Unavailable(f"{self._process.args!r} does not serve {port}: {said}")
            time.sleep(POLL_SECONDS)

    def cpu_seconds(self) -> float:
        """Run time of all its threads until now."""
        return readings.cpu_seconds(self.pids())

    def pids(self) -> list[int]:
        """The process and its descendants."""
        return readings.family(self._process.pid)

    def stop(self) -> None:
        """End it and remove its files."""
        self._process.terminate()
        end(self._process)
        shutil.rmtree(self._directory)


class Lines:
    """A process that is asked and answers in lines of JSON."""

    def __init__(self, argv: list[str]) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def ask(self, line: str) -> Any:
        """Write a line and read one."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> Any:
        """The next line; raises RuntimeError where the process failed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(str(reply["error"]))
        return reply

    def stop(self) -> None:
        """Let it see the end of its input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        end(self.process)


def find(program: str) -> str:
    """The program's path; daemons live outside the search path of ordinary users."""
    if program == sys.executable:
        return program
    if found := shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"):
        return found
    raise Unavailable(f"{program} is not installed")


def filled(template: str, values: Mapping[str, str]) -> str:
    """``@NAME@`` replaced by its value."""
    return re.sub(r"@([A-Z]+)@", lambda match: values[match.group(1)], template)


def end(process: subprocess.Popen[Any]) -> None:
    """Wait a moment, then insist."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
