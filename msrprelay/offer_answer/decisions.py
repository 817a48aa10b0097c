# cython: annotation_typing=False
"""What to do about an offer, an answer, a delete: plain values, decided by the negotiation.

A section (its ports) is held while it is live or a pending offer asks for it, and for as long as
forks may answer the first offer, which has asked for it. Where a decision has
``released``, these are the m= indices that nothing holds any more once it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..sdp.description import Description
from ..words import Side
from .changes import Exchange, SectionChange


@dataclass(frozen=True)
class Message:
    """One offer or answer: what was said, under which tag, and the body that was replied."""

    description: Description
    terms: str
    tag: str
    at: float
    reply: bytes = b""

    def same_request(self, asked: Message) -> bool:
        """Whether ``asked`` is this request again: the same content under the same tag."""
        return (
            self.tag == asked.tag
            and self.terms == asked.terms
            and self.description.body == asked.description.body
        )

    def replied(self, reply: bytes) -> Message:
        """The same message with its reply."""
        return Message(self.description, self.terms, self.tag, self.at, reply)


@dataclass(frozen=True)
class Repeat:
    """The same request again: send ``reply``, there is nothing else to do."""

    reply: bytes


@dataclass(frozen=True)
class Refused:
    """``reason`` is the error-reason, or the warning of a delete; nothing changes."""

    reason: str


@dataclass(frozen=True)
class Offered:
    """Prepare what is NEW, reply with the rewritten offer, then ``Negotiation.apply``.

    Bytes go on as committed until the answer. NEW means not live: an offer that this one replaces
    may have prepared it already.
    """

    side: Side
    to_tag: str | None
    sections: tuple[SectionChange, ...]
    released: tuple[int, ...]
    message: Message
    revision: int


@dataclass(frozen=True)
class Committed:
    """Carry the section changes out, reply with the rewritten answer, then ``Negotiation.apply``.

    ``again`` marks an answer after the answer (a late 200, another fork). A section
    is CLOSED if either side gave it port 0; its ports are still held if the other side has an offer
    pending that wants it, or forks may still take it. It may be NEW ``again`` if the fork before
    had refused it.
    """

    offerer: Side
    again: bool
    sections: tuple[SectionChange, ...]
    released: tuple[int, ...]
    exchange: Exchange
    message: Message
    revision: int


@dataclass(frozen=True)
class RolledBack:
    """The pending offer of ``side`` is gone; everything goes on as committed."""

    side: Side
    released: tuple[int, ...]


@dataclass(frozen=True)
class Unclaimed:
    """What one fork has refused no other has taken in time."""

    released: tuple[int, ...]


@dataclass(frozen=True)
class Ended:
    """The call is over. ``reason`` is ``deleted``, ``offer-timeout`` or ``rolled-back``."""

    reason: str
