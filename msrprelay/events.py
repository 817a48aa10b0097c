"""What the relay tells of by itself: events, and whoever listens to them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="kebab"):
    """Something that happened; on a wire its fields are spelled as ng keys, unsaid ones left out.

    ``event`` is one of :data:`NAMES`; ``time`` is wall-clock seconds. ``from_tag`` and ``to_tag``
    are the offerer's and the answerer's of an answered call.
    """

    event: str
    time: float
    call_id: str | None = None
    section: int | None = None
    side: str | None = None
    reason: str | None = None
    from_tag: str | None = None
    to_tag: str | None = None
    label: str | None = None
    metadata: str | None = None


NAMES = frozenset(
    {
        "answer-ignored",  # an answer named another peer, the leg keeps its connection
        "answered",  # an offer and its answer are committed
        "bound",  # a leg has its connection
        "call-ended",
        "dial-denied",  # a peer waits at an address that must not be dialled
        "dial-failed",
        "draining",  # new calls are refused from now on
        "joined",  # bytes move both ways
        "leg-lost",
        "needs-aware-reoffer",  # cema was offered, and the answer cannot follow it
        "offered",  # the first offer of a call
        "re-offered",
        "reconnecting",  # both connections are lost, both ports are open again
        "renewed",  # a leg has its new connection, agreed in a re-offer
        "replacement-failed",  # new legs did not come about, the old ones go on
        "rolled-back",  # a pending offer is gone
        "serving",  # new calls are taken again
        "session-closed",
    }
)

Hear = Callable[[Event], None]


class Feed:
    """Hands every event to all who listen, at once: a listener must not wait."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        # Whether anybody does: who makes events asks first, as each costs something.
        self.heard = False
        self._listeners: list[Hear] = []

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Call ``hear`` with every event from now on; gives what ends that."""
        self._listeners.append(hear)
        self.heard = True
        return lambda: self._leave(hear)

    def _leave(self, hear: Hear) -> None:
        self._listeners.remove(hear)
        self.heard = bool(self._listeners)

    def tell(self, event: Event) -> None:
        """Hand ``event`` on."""
        for hear in tuple(self._listeners):
            hear(event)
