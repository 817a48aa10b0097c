"""What the control plane refuses, and which rule was broken. Nothing here knows a transport."""

from __future__ import annotations


class CommandError(Exception):
    """A command that is refused; ``reason`` is the error-reason the SIP server reads.

    SIP servers act on exact strings ("Ran out of ports" makes them try the next node), so a reason
    is rtpengine's own wording wherever rtpengine has one.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SdpError(ValueError):
    """Bytes that are no session description (RFC 8866), or one beyond our limits.

    ``rule`` is a snake_case code such as ``not_sdp``; ``line`` counts from 1.
    """

    def __init__(self, rule: str, line: int) -> None:
        super().__init__(rule, line)
        self.rule = rule
        self.line = line

    def __str__(self) -> str:
        return f"line {self.line}: {self.rule.replace('_', ' ')}"


class UriError(ValueError):
    """Text that is no MSRP URI (RFC 4975 section 9)."""


class ConfigError(ValueError):
    """A setting that is refused; the message names it and what is wrong."""
