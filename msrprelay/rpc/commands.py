"""The commands of the control plane, as the sessions offer them to every protocol."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from .requests import Answer, Delete, List, Offer, Query, Terminate

# The ng reply dictionary: str, bytes, int, list and dict inside; None is left out on the wire.
Reply: TypeAlias = dict[str, object]


class Commands(Protocol):
    """What the relay can be asked; all on one thread, none waits.

    A reply without ``result`` means ``ok``. A refusal is a CommandError (LoadLimit where another
    relay should be tried); any other exception is a bug, which costs that one reply.
    """

    def offer(self, request: Offer) -> Reply:
        """Rewrite an offer: ``sdp``, perhaps ``warning``."""

    def answer(self, request: Answer) -> Reply:
        """Rewrite an answer and commit: ``sdp``, perhaps ``warning``."""

    def delete(self, request: Delete) -> Reply:
        """End a call: its last ``query`` reply, or a ``warning`` if there is none."""

    def query(self, request: Query) -> Reply:
        """One call in rtpengine's layout, the relay's own detail under ``msrp``."""

    def list(self, request: List) -> Reply:
        """The call-ids under ``calls``."""

    def ping(self) -> Reply:
        """``result: pong``."""

    def statistics(self) -> Reply:
        """The relay's counters."""

    def terminate(self, request: Terminate) -> Reply:
        """The number of calls ended under ``terminated``."""

    def limits(self) -> Reply:
        """Every limit and timer under ``limits``: key, value, unit, what, refusals."""
