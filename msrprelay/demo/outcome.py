"""What came of a demo: the figures, whether they are right, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..config.units import show_bytes
from ..printable import printable

LONGEST = 2000
"""Characters of one problem that are shown: a daemon's last words fit."""


@dataclass(slots=True)
class Octets:
    """What an endpoint wrote to its connection and read from it."""

    sent: int = 0
    received: int = 0


@dataclass(slots=True)
class Outcome:
    """Filled while the call goes on; :meth:`judge` adds what is wrong with it."""

    policy: str
    roles: str
    messages: int
    file_bytes: int
    responses: int = 0
    reports: int = 0
    chat_seconds: float = 0.0
    file_seconds: float = 0.0
    seconds: float = 0.0
    file_sha256_match: bool = False
    octets: dict[str, Octets] = field(default_factory=lambda: {"a": Octets(), "b": Octets()})
    session: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every octet and every answer was right."""
        return not self.problems

    @property
    def legs(self) -> list[dict[str, Any]]:
        """The relay's legs as ``query`` gave them."""
        return list(self.session["legs"]) if self.session else []

    @property
    def _mebibytes_arrived(self) -> float:
        return self.file_bytes / (1 << 20) if self.file_sha256_match else 0.0

    def judge(self) -> None:
        """Add every figure that is not what it must be to the problems."""
        expected = 2 * self.messages
        if self.responses != expected:
            self.problems.append(f"{self.responses} responses to {expected} messages")
        if self.reports != expected:
            self.problems.append(f"{self.reports} success REPORTs for {expected} messages")
        if not self.file_sha256_match:
            self.problems.append("the file that came is not the file that was sent")
        if {leg["side"] for leg in self.legs} != {"a", "b"}:
            self.problems.append("query does not tell of both legs")
        for leg in self.legs:
            self._judge_leg(leg, self.octets[leg["side"]])

    def _judge_leg(self, leg: dict[str, Any], end: Octets) -> None:
        pairs = (
            ("read from", leg["bytes-in"], end.sent),
            ("wrote to", leg["bytes-out"], end.received),
        )
        for verb, relayed, own in pairs:
            if relayed != own:
                self.problems.append(
                    f"leg {leg['side']}: the relay {verb} it {relayed} octets, the endpoint "
                    f"counted {own}"
                )

    def json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "ok": self.ok,
            "reason": "; ".join(self.problems),
            "policy": self.policy,
            "roles": self.roles,
            "messages_each_way": self.messages,
            "responses": self.responses,
            "reports": self.reports,
            "file_bytes": self.file_bytes,
            "file_sha256_match": self.file_sha256_match,
            "seconds": round(self.seconds, 3),
            "chat_seconds": round(self.chat_seconds, 3),
            "file_seconds": round(self.file_seconds, 3),
            "endpoints": {
                side: {"bytes_sent": end.sent, "bytes_received": end.received}
                for side, end in self.octets.items()
            },
            "relay": {"legs": [_leg(leg) for leg in self.legs]},
        }

    def summary(self) -> str:
        """The same for a person, without what never began."""
        lines = [
            f"{'ok' if self.ok else 'FAILED'}: {self.roles}, {self.policy}",
            *(f"  {printable(problem, LONGEST)}" for problem in self.problems),
        ]
        if self.ok or self.chat_seconds:
            lines.append(
                f"chat   {self.messages} messages each way, {self.responses} responses, "
                f"{self.reports} REPORTs{_rate(self.reports, self.chat_seconds, 'messages/s')}"
            )
        if self.ok or self.file_seconds:
            lines.append(
                f"file   {show_bytes(self.file_bytes)} a to b, "
                f"sha256 {'equal' if self.file_sha256_match else 'not equal'}"
                f"{_rate(self._mebibytes_arrived, self.file_seconds, 'MiB/s')}"
            )
        lines += map(_leg_line, self.legs)
        if self.ok or self.seconds:
            lines.append(f"time   {self.seconds:.2f} s")
        return "\n".join(lines)


def _leg(leg: dict[str, Any]) -> dict[str, object]:
    """A leg with the keys of the demo's JSON."""
    keys = ("side", "role", "local-port", "bytes-in", "bytes-out", "reason")
    return {key.replace("-", "_"): leg[key] for key in keys}


def _leg_line(leg: dict[str, Any]) -> str:
    reason = f", {leg['reason']}" if leg["reason"] else ""
    return (
        f"leg {leg['side']}  {leg['role']} on port {leg['local-port']}: "
        f"{leg['bytes-in']} octets in, {leg['bytes-out']} out{reason}"
    )


def _rate(amount: float, seconds: float, unit: str) -> str:
    return f", {amount / seconds:,.0f} {unit}" if amount and seconds else ""
