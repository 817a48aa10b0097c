"""A small MSRP endpoint (RFC 4975): for the demo, the tests, the benchmarks and the terminal.

``protocol`` is the endpoint without sockets; ``connection`` puts it on TCP; ``transfer`` moves
files. Strict endpoints match whole paths; Blink endpoints behave as that client does.
"""

from .chunks import Send, fresh_id
from .connection import Connection, Listener, dial
from .faults import (
    BindFailed,
    BlinkCrash,
    ConnectionLost,
    EndpointFault,
    MalformedStream,
    PathMismatch,
    TransferFailed,
    UnexpectedResponse,
)
from .protocol import (
    Answered,
    Bound,
    Endpoint,
    Event,
    Failed,
    FilePiece,
    Manner,
    Message,
    NotBound,
    Reported,
)
from .transfer import FileReceipt, SentFile, send_file

__all__ = [
    "Answered",
    "BindFailed",
    "BlinkCrash",
    "Bound",
    "Connection",
    "ConnectionLost",
    "Endpoint",
    "EndpointFault",
    "Event",
    "Failed",
    "FilePiece",
    "FileReceipt",
    "Listener",
    "MalformedStream",
    "Manner",
    "Message",
    "NotBound",
    "PathMismatch",
    "Reported",
    "Send",
    "SentFile",
    "TransferFailed",
    "UnexpectedResponse",
    "dial",
    "fresh_id",
    "send_file",
]
