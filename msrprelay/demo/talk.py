"""One endpoint's part of the chat: what it sends, and whether everything came back as it must."""

from __future__ import annotations

from collections.abc import Callable

from ..endpoint import Answered, EndpointFault, Event, Message, Reported, Send
from ..endpoint.connection import Connection
from . import script

OTHER = {"a": "b", "b": "a"}


class WrongMessage(EndpointFault):
    """A message that was not sent so, a message twice, or an answer that is not 200."""


class Talk:
    """Counts messages of the script, their 200s and success REPORTs; other events pass by."""

    def __init__(self, side: str) -> None:
        self._side = side
        self._unanswered: set[str] = set()
        self._unreported: set[str] = set()
        self._mine: set[str] = set()
        self._progress: Callable[[int], None] = lambda done: None
        self.sent = 0
        self.received = 0

    @property
    def responses(self) -> int:
        """How many of our messages were answered 200."""
        return self.sent - len(self._unanswered)

    @property
    def reports(self) -> int:
        """How many of our messages were reported as delivered."""
        return self.sent - len(self._unreported)

    async def hold(
        self, connection: Connection, messages: int, progress: Callable[[int], None]
    ) -> None:
        """Send ``messages`` and wait until as many have come, and all of ours are reported.

        ``progress`` gets the number of ours reported so far. Raises EndpointFault.
        """
        self._progress = progress
        for number in range(messages):
            message = Send.message(script.CONTENT_TYPE, script.text(self._side, number))
            self._note(message.message_id)
            await connection.send(message)
        await connection.until(lambda: self._finished(messages))

    def take(self, event: Event) -> None:
        """Count one event. Raises WrongMessage."""
        match event:
            case Message():
                self._check(event)
            case Answered() if event.message_id in self._mine:
                _settle(self._unanswered, event.message_id, event.status)
            case Reported() if event.message_id in self._mine:
                _settle(self._unreported, event.message_id, event.status)
                self._progress(self.reports)

    def _note(self, message_id: str) -> None:
        for kept in (self._mine, self._unanswered, self._unreported):
            kept.add(message_id)
        self.sent += 1

    def _finished(self, messages: int) -> bool:
        return self.received == messages and not self._unanswered and not self._unreported

    def _check(self, message: Message) -> None:
        expected = script.text(OTHER[self._side], self.received)
        if (message.content_type, message.body) != (script.CONTENT_TYPE, expected):
            raise WrongMessage(
                f"message {self.received}: {message.body[:60]!r} came for {expected[:60]!r}"
            )
        self.received += 1


def _settle(open_ones: set[str], message_id: str, status: int) -> None:
    if status != 200:
        raise WrongMessage(f"message {message_id} was answered or reported {status}")
    if message_id not in open_ones:
        raise WrongMessage(f"message {message_id} was answered or reported twice")
    open_ones.remove(message_id)
