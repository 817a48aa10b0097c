# cython: annotation_typing=False
"""What an offer or an answer changes: the message sections of two sides, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..sdp.description import Description
from ..sdp.msrp_section import MsrpSection
from ..words import Side


class Change(StrEnum):
    """What an offer or an exchange means for one section, against what is committed."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    CLOSED = "closed"


# Every call asks for them: looked up in their class they cost a search.
NEW, UNCHANGED = Change.NEW, Change.UNCHANGED
CHANGED, CLOSED = Change.CHANGED, Change.CLOSED


@dataclass(frozen=True)
class SectionChange:
    """One message section, by its m= index. ``a`` and ``b`` are what each side says about it now.

    At an offer the other side's is the committed one, or ``None``; of a section that an exchange
    closes both are ``None``. ``moved`` are the sides whose path (or CEMA address, or TLS identity)
    differs from the committed one; the leg of a side that did not move keeps its connection,
    whatever a=setup says (RFC 4975 section 5.4).
    """

    index: int
    change: Change
    a: MsrpSection | None
    b: MsrpSection | None
    moved: frozenset[Side]

    def of(self, side: Side) -> MsrpSection | None:
        """What ``side`` says about the section."""
        return self.a if side == "a" else self.b


@dataclass(frozen=True)
class Exchange:
    """An offer and its answer. ``live`` are the m= indices that both sides want."""

    offerer: Side
    a: Description
    b: Description
    live: frozenset[int]

    @staticmethod
    def between(offerer: Side, offered: Description, answered: Description) -> Exchange:
        """The exchange of an offer and its answer."""
        live = frozenset(live_sections(offered).keys() & live_sections(answered).keys())
        a, b = (offered, answered) if offerer == "a" else (answered, offered)
        return Exchange(offerer, a, b, live)

    def of(self, side: Side) -> Description:
        """The SDP of ``side``."""
        return self.a if side == "a" else self.b


def live_sections(description: Description) -> dict[int, MsrpSection]:
    """The sections the relay takes, by m= index.

    Not those over TLS: the relay has no TLS legs, and such a section passes untouched.
    """
    live: dict[int, MsrpSection] = {}
    for section in description.sections:
        if section.anchor and not section.tls:
            live[section.index] = section
    return live


def other(side: Side) -> Side:
    """The opposite side."""
    return "b" if side == "a" else "a"


def offer_changes(
    committed: Exchange | None, side: Side, wanted: Mapping[int, MsrpSection]
) -> tuple[SectionChange, ...]:
    """Each section that ``side`` offers or that is live, against what is committed."""
    changes = []
    for index in _either(wanted, committed):
        old, new = _section(committed, side, index), wanted.get(index)
        theirs = _section(committed, other(side), index)
        a, b = (new, theirs) if side == "a" else (theirs, new)
        moves = _moved(old, new)
        moved = _sides(moves and side == "a", moves and side == "b")
        changes.append(SectionChange(index, _change(old, new, moves), a, b, moved))
    return tuple(changes)


def exchange_changes(
    before: Exchange | None, after: Exchange, asked: Mapping[int, MsrpSection]
) -> tuple[SectionChange, ...]:
    """Each section that was live or has been asked for, before and after."""
    changes = []
    for index in _either(asked, before):
        old_a, a = _section(before, "a", index), _section(after, "a", index)
        old_b, b = _section(before, "b", index), _section(after, "b", index)
        a_moves, b_moves = _moved(old_a, a), _moved(old_b, b)
        change = _change(old_a, a, a_moves or b_moves)
        changes.append(SectionChange(index, change, a, b, _sides(a_moves, b_moves)))
    return tuple(changes)


def _either(wanted: Mapping[int, MsrpSection], committed: Exchange | None) -> list[int]:
    """The sections that are wanted or live, in order."""
    return sorted(wanted) if committed is None else sorted({*wanted, *committed.live})


def _section(exchange: Exchange | None, side: Side, index: int) -> MsrpSection | None:
    """What ``side`` says about a live section of an exchange."""
    if exchange is None or index not in exchange.live:
        return None
    return exchange.of(side).section(index)


def _change(old: MsrpSection | None, new: MsrpSection | None, moved: bool) -> Change:
    if new is None:
        return CLOSED
    if old is None:
        return NEW
    return CHANGED if moved else UNCHANGED


def _moved(old: MsrpSection | None, new: MsrpSection | None) -> bool:
    return new is not None and (old is None or not new.same_endpoint(old))


def _sides(a: bool, b: bool) -> frozenset[Side]:
    """Those of the two that are meant."""
    return _BOTH if a and b else _ONLY_A if a else _ONLY_B if b else _NEITHER


_NEITHER: frozenset[Side] = frozenset()
_ONLY_A: frozenset[Side] = frozenset({"a"})
_ONLY_B: frozenset[Side] = frozenset({"b"})
_BOTH = _ONLY_A | _ONLY_B
