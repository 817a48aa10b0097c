"""What can be seen of a call in Sippy's user agents; Sippy itself tells a media proxy little."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple


class Asking(NamedTuple):
    """The UA that waits for an SDP, and the event that brought it; None if that is unknown."""

    ua: Any
    event: Any

    @classmethod
    def behind(cls, told: Callable[..., None]) -> Asking:
        """Who has made a callback: Sippy's are partial methods of the UA."""
        if isinstance(told, functools.partial) and told.args:
            return cls(getattr(told.func, "__self__", None), told.args[0])
        return cls(None, None)

    @property
    def agents(self) -> list[Any]:
        """Both UAs of the call, as every controller of Sippy's names them."""
        controller = getattr(getattr(self.ua, "event_cb", None), "__self__", None)
        both = [getattr(controller, name, None) for name in ("uaA", "uaO")]
        return [ua for ua in both if ua is not None] or [self.ua]


class Agreed(NamedTuple):
    """What a UA and its peer have agreed on."""

    ua: Any
    local: Any
    remote: Any

    @classmethod
    def by(cls, ua: Any) -> Agreed:
        """As it is now."""
        return cls(ua, ua.lSDP, ua.rSDP)

    def restore(self) -> None:
        """After a re-INVITE that failed: Sippy forgets the SDP and then falls over the next one."""
        if self.ua.lSDP is None:
            self.ua.lSDP = self.local
        if self.ua.rSDP is None:
            self.ua.rSDP = self.remote


def updating(ua: Any) -> bool:
    """Whether a re-INVITE of or to this UA is under way."""
    return isinstance(ua.state, ua.UacStateUpdating | ua.UasStateUpdating)


def when_left(ua: Any, told: Callable[[], None]) -> None:
    """Call ``told`` once when the UA leaves the state it is in."""
    state = ua.state
    leave = state.onStateChange

    def left(new_state: object) -> None:
        # Or state and closure would hold each other. Another one may have been here first.
        state.__dict__.pop("onStateChange", None)
        leave(new_state)
        told()

    state.onStateChange = left


def hold_off(ua: Any) -> None:
    """Let this UA answer re-INVITEs with 491 until :func:`let_in` (RFC 3261 section 14.2).

    Sippy's own states do so only from where they have sent their INVITE on: before, while an SDP is
    being rewritten, two re-INVITEs would wait for each other for ever.
    """
    receive = type(ua).recvRequest

    def held_off(request: Any, transaction: Any) -> Any:
        if request.getMethod() != "INVITE" or not ua.isConnected():
            return receive(ua, request, transaction)
        ua.rCSeq = max(ua.rCSeq or 0, request.getHFBody("cseq").getCSeqNum())
        return request.genResponse(491, "Request Pending", server=ua.local_ua), None, None

    ua.recvRequest = held_off


def let_in(ua: Any) -> None:
    """End :func:`hold_off`. Safe to repeat."""
    ua.__dict__.pop("recvRequest", None)
