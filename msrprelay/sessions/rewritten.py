# cython: annotation_typing=False
"""What has become of an offer or an answer."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CommandError
from ..offer_answer.decisions import Refused, Repeat
from ..sdp.description import Description
from ..words import Side
from .plan import Unresolved


@dataclass(frozen=True)
class Denial:
    """A peer that must not be dialled."""

    section: int
    side: Side
    reason: str


@dataclass(frozen=True)
class Rewritten:
    """The body to reply with; ``unresolved`` names are still to be looked up.

    ``repeated``: it had been given before, nothing has changed.
    """

    body: bytes
    warnings: tuple[str, ...] = ()
    denied: tuple[Denial, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    repeated: bool = False

    def warned(self) -> list[str]:
        """What the reply warns of."""
        said = [f"section {d.section}, side {d.side}: dial-denied: {d.reason}" for d in self.denied]
        return [*said, *self.warnings]


def repeated(decision: Repeat | Refused) -> Rewritten:
    """What was replied before; raises CommandError if the message has been refused."""
    if isinstance(decision, Refused):
        raise CommandError(decision.reason)
    return Rewritten(decision.reply, repeated=True)


def passed_by(description: Description) -> list[str]:
    """What is said about MSRP sections that the relay leaves as they are."""
    said: list[str] = []
    for section in description.sections:
        if section.anchor and section.tls:
            said.append(f"section {section.index}: {section.proto} is not relayed, left untouched")
        elif section.problems and not section.anchor:
            problems = ", ".join(section.problems)
            said.append(f"section {section.index}: {problems}, left untouched")
    return said
