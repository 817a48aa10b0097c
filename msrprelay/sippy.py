"""MSRP by the relay for Sippy's B2BUA (``pip install msrprelay[sippy]``).

:class:`MediaProxySession` stands where Sippy's ``Rtp_proxy_session`` does, for MSRP; audio and
video pass it untouched. Put a :class:`RelayLink` into the configuration as ``_msrp_relay`` and set
``CallController.rtpps_cls``: ``examples/sippy_b2bua.py`` is the stock B2BUA with it. A controller
of your own gives ``on_caller_sdp_change`` and ``on_callee_sdp_change`` to its outgoing UA.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, wait
from secrets import token_hex
from typing import Any, Literal, TypeAlias

from sippy.CCEvents import CCEventFail, CCEventPreConnect, CCEventTry, CCEventUpdate
from sippy.Core.EventDispatcher import ED2
from sippy.Exceptions.RtpProxyError import RtpProxyError
from sippy.Rtp_proxy.session import Rtp_proxy_session

from . import client
from .client import NotReached, Relay, RelayError, Rewritten

Party = Literal["caller", "callee"]
# What Sippy is called back with: told(body), or told(None, ex=why).
Told: TypeAlias = Callable[..., None]


class RelayLink:
    """The relay, for a program whose loop is Sippy's: its commands run on a thread of their own."""

    def __init__(
        self, where: str = "udp:127.0.0.1:2224", patience: float = client.PATIENCE_SECONDS
    ) -> None:
        """``where`` as Sippy writes it: ``udp:HOST:PORT`` is ng, ``unix:PATH`` JSON-RPC.

        ``patience`` is how long a command waits for its reply, in seconds. Raises ValueError, and
        NotReached for a host that is none.
        """
        self._way = way(where, patience)
        self._loop = asyncio.new_event_loop()
        self._under_way: set[Future[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._relay = self._wait_for(self._way.__aenter__())
        except NotReached:
            self._end()
            raise

    def run(
        self,
        work: Callable[[Relay], Awaitable[Any]],
        told: Callable[[Any], None] = lambda outcome: None,
    ) -> None:
        """Start ``work``; ``told`` gets its result or its RelayError, in Sippy's thread."""
        if self._loop.is_closed():
            return

        async def started() -> Any:
            try:
                return await work(self._relay)
            except RelayError as error:
                return error

        future = asyncio.run_coroutine_threadsafe(started(), self._loop)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        future.add_done_callback(lambda done: ED2.callFromThread(told, done.result()))

    def close(self) -> None:
        """Finish what is under way, and end the thread. Safe to repeat."""
        if self._loop.is_closed():
            return
        wait(tuple(self._under_way))
        self._wait_for(self._way.__aexit__(None, None, None))
        self._end()

    def _wait_for(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def way(where: str, patience: float) -> contextlib.AbstractAsyncContextManager[Relay]:
    """How to reach the relay at an address in Sippy's writing; raises ValueError."""
    kind, _, rest = where.partition(":")
    if kind == "unix" and rest:
        return client.jsonrpc(rest, patience=patience)
    host, _, port = rest.rpartition(":")
    if kind == "udp" and host and port.isdigit():
        return client.ng(host.strip("[]"), int(port), patience=patience)
    raise ValueError(f"udp:HOST:PORT or unix:PATH expected, not {where!r}")


class Side:
    """What Sippy writes about one party: where the *other* one's SIP messages come from."""

    raddress: tuple[str, int] | None = None


class MediaProxySession:
    """One call's MSRP sections, rewritten towards the relay.

    Sippy says neither whether an SDP is an offer or an answer, nor that a re-INVITE has failed. Its
    callback tells: it carries the UA and the event, and the UA leaves its updating state.
    """

    # Stock controllers read the first and write the second.
    AV_TRTYPES = Rtp_proxy_session.AV_TRTYPES
    media_timeout_index: int | None = None
    _used = False

    def __init__(
        self, global_config: Mapping[str, Any], call_id: object = None, notify_tag: object = None
    ) -> None:
        """``notify_tag`` is for RTP time-outs, which MSRP has not."""
        self.caller, self.callee = Side(), Side()
        self._link: RelayLink = global_config["_msrp_relay"]
        self._call_id = token_hex(16) if call_id is None else str(call_id)
        # Commands of a call are carried out one after the other.
        self._turn = asyncio.Lock()
        self._tags: dict[Party, str] = {}
        self._offerer: Party | None = None
        # Whether the offer still waits for its answer, and whether it changes an existing session.
        self._pending = False
        self._updating = False

    def on_caller_sdp_change(self, sdp_body: Any, result_callback: Told) -> None:
        """The caller's SDP is on its way to the callee."""
        self._change("caller", sdp_body, result_callback)

    def on_callee_sdp_change(self, sdp_body: Any, result_callback: Told) -> None:
        """The callee's SDP is on its way to the caller."""
        self._change("callee", sdp_body, result_callback)

    def update_failed(self) -> None:
        """A re-INVITE came to nothing: the relay goes on as before it.

        Called by itself; a controller that does not use Sippy's UA calls it. Safe to repeat.
        """
        if self._pending and self._updating and self._offerer is not None:
            tag = self._tags[self._offerer]
            self._run(lambda relay: relay.rollback(call_id=self._call_id, from_tag=tag))
        self._pending = False

    def delete(self) -> None:
        """End the call at the relay. Safe to repeat, and from any thread."""
        if self._used:
            self._used = False
            # Without tags: with one it might be taken for a rollback.
            self._run(lambda relay: relay.delete(call_id=self._call_id))

    def __del__(self) -> None:
        # Stock controllers only drop the session.
        self.delete()

    def _run(
        self,
        work: Callable[[Relay], Awaitable[Any]],
        told: Callable[[Any], None] = lambda outcome: None,
    ) -> None:
        turn = self._turn

        async def in_turn(relay: Relay) -> Any:
            async with turn:
                return await work(relay)

        self._link.run(in_turn, told)

    def _change(self, party: Party, body: Any, told: Told) -> None:
        if not (self._used or has_msrp(body)):
            body.needs_update = False
            # Never before we have returned: the UA would get its event in the wrong state.
            ED2.callFromThread(told, body)
            return
        self._used = True
        ua, event = asking(told)
        self._know(party, ua)
        offers = self._offers(party, event)
        names = self._names(party, event, offers)
        sdp = str(body).encode()

        async def rewrite(relay: Relay) -> Rewritten:
            return await (relay.offer if offers else relay.answer)(sdp, **names)

        self._pending = offers
        if offers:
            self._offerer, self._updating = party, isinstance(event, CCEventUpdate)
        self._run(rewrite, functools.partial(self._done, body, told))

    def _offers(self, party: Party, event: object) -> bool:
        """Whether this SDP is an offer; where the event does not say, an offer is answered once."""
        if isinstance(event, CCEventTry | CCEventUpdate | CCEventPreConnect):
            return True
        if self._offerer in (None, party):
            return True
        return event is None and not self._pending

    def _know(self, party: Party, ua: Any) -> None:
        # Every attempt to reach a callee is a fork of its own.
        if party == "callee" and ua is not None:
            self._tags["callee"] = ua.lTag
        self._tags.setdefault(party, token_hex(8))

    def _names(self, party: Party, event: object, offers: bool) -> dict[str, Any]:
        other: Party = "callee" if party == "caller" else "caller"
        own, peer = self._tags[party], self._tags.get(other)
        # An INVITE to another callee, after one has answered early, is no re-INVITE.
        tags = (own, None if isinstance(event, CCEventTry) else peer) if offers else (peer, own)
        source = (self.callee if party == "caller" else self.caller).raddress
        return {
            "call_id": self._call_id,
            "from_tag": tags[0],
            "to_tag": tags[1],
            "received_from": source and ["IP6" if ":" in source[0] else "IP4", source[0]],
        }

    def _done(self, body: Any, told: Told, outcome: Rewritten | RelayError) -> None:
        if isinstance(outcome, RelayError):
            self._failed(told, RtpProxyError(str(outcome)))
            return
        # The event holds this very body.
        body.content, body.parsed, body.needs_update = outcome.sdp.decode(), False, False
        told(body)
        ua, event = asking(told)
        if isinstance(event, CCEventUpdate):
            self._watch(ua)

    def _watch(self, ua: Any) -> None:
        """See to it that a re-INVITE is rolled back if it ends without an answer."""
        state = ua.state
        if not isinstance(state, ua.UacStateUpdating | ua.UasStateUpdating):
            # Sippy has answered it itself: to that party nothing has changed.
            self.update_failed()
            return
        leave = state.onStateChange

        def left(new_state: object) -> None:
            del state.onStateChange
            leave(new_state)
            self.update_failed()

        state.onStateChange = left

    def _failed(self, told: Told, error: RtpProxyError) -> None:
        """The relay has refused, or is silent: the SIP side gets a 502 with the reason."""
        offered, self._pending = self._pending, False
        ua, event = asking(told)
        if ua is None or not self._updating:
            told(None, ex=error)
        elif not offered:
            # The new session is agreed on and cannot be had.
            ua.disconnect()
        else:
            # Sippy would end the call; a failed re-INVITE changes nothing (RFC 3261 section 14.1).
            failure = CCEventFail((error.code, error.msg), rtime=event.rtime)
            failure.reason_rfc3326 = error.getReason()
            if isinstance(ua.state, ua.UasStateUpdating):
                ua.recvEvent(failure)
            else:
                ua.equeue.append(failure)
                ua.emitPendingEvents()


def has_msrp(body: Any) -> bool:
    """Whether the relay has anything to do with a message body."""
    return body.getType() == "application/sdp" and "m=message " in str(body)


def asking(told: Told) -> tuple[Any, Any]:
    """The UA and the event that wait for an SDP; (None, None) if the callback is not Sippy's."""
    if isinstance(told, functools.partial) and told.args:
        return getattr(told.func, "__self__", None), told.args[0]
    return None, None
