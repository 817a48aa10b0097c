"""What the control plane refuses, and which rule was broken. Nothing here knows a transport."""

from __future__ import annotations

# Reasons in rtpengine's words, on which SIP servers act: here another relay may have room ...
PARALLEL_LIMIT = "Parallel session limit reached"
CPU_LIMIT = "CPU usage limit exceeded"
LOAD_LIMIT = "Load limit exceeded"
LOAD_LIMITS = frozenset({PARALLEL_LIMIT, CPU_LIMIT, LOAD_LIMIT})
RAN_OUT = "Ran out of ports"
# ... and here a message is none.
NOT_NG = "Invalid NG data format"
NO_BENCODE = "Could not decode bencode dictionary"
NO_JSON = "Failed to parse JSON document"
# Our own: of one that takes no new calls any more.
STOPPING = "The relay is stopping"


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
