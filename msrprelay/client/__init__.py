"""A client of the relay's control protocol, for SIP servers and B2BUAs that run asyncio.

The same commands go two ways: :func:`ng` over UDP, as rtpengine's clients speak it, and
:func:`jsonrpc` on the daemon's unix socket. Either gives a :class:`Relay`::

    async with client.ng("127.0.0.1", 2224) as relay:
        offer = await relay.offer(sdp, call_id="c1", from_tag="alice")

Any further ng key is a keyword, ``_`` for ``-``, as ``msrp_path="sessmatch"``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .over_jsonrpc import JsonRpcChannel
from .over_ng import PATIENCE_SECONDS, REPEAT_SECONDS, NgChannel, ng_channel
from .relay import FULL, Channel, NotReached, Refused, Relay, RelayError, Reply, Rewritten

__all__ = [
    "FULL",
    "PATIENCE_SECONDS",
    "REPEAT_SECONDS",
    "Channel",
    "JsonRpcChannel",
    "NgChannel",
    "NotReached",
    "Refused",
    "Relay",
    "RelayError",
    "Reply",
    "Rewritten",
    "jsonrpc",
    "ng",
    "ng_channel",
]


@asynccontextmanager
async def ng(
    host: str = "127.0.0.1",
    port: int = 2224,
    *,
    patience: float = PATIENCE_SECONDS,
    every: float = REPEAT_SECONDS,
) -> AsyncIterator[Relay]:
    """A relay by ng over UDP: a datagram is repeated ``every`` seconds, ``patience`` seconds long.

    Raises NotReached for a host that is none.
    """
    async with ng_channel(host, port, patience=patience, every=every) as channel:
        yield Relay(channel)


@asynccontextmanager
async def jsonrpc(
    path: str = "/run/msrprelayd/ctl.sock", *, patience: float = PATIENCE_SECONDS
) -> AsyncIterator[Relay]:
    """A relay by JSON-RPC on its unix socket, connected when needed.

    What is under way when the relay process ends, also by an upgrade, the next one is asked, for
    as long as ``patience``.
    """
    channel = JsonRpcChannel(path, patience)
    try:
        yield Relay(channel)
    finally:
        await channel.close()
