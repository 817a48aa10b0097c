"""A call as plain data, to be written into the journal; strangers' text as octets.

Fields are told by their place: a new one goes to the end, with a default, so that an older record
can still be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ..commands import SourceRule
from ..dataplane import LegAnswer, Sources, Target
from ..net.interfaces import Interface
from ..words import Policy, Side


class SavedLeg(Struct, frozen=True, array_like=True):
    """One side of a section; ``expected`` are the sources once its offer has been answered."""

    interface: str
    host: str
    port: int
    session_id: str
    peer_path: list[bytes]
    sources: Sources
    expected: Sources


class SavedAnswer(Struct, frozen=True, array_like=True):
    """What the engine was told about a leg at the last answer, besides what the leg says."""

    role: Literal["accept", "dial"]
    target: Target
    own_uri: bytes | None = None


def saved_answers(
    answers: tuple[LegAnswer, LegAnswer] | None,
) -> tuple[SavedAnswer, SavedAnswer] | None:
    """What of an answer the legs do not know."""
    if answers is None:
        return None
    a, b = (SavedAnswer(answer.role, answer.target, answer.own_uri) for answer in answers)
    return a, b


def saved_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine told, as plain data."""
    return {**report, "legs": [dict(leg) for leg in report["legs"]]}


class SavedSection(Struct, frozen=True, array_like=True):
    """A section with the numbers of its sessions in the engine.

    ``report`` is the last one of a session that the engine has closed.
    """

    index: int
    policy: Policy
    tos: int | None
    idle_seconds: float | None
    legs: tuple[SavedLeg, SavedLeg]
    session: int
    successor: int | None
    former: int | None
    draining: list[int]
    alive: list[int]
    unanswered: bool
    waiting: bool
    reason: str | None
    earlier: tuple[int, int, int]
    answers: tuple[SavedAnswer, SavedAnswer] | None
    unresolved: list[tuple[Side, str, int]]
    report: dict[str, Any] | None
    paused: bool = False
    revived_after: str | None = None

    def answered(self) -> tuple[LegAnswer, LegAnswer] | None:
        """The last answer, if there was one."""
        if self.answers is None:
            return None
        a, b = (
            LegAnswer(said.role, leg.peer_path, said.target, leg.sources, said.own_uri)
            for said, leg in zip(self.answers, self.legs, strict=True)
        )
        return a, b


class SavedBranch(Struct, frozen=True, array_like=True):
    """A branch; its negotiation is read when it is needed, all but what its timer needs."""

    key: bytes | None
    deadline: float | None
    condemned: bool
    sections: list[SavedSection]
    versions: dict[Side, tuple[int, bytes]]
    negotiation: msgspec.Raw
    pauses: bool | None = None
    source_rules: dict[Side, SourceRule] = {}
    addresses: dict[Side, tuple[str, str]] = {}


class SavedCall(Struct, frozen=True, array_like=True):
    """A call; times as the call has them. ``gone`` are the sections it no longer has: ``past`` and
    ``leaving`` are their places there."""

    call_id: bytes
    created: float
    signalled: float
    expires: float | None
    final: float | None
    metadata: bytes | None
    labels: dict[bytes, bytes]
    branches: list[SavedBranch]
    gone: list[SavedSection]
    past: list[int]
    leaving: list[int]
    left: list[bytes] = []


class SavedLeaving(Struct, frozen=True, array_like=True):
    """A section that has outlived its call until the engine has closed it."""

    call_id: bytes
    over: str
    section: SavedSection


class SavedPorts(Struct, frozen=True, array_like=True):
    """Ports that no call has: in quarantine, or ``leaving`` has them still."""

    ports: list[tuple[str, int]]
    leaving: SavedLeaving | None = None


@lru_cache
def interface_of(text: str) -> Interface:
    """The interface of that text. Raises ConfigError."""
    return Interface.parse(text)
