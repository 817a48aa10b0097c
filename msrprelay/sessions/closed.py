"""A session that ended before this process began: what is still told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dataplane import Session
from .legs import SIDES, Legs


class Closed:
    """Stands for a session that the engine does not have any more."""

    def __init__(self, number: int, report: Mapping[str, Any]) -> None:
        self.id = number
        self._report = report

    def answer(self, a: object, b: object) -> None:
        """Nobody is there to hear it."""

    def dial(self, side: str, addresses: object) -> None:
        """Nobody is there to hear it."""

    def pause(self, paused: bool) -> None:
        """Nothing moves in it."""

    def close(self, reason: str, linger_seconds: float) -> None:
        """It has ended already."""

    def report(self) -> Mapping[str, Any]:
        """As it was last."""
        return self._report

    def events(self) -> list[tuple[int, str, str, int]]:
        """They were the engine's."""
        return []


AnySession = Session | Closed


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
