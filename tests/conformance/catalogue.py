"""The 236 cases as data: what each asks for, who tests it, and why some do not apply."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
SECTIONS = {
    "A": "Framer (aware mode and gate)",
    "B": "Path rewriting (aware)",
    "C": "SDP parsing and rewriting",
    "D": "Role matrix (who dials)",
    "E": "Offer/answer life cycle",
    "F": "Connections",
    "G": "Security",
    "H": "TLS",
    "I": "WebSocket",
    "J": "Service profiles",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One case: `tests` are those besides the black-box checks.

    `differs`: where the relay follows its own design rather than the case. `pending`: what is not
    there yet, so that `pending_checks` (or all, where none is named) fail. `not_applicable`: why
    there is nothing to test.
    """

    number: int
    section: str
    input: str
    required: str
    source: str
    tests: tuple[str, ...] = ()
    differs: str = ""
    pending: str = ""
    pending_checks: tuple[str, ...] = ()
    not_applicable: str = ""

    def fails(self, check: str) -> bool:
        """Whether this check of the case must fail for now."""
        return bool(self.pending) and (not self.pending_checks or check in self.pending_checks)


@dataclass(frozen=True, slots=True)
class Must:
    """One requirement of an RFC that touches a relay."""

    rfc: str
    requirement: str
    module: str
    tests: tuple[str, ...]


def cases() -> list[Case]:
    """All cases, by number."""
    found = []
    for section in SECTIONS:
        told = tomllib.loads((DATA / f"{section.lower()}.toml").read_text("utf-8"))
        for number, fields in told.items():
            fields = {key.replace("-", "_"): value for key, value in fields.items()}
            for name in ("tests", "pending_checks"):
                fields[name] = tuple(fields.get(name, ()))
            found.append(Case(int(number), section, **fields))
    return sorted(found, key=lambda case: case.number)


def musts() -> list[Must]:
    """All requirements, in the order of the file."""
    told = tomllib.loads((DATA / "musts.toml").read_text("utf-8"))
    return [Must(**{**row, "tests": tuple(row["tests"])}) for row in told["must"]]
