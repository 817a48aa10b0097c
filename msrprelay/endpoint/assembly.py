"""Chat messages that come in several chunks, put together again (RFC 4975 §5.1)."""

from __future__ import annotations

from .faults import EndpointFault

MESSAGE_LIMIT = 1 << 20
"""Octets of one chat message that an endpoint keeps in memory."""

OPEN_LIMIT = 64
"""Chat messages that may be incomplete at the same time."""


class TooMuch(EndpointFault):
    """The peer began more, or longer, chat messages than are kept in memory."""


class Assembly:
    """The chunks so far of every chat message that is not complete; they come in order."""

    def __init__(self) -> None:
        self._open: dict[str, bytearray] = {}

    def holds(self, message_id: str) -> bool:
        """Whether a chunk with content of this message has come and its end has not."""
        return bool(self._open.get(message_id))

    def add(self, message_id: str, body: bytes, flag: str) -> bytes | None:
        """The whole message once ``flag`` is ``$``; ``#`` drops it. Raises TooMuch."""
        if flag == "$" and message_id not in self._open:
            return body
        whole = self._open.setdefault(message_id, bytearray())
        whole += body
        if len(whole) > MESSAGE_LIMIT or len(self._open) > OPEN_LIMIT:
            raise TooMuch(f"chat message {message_id} is more than an endpoint keeps")
        if flag == "+":
            return None
        del self._open[message_id]
        return bytes(whole) if flag == "$" else None
