"""A negotiation as plain data, to be written down: each body once, strangers' text as octets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from ..sdp import Description
from ..words import Side
from .decisions import Message


class SavedMessage(Struct, frozen=True, array_like=True):
    """An offer or answer; ``said`` and ``reply`` are the numbers of its bodies."""

    said: int
    reply: int
    terms: bytes
    tag: bytes
    at: float


class Saved(Struct, frozen=True, array_like=True):
    """A negotiation. ``committed``: the offerer, and the numbers of its body and the answer's."""

    offer_timeout: float
    sides: dict[bytes, Side]
    pending: dict[Side, SavedMessage]
    offers: dict[Side, SavedMessage]
    answers: dict[Side, SavedMessage]
    committed: tuple[Side, int, int] | None
    condemned: bool
    bodies: list[bytes]
    forking: bool = False


class Bodies:
    """The bodies of a negotiation by number, and what has been read of them."""

    def __init__(
        self, bodies: list[bytes], parse: Callable[[bytes], Description] | None = None
    ) -> None:
        self.all = bodies
        self._parse = parse
        self._numbers: dict[bytes, int] = {}
        self._read: dict[int, Description] = {}

    def add(self, body: bytes) -> int:
        """The number of a body."""
        number = self._numbers.setdefault(body, len(self.all))
        if number == len(self.all):
            self.all.append(body)
        return number

    def saved(self, messages: Mapping[Side, Message]) -> dict[Side, SavedMessage]:
        """Messages, their bodies replaced by numbers."""
        return {side: self._saved(message) for side, message in messages.items()}

    def _saved(self, message: Message) -> SavedMessage:
        said, reply = self.add(message.description.body), self.add(message.reply)
        return SavedMessage(said, reply, octets(message.terms), octets(message.tag), message.at)

    def description(self, number: int) -> Description:
        """What a body says."""
        found = self._read.get(number)
        if found is None:
            assert self._parse is not None
            found = self._read[number] = self._parse(self.all[number])
        return found

    def message(self, saved: SavedMessage, shift: float) -> Message:
        """The message that was saved, ``shift`` seconds later."""
        said, reply = self.description(saved.said), self.all[saved.reply]
        return Message(said, text(saved.terms), text(saved.tag), saved.at + shift, reply)


def octets(text: str) -> bytes:
    """Text that may hold octets which were no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def text(octets: bytes) -> str:
    """The text again."""
    return octets.decode("utf-8", "surrogateescape")
