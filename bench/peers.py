"""What a user would run instead, each with its configuration in ``baselines/``."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .ends import End, Policy, dialled, ends_of
from .place import Place
from .processes import Service

__all__ = ["BASELINES", "RECIPES", "SINK_PORT", "Peer", "Recipe"]

BASELINES = Path(__file__).with_name("baselines")
# Where the load generator accepts second legs.
SINK_PORT = 9200


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a peer is started: its command, the configuration that names, what is filled in."""

    command: Sequence[str]
    port: int
    config: str | None = None
    values: Sequence[tuple[str, str]] = ()
    answers_itself: bool = False


class Peer:
    """A program that accepts one leg and dials the other, or, as Kamailio, accepts both."""

    def __init__(self, place: Place, recipe: Recipe) -> None:
        self.answers_itself = recipe.answers_itself
        self.front = f"{place.systems.address}:{recipe.port}"
        target = f"{place.generator.address}:{SINK_PORT}"
        self.sink = None if recipe.answers_itself else target
        values = {"LISTEN": self.front, "TARGET": target, **limits(), **dict(recipe.values)}
        config = (BASELINES / recipe.config).read_text() if recipe.config else None
        self._service = Service(place, recipe.command, recipe.port, values, config=config)
        self.cpu_seconds = self._service.cpu_seconds
        self.pids = self._service.pids
        self.stop = self._service.stop

    def sessions(self, count: int, policy: Policy) -> list[tuple[End, End]]:
        """Make ready for so many sessions."""
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


def limits() -> dict[str, str]:
    """What the descriptors of a process allow a peer that needs two for a session."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {"DESCRIPTORS": str(min(hard, 20_000)), "SESSIONS": str(min(hard // 2 - 100, 9_400))}


HAPROXY = Recipe(
    ("haproxy", "-db", "-f", "@DIRECTORY@/config"), 9101, "haproxy.cfg", (("SPLICE", ""),)
)
# Splicing takes pipes besides, and HAProxy wants all descriptors at the start.
SPLICE = (
    ("SPLICE", "    option splice-request\n    option splice-response"),
    ("SESSIONS", "2000"),
)
NGINX = Recipe(
    ("nginx", "-p", "@DIRECTORY@", "-c", "config"), 9103, "nginx.conf", (("BUFFER", "16k"),)
)
SOCAT = Recipe(
    (
        "socat",
        "-b65536",
        "TCP-LISTEN:@PORT@,fork,reuseaddr,nodelay,backlog=4096",
        "TCP:@TARGET@,nodelay",
    ),
    9105,
)
KAMAILIO = Recipe(
    (
        "kamailio",
        *("-f", "@DIRECTORY@/config", "-Y", "@DIRECTORY@", "-P", "@DIRECTORY@/pid"),
        *("-DD", "-E", "-m", "64", "-M", "16"),
    ),
    15_260,
    "kamailio.cfg",
    answers_itself=True,
)
UVLOOP = Recipe((sys.executable, str(BASELINES / "uvloop_relay.py"), "@LISTEN@", "@TARGET@"), 9106)
RECIPES = {
    "haproxy": HAPROXY,
    "haproxy-splice": replace(HAPROXY, port=9102, values=SPLICE),
    "nginx": NGINX,
    "nginx-64k": replace(NGINX, port=9104, values=(("BUFFER", "64k"),)),
    "socat": SOCAT,
    "kamailio": KAMAILIO,
    "uvloop": UVLOOP,
}
