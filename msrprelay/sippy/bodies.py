"""The SDP in a body as Sippy hands it over: all of it, or one part of several (RFC 5621)."""

from __future__ import annotations

from typing import Any, NamedTuple

from sippy.SipContentType import SipContentType

SDP, SEVERAL = "application/sdp", "multipart/mixed"


class Sdp(NamedTuple):
    """Where it is."""

    body: Any
    start: int
    end: int

    @classmethod
    def within(cls, body: Any) -> Sdp | None:
        """None if the body has no SDP."""
        text = str(body)
        if body.getType() == SDP:
            return cls(body, 0, len(text))
        span = _part(text) if body.getType() == SEVERAL else None
        return None if span is None else cls(body, *span)

    @property
    def text(self) -> str:
        """As it is."""
        return str(self.body)[self.start : self.end]

    @property
    def has_messages(self) -> bool:
        """Whether the relay has anything to do with it."""
        return "m=message " in self.text

    def replace(self, sdp: str) -> None:
        """Put another one into the body, which needs no other change then."""
        body, text = self.body, str(self.body)
        body.content, body.needs_update = text[: self.start] + sdp + text[self.end :], False
        body.parsed = body.getType() == SEVERAL


def restore_type(body: Any) -> None:
    """Say of several parts what they are: Sippy's copy of a body it has not parsed is an SDP."""
    text = str(body)
    if body.getType() == SDP and text.startswith("--"):
        body.mtype = SipContentType(f'{SEVERAL};boundary="{_edge(text)[2:]}"')
        body.mtype.parse()
        # So that the next copy is a better one.
        body.parsed = True


def _edge(text: str) -> str:
    """The line between parts."""
    return text.partition("\r\n")[0].rstrip()


def _part(text: str) -> tuple[int, int] | None:
    """Where the first part with an SDP begins and ends."""
    edge = _edge(text)
    start = len(edge)
    while (end := text.find(f"\r\n{edge}", start)) >= 0:
        head, _, sdp = text[start:end].partition("\r\n\r\n")
        if SDP in head.lower():
            return end - len(sdp), end
        start = end + 2 + len(edge)
    return None
