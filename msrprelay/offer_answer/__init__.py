"""The offers and answers of one call (RFC 3264), as far as its message sections go. Pure.

Events come in, decisions go out, the clock is an argument. An offer or answer is first decided and
only then applied, with the reply that was made for it: a refusal on the way (no port left, a
policy that cannot work) leaves everything as it was.

Side ``a`` is who offered first. Parties are told apart by tag, not by direction: either may
re-offer, and the tags of the command are then swapped.
"""

from __future__ import annotations

from ..words import Side
from .changes import Change, Exchange, SectionChange, live_sections, other
from .decisions import Committed, Ended, Message, Offered, Refused, Repeat, RolledBack, Unclaimed
from .negotiation import (
    OFFER_TIMEOUT,
    UNKNOWN_CALL,
    UNKNOWN_DIALOGUE,
    UNMATCHED,
    Negotiation,
)

__all__ = [
    "OFFER_TIMEOUT",
    "UNKNOWN_CALL",
    "UNKNOWN_DIALOGUE",
    "UNMATCHED",
    "Change",
    "Committed",
    "Ended",
    "Exchange",
    "Message",
    "Negotiation",
    "Offered",
    "Refused",
    "Repeat",
    "RolledBack",
    "SectionChange",
    "Side",
    "Unclaimed",
    "live_sections",
    "other",
]
