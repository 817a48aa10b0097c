"""What became of each call: answered, refused, ended by a user, or cut by a lost final."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from .cases import Case
from .rules.reinvite import EXPIRES, cut_by_first_keepalive, cut_by_timer, reinvite_unfinished
from .sip import Dialog


class Outcome(NamedTuple):
    """One call. ``seconds`` from the first 2xx to the BYE; None while unanswered or not ended.

    ``reinvites`` counts the re-INVITEs that got a provisional, ``lost`` those whose final never
    came; ``interval`` is the median time between two of them, ``timer`` the Expires they carried.
    """

    call_id: str
    start: float
    ended: str
    seconds: float | None
    reinvites: int
    lost: int
    interval: float | None
    timer: int


def outcome(dialog: Dialog, case: Case) -> Outcome:
    """The outcome of one dialog."""
    seconds = None
    if dialog.answered is not None and dialog.bye is not None:
        seconds = dialog.bye.start - dialog.answered
    again = [t for t in dialog.invites if t.to_tag and t.provisionals]
    lost = sum(1 for _ in reinvite_unfinished(dialog, case))
    timers = [t.expires for t in again if t.expires is not None]
    return Outcome(
        dialog.call_id,
        dialog.start,
        _ended(dialog, case, lost),
        seconds,
        len(again) + dialog.reinvites,
        lost,
        _interval(dialog),
        timers[-1] if timers else EXPIRES,
    )


def _ended(dialog: Dialog, case: Case, lost: int) -> str:
    if any(True for _ in cut_by_timer(dialog, case)):
        return "cut by timer"
    if any(True for _ in cut_by_first_keepalive(dialog, case)):
        return "cut by first keep-alive"
    if dialog.answered is None:
        return "refused" if dialog.ended is not None else "never answered"
    if dialog.bye is None:
        return "still up"
    return "ended after a lost final" if lost else "ended by a user"


def _interval(dialog: Dialog) -> float | None:
    """The time from a final (or the call's answer) to the next re-INVITE, as the sender waits."""
    rows = sorted(dialog.invites, key=lambda t: t.start)
    waits = [
        later.start - earlier.final.time
        for earlier, later in pairwise(rows)
        if earlier.final is not None and later.to_tag and later.start > earlier.final.time
    ]
    return sorted(waits)[len(waits) // 2] if waits else None
