"""What can go wrong at an endpoint, each under its own name."""

from __future__ import annotations


class EndpointFault(Exception):
    """The session is over for this endpoint; the text says why."""


class BindFailed(EndpointFault):
    """The bind SEND was refused, or something else came while it was open."""


class BlinkCrash(EndpointFault):
    """What arrived would have crashed Blink (its client stack, as of python3-msrplib 0.21)."""


class ConnectionLost(EndpointFault):
    """The connection ended, or broke, while something was still awaited."""


class MalformedStream(EndpointFault):
    """The bytes are no MSRP (RFC 4975 §9)."""


class PathMismatch(EndpointFault):
    """A response or REPORT whose paths are not this session's (RFC 4975 §6.1)."""


class TransferFailed(EndpointFault):
    """A file did not get through: refused, shorter than announced, or nowhere to be kept."""


class UnexpectedResponse(EndpointFault):
    """A response to no open transaction of ours."""
