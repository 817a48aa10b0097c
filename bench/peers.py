"""What a user would run instead, each with its configuration in ``baselines/``."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import readings
from .ends import End, Policy, dialled, ends_of
from .place import Place
from .processes import end

__all__ = ["RECIPES", "SINK_PORT", "Peer", "Recipe", "Unavailable"]

HERE = Path(__file__).parent
SINK_PORT = 9200
START_SECONDS = 10.0
POLL_SECONDS = 0.01


class Unavailable(RuntimeError):
    """A peer that is not installed here; says what is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a peer is started: its program, its arguments, the configuration they name."""

    program: str
    arguments: Sequence[str]
    port: int
    config: str | None = None
    values: Sequence[tuple[str, str]] = ()
    answers_itself: bool = False


class Peer:
    """A program that accepts one leg and dials the other, or, as Kamailio, accepts both."""

    def __init__(self, place: Place, recipe: Recipe) -> None:
        program = find(recipe.program)
        self.answers_itself = recipe.answers_itself
        self.front = f"{place.systems.address}:{recipe.port}"
        sink = f"{place.generator.address}:{SINK_PORT}"
        self.sink = None if recipe.answers_itself else sink
        self._directory = Path(tempfile.mkdtemp(prefix="bench-"))
        places = {"LISTEN": self.front, "TARGET": sink, "DIRECTORY": str(self._directory),
                  "PORT": str(recipe.port), **limits(), **dict(recipe.values)}  # fmt: skip
        if recipe.config is not None:
            config = filled((HERE / "baselines" / recipe.config).read_text(), places)
            (self._directory / "config").write_text(config)
        argv = [program, *(filled(argument, places) for argument in recipe.arguments)]
        with (self._directory / "output").open("w") as output:
            self._process = subprocess.Popen(
                place.systems.command(argv),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._await_port(recipe.port)

    def _await_port(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not readings.is_listening(self._process.pid, port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._directory / "output").read_text()
                self.stop()
                raise Unavailable(f"{self._process.args!r} does not listen: {said}")
            time.sleep(POLL_SECONDS)

    def sessions(self, count: int, policy: Policy) -> list[tuple[End, End]]:
        if not self.answers_itself:
            return dialled(count, self.front)
        return [self._through(*ends_of(number, aware=False)) for number in range(count)]

    def _through(self, left: End, right: End) -> tuple[End, End]:
        """The right end makes itself known; the left one names both hops."""
        here = f"msrp://{self.front}/r;tcp"
        return (
            replace(left, to_path=f"{here} {left.to_path}", connect=self.front),
            replace(right, to_path=here, connect=self.front),
        )

    def release(self) -> None:
        """Nothing is kept for a session."""

    def cpu_seconds(self) -> float:
        return readings.cpu_seconds(self.pids())

    def pids(self) -> list[int]:
        return readings.family(self._process.pid)

    def stop(self) -> None:
        self._process.terminate()
        end(self._process)
        shutil.rmtree(self._directory)


def find(program: str) -> str:
    """The program's path; daemons live outside the search path of ordinary users."""
    if found := shutil.which(program, path=":".join(["/usr/sbin", "/usr/bin", "/usr/local/bin"])):
        return found
    if program == sys.executable:
        return program
    raise Unavailable(f"{program} is not installed")


def limits() -> dict[str, str]:
    """What the descriptors of a process allow a peer that needs two for a session."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"DESCRIPTORS": str(min(hard, 20_000)), "SESSIONS": str(min(hard // 2 - 100, 9_400))}


def filled(template: str, places: dict[str, str]) -> str:
    """``@NAME@`` replaced by its value."""
    return re.sub(r"@([A-Z]+)@", lambda match: places[match.group(1)], template)


HAPROXY = Recipe("haproxy", ("-db", "-f", "config"), 9101, "haproxy.cfg", (("SPLICE", ""),))
# Splicing takes pipes besides, and HAProxy wants all descriptors at the start.
SPLICE = "    option splice-request\n    option splice-response"
NGINX = Recipe("nginx", ("-p", "@DIRECTORY@", "-c", "config"), 9103, "nginx.conf",
               (("BUFFER", "16k"),))  # fmt: skip
RECIPES = {
    "haproxy": HAPROXY,
    "haproxy-splice": replace(
        HAPROXY, port=9102, values=(("SPLICE", SPLICE), ("SESSIONS", "2000"))
    ),
    "nginx": NGINX,
    "nginx-64k": replace(NGINX, port=9104, values=(("BUFFER", "64k"),)),
    "socat": Recipe(
        "socat",
        ("-b", "65536", "TCP-LISTEN:@PORT@,fork,reuseaddr,nodelay,backlog=4096",
         "TCP:@TARGET@,nodelay"),
        9105,
    ),
    "kamailio": Recipe(
        "kamailio",
        ("-f", "config", "-DD", "-E", "-m", "64", "-M", "16", "-Y", "@DIRECTORY@",
         "-P", "@DIRECTORY@/pid"),
        15_260,
        "kamailio.cfg",
        answers_itself=True,
    ),
    "uvloop": Recipe(
        sys.executable,
        (str(HERE / "baselines" / "uvloop_relay.py"), "@LISTEN@", "@TARGET@"),
        9106,
    ),
}  # fmt: skip
