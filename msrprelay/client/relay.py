"""What a SIP side asks of a relay, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

# Words by which a relay says that another one may have room (rtpengine's).
FULL = frozenset(
    {
        "Bandwidth limit exceeded",
        "CPU usage limit exceeded",
        "Load limit exceeded",
        "Parallel session limit reached",
        "Ran out of ports",
    }
)

# A reply as JSON has it, but ``sdp`` is bytes.
Reply: TypeAlias = dict[str, Any]


class RelayError(Exception):
    """A command that came to nothing."""


class NotReached(RelayError):
    """No relay answers, or what answers is none."""


class Refused(RelayError):
    """The relay answered with an error, or a field cannot be asked with; ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def full(self) -> bool:
        """Whether another relay should be asked."""
        return self.reason in FULL


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The SDP to send on instead; ``warning`` tells an operator what is odd about it."""

    sdp: bytes
    warning: str | None


class Channel(Protocol):
    """A way to the relay."""

    async def ask(self, command: str, fields: Mapping[str, object]) -> Reply:
        """The reply to one command. Raises Refused and NotReached."""


class Relay:
    """What a SIP side asks of a relay. Every method raises Refused and NotReached."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def offer(self, sdp: bytes, *, call_id: str, from_tag: str, **keys: object) -> Rewritten:
        """Rewrite an offer of the party ``from_tag``; with ``to_tag`` a re-offer in the dialog."""
        return await self._rewrite("offer", sdp, call_id, from_tag, keys)

    async def answer(
        self, sdp: bytes, *, call_id: str, from_tag: str, to_tag: str, **keys: object
    ) -> Rewritten:
        """Rewrite the answer of the party ``to_tag`` to the offer of ``from_tag``; both count."""
        return await self._rewrite("answer", sdp, call_id, from_tag, {"to_tag": to_tag, **keys})

    async def rollback(self, *, call_id: str, from_tag: str) -> None:
        """The re-offer of ``from_tag`` was rejected: everything goes on as before it."""
        await self.ask("rollback", call_id=call_id, from_tag=from_tag)

    async def delete(self, *, call_id: str, **keys: object) -> str | None:
        """End the call; gives the warning, if any: to delete what is gone already is no error.

        Without tags it means the whole call; with a ``from_tag`` whose re-offer is pending it is
        taken for a rollback, as stock SIP scripts mean it.
        """
        warning: str | None = (await self.ask("delete", call_id=call_id, **keys)).get("warning")
        return warning

    async def query(self, *, call_id: str, **keys: object) -> Reply:
        """Everything about one call."""
        return await self.ask("query", call_id=call_id, **keys)

    async def list(self, limit: int = 32) -> list[str]:
        """The call-ids, oldest first."""
        calls: list[str] = (await self.ask("list", limit=limit))["calls"]
        return calls

    async def ping(self) -> None:
        """Return if the relay is there."""
        await self.ask("ping")

    async def ask(self, command: str, **keys: object) -> Reply:
        """Any command, by its name; None values are not sent."""
        fields = {key.replace("_", "-"): value for key, value in keys.items() if value is not None}
        return await self._channel.ask(command, fields)

    async def _rewrite(
        self, command: str, sdp: bytes, call_id: str, from_tag: str, keys: Mapping[str, object]
    ) -> Rewritten:
        reply = await self.ask(command, call_id=call_id, from_tag=from_tag, sdp=sdp, **keys)
        if not isinstance(reply.get("sdp"), bytes):
            raise NotReached(f"the reply to {command} has no SDP")
        return Rewritten(reply["sdp"], reply.get("warning"))
