"""What stands in for Sippy's RTP proxy session: one call's MSRP, as offers and answers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any, Literal, TypeAlias

from sippy.CCEvents import CCEventFail, CCEventPreConnect, CCEventTry, CCEventUpdate
from sippy.Core.EventDispatcher import ED2
from sippy.Exceptions.RtpProxyError import RtpProxyError
from sippy.Rtp_proxy.session import Rtp_proxy_session

from ..client import Relay, RelayError, Rewritten
from .agents import Agreed, Asking, hold_off, let_in, updating, when_left
from .bodies import Sdp, restore_type
from .link import RelayLink

Party = Literal["caller", "callee"]
# What Sippy is called back with: told(body), or told(None, ex=why).
Told: TypeAlias = Callable[..., None]


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
        self._agreed: list[Agreed] = []
        # How many SDPs are being rewritten, and the UAs that take no re-INVITE meanwhile.
        self._under_way = 0
        self._held: list[Any] = []

    def on_caller_sdp_change(self, sdp_body: Any, result_callback: Told) -> None:
        """The caller's SDP is on its way to the callee."""
        self._change("caller", sdp_body, result_callback)

    def on_callee_sdp_change(self, sdp_body: Any, result_callback: Told) -> None:
        """The callee's SDP is on its way to the caller."""
        self._change("callee", sdp_body, result_callback)

    def update_ended(self) -> None:
        """A re-INVITE has ended: if nobody has answered it, everything goes on as before it.

        Called by itself; only a controller that does not use Sippy's UA has to. Safe to repeat.
        """
        self._restore()
        if self._used and self._pending and self._updating and self._offerer is not None:
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
        restore_type(body)
        asking, sdp = Asking.behind(told), Sdp.within(body)
        if sdp is None:
            self._leave(body, told, asking)
            return
        offers = self._offers(party, asking.event)
        self._pending = offers
        if offers:
            self._offerer, self._updating = party, isinstance(asking.event, CCEventUpdate)
        if not (self._used or sdp.has_messages):
            self._leave(body, told, asking)
            return
        self._used = True
        self._know(party, asking.ua)
        names = self._names(party, asking.event, offers)
        text = sdp.text.encode()

        async def rewrite(relay: Relay) -> Rewritten:
            return await (relay.offer if offers else relay.answer)(text, **names)

        self._hold_off(asking)
        self._run(rewrite, functools.partial(self._done, sdp, told))

    def _leave(self, body: Any, told: Told, asking: Asking) -> None:
        """Let a body go on as it is."""
        body.needs_update = False
        self._hold_off(asking)
        # Never before we have returned: the UA would get its event in the wrong state.
        ED2.callFromThread(self._pass_on, body, told)

    def _hold_off(self, asking: Asking) -> None:
        """Until the SDP has been passed on, no other re-INVITE."""
        self._under_way += 1
        self._held += [] if asking.ua is None else asking.agents
        for ua in self._held:
            hold_off(ua)

    def _let_in(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            for ua in self._held:
                let_in(ua)
            self._held.clear()

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

    def _done(self, sdp: Sdp, told: Told, outcome: Rewritten | RelayError) -> None:
        if isinstance(outcome, RelayError):
            self._let_in()
            self._failed(told, RtpProxyError(str(outcome)))
            return
        # The event holds this very body.
        sdp.replace(outcome.sdp.decode())
        self._pass_on(sdp.body, told)

    def _pass_on(self, body: Any, told: Told) -> None:
        self._let_in()
        told(body)
        asking = Asking.behind(told)
        if isinstance(asking.event, CCEventUpdate):
            self._watch(asking)
        elif asking.ua is not None and not self._pending:
            self._agreed = [Agreed.by(ua) for ua in asking.agents]

    def _restore(self) -> None:
        for agreed in self._agreed:
            agreed.restore()

    def _watch(self, asking: Asking) -> None:
        """See to it that a re-INVITE is rolled back if it ends without an answer."""
        for ua in asking.agents:
            if updating(ua):
                # The one that asked hears of an answer before it leaves its state, the other after.
                when_left(ua, self.update_ended if ua is asking.ua else self._restore)
        if not updating(asking.ua):
            # Sippy has answered it itself: to that party nothing has changed.
            self.update_ended()

    def _failed(self, told: Told, error: RtpProxyError) -> None:
        """The relay has refused, or is silent: the SIP side gets a 502 with the reason."""
        offered, self._pending = self._pending, False
        ua, event = Asking.behind(told)
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
            self.update_ended()
