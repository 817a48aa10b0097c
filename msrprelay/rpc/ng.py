# cython: annotation_typing=False
"""The ng protocol over UDP: ``cookie SP body`` each way, as rtpengine speaks it.

:class:`NgResponder` is the protocol without a socket; :class:`NgUdpServer` gives it sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import cast

from ..commands import Origin, Reply
from ..errors import CommandError
from ..log import Log, Throttle
from .dispatcher import Dispatcher, refusal
from .encoding import decode, encode, encoding_of
from .ng_framing import TOO_LONG
from .reply_cache import ReplyCache, key_of
from .sockets import Address, Sockets

log = Log()

# The most that fits a UDP datagram over IPv4: 65535 - 20 (IP) - 8 (UDP).
LARGEST_REPLY = 65507
# Senders of datagrams that are known again.
REMEMBERED_SENDERS = 256
# Replies to these describe a moment and may be long: not kept above this size.
BULKY = frozenset({b"list", b"query", b"statistics"})
BULKY_LIMIT = 16 << 10


class NgResponder:
    """Message in, message out; silent where rtpengine is silent.

    A command is carried out at once and waits for nothing, so a request is never "still in work"
    when its repetition is read: by then its reply is in the cache.

    ``counts`` says what was not answered by a command: ``no-cookie``, ``too-long`` (silent),
    ``duplicate`` (from the cache), ``malformed`` and ``message-too-long`` (an error reply); and
    ``cookie-reused``, what was answered although its cookie had come with another body.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        cache: ReplyCache,
        *,
        longest: int = 64 << 10,
        clock: Callable[[], float] = time.monotonic,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        """``longest``: bytes of the longest datagram that is read.

        ``flush`` is called before a reply is given away.
        """
        self._flush = flush
        self._dispatcher = dispatcher
        self._cache = cache
        self._longest = longest
        self._throttle = Throttle(clock)
        self.counts: defaultdict[str, int] = defaultdict(int)

    def answer(self, datagram: bytes, origin: Origin, now: float) -> bytes | None:
        """The datagram to send back; None: none. ``now`` in seconds, for the reply cache."""
        if len(datagram) > self._longest:
            self._note("too-long", origin)
            return None
        cookie, space, body = datagram.partition(b" ")
        if not cookie or not space:
            self._note("no-cookie", origin)
            return None
        return self.exchange(cookie, body, origin, now, LARGEST_REPLY)

    def exchange(
        self,
        cookie: bytes,
        body: bytes,
        origin: Origin,
        now: float,
        largest: int | None = None,
    ) -> bytes:
        """The reply with its cookie, the same one for a repeated request.

        ``largest``: bytes of the largest reply that can be sent, if there is a bound.
        """
        key = key_of(origin, cookie, body)
        reply = self._cache.find(key, now)
        if reply is not None:
            self.counts["duplicate"] += 1
            return reply
        if self._cache.reused(key):
            # Answered as what it is, a new request; the operator should know of the clash.
            self._note("cookie-reused", origin)
        room = None if largest is None else largest - len(cookie) - 1
        payload, lasting = self._perform(body, origin, room)
        reply = b" ".join((cookie, payload))
        if largest is not None and len(reply) > largest:
            self._flush()
            payload = encode(refusal("Reply too long for a datagram"), encoding_of(body))
            return b"%s %s" % (cookie[:256], payload)
        if lasting:
            self._cache.store(key, reply, now)
        self._flush()
        return reply

    def plain(self, body: bytes, origin: Origin) -> bytes:
        """The reply to a message without a cookie: nobody repeats it, nothing is kept."""
        reply = self._perform(body, origin)[0]
        self._flush()
        return reply

    def refuse(self, reason: str, origin: Origin) -> bytes:
        """The reply to what is no message."""
        self._note("message-too-long" if reason == TOO_LONG else "malformed", origin, reason=reason)
        return encode(refusal(reason), "bencode")

    def _perform(self, body: bytes, origin: Origin, room: int | None = None) -> tuple[bytes, bool]:
        encoding = encoding_of(body)
        try:
            fields = decode(body)
            command = fields.get("command")
            if not isinstance(command, bytes):
                raise CommandError('Dictionary contains no key "command"')
        except CommandError as error:
            self._note("malformed", origin, reason=error.reason)
            return encode(refusal(error.reason), encoding), True
        name = command.decode("utf-8", "replace")
        outcome = self._dispatcher.perform(name, fields, origin)
        payload = encode(outcome.reply, encoding)
        if room is not None and len(payload) > room and command == b"delete":
            # The call has ended, and an error would deny it: the reply goes without the report.
            payload = encode(without_report(outcome.reply), encoding)
        return payload, outcome.lasting and not is_bulky(command, payload)

    def _note(self, why: str, origin: Origin, **more: str) -> None:
        self.counts[why] += 1
        held = self._throttle.admit(why)
        if held is not None:
            log.warning("odd ng message", why=why, origin=str(origin), held_back=held, **more)


def without_report(reply: Reply) -> Reply:
    """What a SIP server must hear of a ``delete``."""
    return {key: reply[key] for key in ("result", "warning") if key in reply}


def is_bulky(command: bytes, payload: bytes) -> bool:
    """Whether the reply is not worth its place in the cache."""
    return command in BULKY and len(payload) > BULKY_LIMIT


class NgUdpServer:
    """One socket per local address, so that a reply leaves from where it was asked."""

    def __init__(
        self,
        responder: NgResponder,
        addresses: Iterable[Address],
        sockets: Sockets | None = None,
    ) -> None:
        """``addresses``: (address, port) each; port 0 takes any, see :attr:`bound`."""
        self._responder = responder
        self._sockets = sockets or Sockets()
        self._addresses = tuple(addresses)
        self._transports: list[asyncio.DatagramTransport] = []

    @property
    def bound(self) -> list[tuple[str, int]]:
        """The addresses and ports in use, in the order they were given."""
        names = [transport.get_extra_info("sockname") for transport in self._transports]
        return [(name[0], name[1]) for name in names]

    async def start(self) -> None:
        """Bind all sockets; raises OSError and leaves none open if one cannot be bound."""
        loop = asyncio.get_running_loop()
        try:
            # Bound here, not by the loop: uvloop's error does not say why it could not be.
            for sock in self._sockets.udp("ng-udp", self._addresses):
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Socket(self._responder, loop.time), sock=sock
                )
                self._transports.append(transport)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close all sockets. Safe to repeat."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()


@lru_cache(REMEMBERED_SENDERS)
def origin_of(address: str, port: int) -> Origin:
    """Who sends from there: a SIP server has the same few sockets for all its requests."""
    return Origin("udp", address, port)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, responder: NgResponder, clock: Callable[[], float]) -> None:
        self._responder = responder
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        origin = origin_of(addr[0], addr[1])
        reply = self._responder.answer(data, origin, self._clock())
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        # The SIP server's socket is gone (ICMP): it will ask again if it still wants to know.
        log.debug("ng reply not delivered", error=exc)
