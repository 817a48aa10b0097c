"""Works and targets, as ``works.toml`` gives them."""

from __future__ import annotations

import resource
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import msgspec

from .ends import Policy

__all__ = ["Added", "Catalogue", "Growth", "Target", "Work", "catalogue"]

FILE = Path(__file__).with_name("works.toml")
# The generator plays both ends of every session.
ENDS = 2
SPARE_DESCRIPTORS = 200

# What must be reached, and what is aimed at.
Bars = tuple[float, float]


class Work(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One kind of load, and for whom it is measured."""

    name: str
    title: str
    load: dict[str, Any]
    sessions: int
    amount: int
    unit: Literal["CPU s/GB", "CPU us/message", "CPU us/session", "CPU us/call", "KB/session", "MB"]
    policies: list[Policy]
    peers: list[str]
    # Variants of ours; the first is the one that bench-quick takes.
    ours: tuple[str, ...] = ("msrprelay", "msrprelay-defaults")
    place: Literal["loopback", "segments"] = "loopback"
    measure: Literal["cpu", "memory", "held"] = "cpu"
    # So many for each round of the run: what is short is compared more often.
    rounds: int = 1
    quick: int | None = None
    quick_sessions: int | None = None
    quick_policies: list[Policy] | None = None
    quick_peers: list[str] = []

    def quickly(self) -> Work | None:
        """The same on the scale of ``bench-quick``; None where it is not part of that."""
        if self.quick is None:
            return None
        return msgspec.structs.replace(
            self,
            amount=self.quick,
            sessions=self.quick_sessions or self.sessions,
            policies=self.quick_policies or self.policies,
            peers=self.quick_peers,
            rounds=1,
        )

    def scaled(self, scale: float) -> Work:
        """The same with so much of the work."""
        amount = max(1, round(self.amount * scale))
        # Here the work is the sessions.
        per_session = self.load["kind"] == "setup" or self.measure == "memory"
        sessions = max(1, round(self.sessions * scale)) if per_session else self.sessions
        return msgspec.structs.replace(self, amount=amount, sessions=sessions)

    def against(self, peers: Collection[str]) -> Work:
        """The same beside these peers only; all of them where none is named."""
        kept = [peer for peer in self.peers if not peers or peer in peers]
        return msgspec.structs.replace(self, peers=kept)

    def fitting(self) -> Work:
        """The same with as many sessions as descriptors allow."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = (hard - SPARE_DESCRIPTORS) // ENDS
        sessions = min(self.sessions, most)
        amount = min(self.amount, sessions) if self.load["kind"] == "setup" else self.amount
        fewer = f" ({sessions} here)" if sessions < self.sessions else ""
        return msgspec.structs.replace(
            self, sessions=sessions, amount=amount, title=self.title + fewer
        )


class Target(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Bars for a work: ratios to peers, or a value of its own."""

    work: str
    policy: Policy
    peers: dict[str, Bars] = {}
    value: Bars | None = None
    value_defaults: Bars | None = None


class Added(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the aware policy may add to the opaque one, of the variant ``to``, in a work."""

    work: str
    title: str
    value: Bars
    to: str = "msrprelay"


class Growth(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the cost may grow from one work to another, beside a peer's growth."""

    few: str
    many: str
    title: str
    peers: dict[str, Bars]


class Catalogue(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything ``works.toml`` says."""

    work: list[Work]
    target: list[Target]
    added: list[Added]
    growth: list[Growth]


def catalogue(path: Path = FILE) -> Catalogue:
    """Read and check the file; raises msgspec.ValidationError."""
    return msgspec.toml.decode(path.read_bytes(), type=Catalogue)
