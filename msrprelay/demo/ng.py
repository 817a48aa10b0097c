"""The relay as the demo asks it: over ng, with the demo's patience and words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from .. import client
from ..client import NgChannel
from .failure import DemoFailed, NotReached

RETRANSMIT_SECONDS = 0.25
PATIENCE_SECONDS = 5.0

Reply = dict[str, Any]


class Refused(DemoFailed):
    """The relay answered with an error; the text is its reason."""


class NgClient:
    """Sends commands and waits for their replies; made by :func:`ng_client`."""

    def __init__(self, channel: NgChannel) -> None:
        self._channel = channel

    async def ask(
        self,
        command: str,
        fields: Mapping[str, object] | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        every: float = RETRANSMIT_SECONDS,
    ) -> Reply:
        """Send one command, repeated ``every`` seconds, and give the reply, all strings as text.

        Raises Refused, and NotReached after ``patience`` seconds.
        """
        try:
            reply = await self._channel.ask(command, fields or {}, patience, every)
        except client.Refused as refused:
            raise Refused(refused.reason) from None
        except client.NotReached as error:
            raise NotReached(f"no relay answers ng: {error}") from None
        if "sdp" in reply:
            reply["sdp"] = reply["sdp"].decode("utf-8", "surrogateescape")
        return reply


@asynccontextmanager
async def ng_client(host: str, port: int) -> AsyncIterator[NgClient]:
    """A client of the relay at ``host:port``. Raises NotReached for a host that is none."""
    try:
        async with client.ng_channel(host, port) as channel:
            yield NgClient(channel)
    except client.NotReached as error:
        raise NotReached(str(error)) from None
