# cython: annotation_typing=False
"""Sessions that have ended, some before this process began: what is still told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..dataplane import Session, Told
from .legs import SIDES, Legs

# What the engine tells of a session.
Report = Mapping[str, Any]
# Why a session has ended whose end nobody has seen: the process before this one died with it.
LOST = "internal"


@dataclass
class Relayed:
    """What sessions that are over have relayed, both ways."""

    octets: int = 0
    chunks: int = 0
    errors: int = 0

    def saved(self) -> tuple[int, int, int]:
        """As plain data, from which it can be made again."""
        return self.octets, self.chunks, self.errors

    def add(self, report: Report) -> None:
        """Take the figures of one more session."""
        for leg in report["legs"]:
            self.octets += leg["bytes-in"]
            self.chunks += leg["chunks"]
            self.errors += leg["reason"] in ("reset", "malformed")


class Closed:
    """Stands for a session that the engine does not have any more: orders change nothing in it."""

    def __init__(self, number: int, report: Report) -> None:
        self.id = number
        self._report = report

    def answer(self, a: object, b: object) -> None:
        """Neither leg takes a role any more."""

    def dial(self, side: str, addresses: object) -> None:
        """No leg is left that could be connected."""

    def reoffer(self, side: str) -> None:
        """Its ports are not opened again."""

    def settle(self, side: str) -> None:
        """No port of it is open that could be closed."""

    def pause(self, paused: bool) -> None:
        """No bytes move in it that could be held up."""

    def close(self, reason: str, linger_seconds: float) -> None:
        """It has ended already."""

    def report(self) -> Report:
        """As it was last."""
        return self._report

    def events(self) -> list[Told]:
        """They were the engine's."""
        return []


AnySession = Session | Closed
# A session of the engine, by its number; None: it has closed it.
Find = Callable[[int], Session | None]


def unreported(legs: Legs, reason: str) -> dict[str, Any]:
    """The report of a session of whose end only the reason is known."""
    leg = {
        "role": "",
        "state": "closed",
        "peer-address": "",
        "peer-port": 0,
        "bytes-in": 0,
        "bytes-out": 0,
        "chunks": 0,
        "reason": "",
    }
    return {
        "state": "closed",
        "reason": reason,
        "sentence": "",
        "legs": [
            {
                **leg,
                "side": side,
                "local-address": legs[side].interface.host,
                "local-port": legs[side].port,
            }
            for side in SIDES
        ],
    }
