"""The commands of a relay process: those about calls are the sessions', the rest its own."""

from __future__ import annotations

from collections.abc import Callable

from ..commands import Reply
from ..sessions import Sessions

Tell = Callable[[], Reply]


class Surface:
    """Implements :class:`msrprelay.commands.Commands`."""

    def __init__(self, sessions: Sessions, statistics: Tell, limits: Tell, upgrade: Tell) -> None:
        self.offer = sessions.offer
        self.answer = sessions.answer
        self.delete = sessions.delete
        self.rollback = sessions.rollback
        self.query = sessions.query
        self.list = sessions.list
        self.terminate = sessions.terminate
        self.drain = sessions.drain
        self.statistics = statistics
        self.limits = limits
        self.upgrade = upgrade

    def ping(self) -> Reply:
        """The relay is there."""
        return {"result": "pong"}
