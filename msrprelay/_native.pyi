"""The native module: the relay engine; the MSRP framer, bencode and XXH3 for Python's own use.

Conversion only; what the words mean stands in ``native/relay`` and ``native/proto``.
"""

from typing import Any, Protocol, final

__all__ = [
    "BencodeError",
    "Filled",
    "Framer",
    "Head",
    "Layout",
    "OpenError",
    "Relay",
    "Session",
    "Told",
    "Truncated",
    "__version__",
    "decode_bencode",
    "encode_bencode",
    "xxh3",
]

__version__: str

class _Config(Protocol):
    """What :class:`Relay` reads from its configuration: durations in seconds, sizes in bytes."""

    @property
    def threads(self) -> int: ...
    @property
    def gate_seconds(self) -> float: ...
    @property
    def join_seconds(self) -> float: ...
    @property
    def own_bind_seconds(self) -> float: ...
    @property
    def half_closed_seconds(self) -> float: ...
    @property
    def reconnect_seconds(self) -> float: ...
    @property
    def stalled_chunk_seconds(self) -> float: ...
    @property
    def keepalive_idle_seconds(self) -> float: ...
    @property
    def keepalive_interval_seconds(self) -> float: ...
    @property
    def keepalive_count(self) -> int: ...
    @property
    def unacknowledged_seconds(self) -> float: ...
    @property
    def closed_window_seconds(self) -> float: ...
    @property
    def leg_buffer_bytes(self) -> int: ...
    @property
    def buffer_budget_bytes(self) -> int: ...
    @property
    def unbound_per_port(self) -> int: ...
    @property
    def half_open(self) -> int: ...
    @property
    def session_bytes(self) -> int: ...
    @property
    def session_rate(self) -> int: ...
    @property
    def header_line_bytes(self) -> int: ...
    @property
    def header_block_bytes(self) -> int: ...
    @property
    def header_count(self) -> int: ...
    @property
    def pipe_bytes(self) -> int: ...
    @property
    def splice_bodies(self) -> bool: ...
    @property
    def event_ring(self) -> bool: ...

class _LegOpen(Protocol):
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def own_uri(self) -> bytes: ...
    @property
    def peer_path(self) -> list[bytes]: ...
    @property
    def sources(self) -> object: ...

class _LegAnswer(Protocol):
    @property
    def role(self) -> str: ...
    @property
    def peer_path(self) -> list[bytes]: ...
    @property
    def target(self) -> object: ...
    @property
    def sources(self) -> object: ...
    @property
    def own_uri(self) -> bytes | None: ...

class OpenError(OSError):
    """A listener could not be opened; ``side`` says whose (``"a"`` or ``"b"``)."""

    side: str

@final
class Relay:
    """The engine: its threads, behind a handle."""

    def __new__(cls, config: _Config, keeper: int | None = None) -> Relay:
        """Start the threads. Raises OSError.

        ``keeper``: the ``SOCK_SEQPACKET`` descriptor of a keeper, which gets duplicates of all that
        a successor would need; the engine makes a duplicate of it for itself.
        """

    @staticmethod
    def adopt(config: _Config, keeper: int, left: list[tuple[bytes, int]], crashed: bool) -> Relay:
        """Go on with what a dead process has left with the keeper; bytes move when it returns.

        ``left``: labels of 16 bytes and descriptors, which are the engine's from now on. The
        process must have been reaped. ``crashed``: nobody has killed it; a session that a third
        process crashes with is ended. Raises OSError; ValueError for records of another version.
        """

    def register(self, keeper: int) -> None:
        """There is a new keeper: have it keep everything."""

    def sessions(self) -> list[int]:
        """The numbers of the sessions that a dead process has left; some may have ended since."""

    def session(self, id: int) -> Session | None:
        """One of those."""

    def open(
        self, policy: str, a: _LegOpen, b: _LegOpen, tos: int | None, idle_seconds: float | None
    ) -> Session:
        """Listen on both legs' ports and create the session. Raises OpenError."""

    def fileno(self) -> int:
        """An eventfd that is readable when :meth:`take_notices` has something to give."""

    def take_notices(self) -> list[tuple[int, str, str | None, str | None]]:
        """Everything that happened since the last call, oldest first.

        Each entry: session id, what, side (``"a"``, ``"b"`` or None), reason or None. That of
        ``dial-failed`` is ``ERRNO at ADDRESS``.
        """

    def counters(self) -> dict[str, int]:
        """Totals since the start, all threads summed; refusals and ends by reason."""

    def stop(self) -> None:
        """End all sessions and join the threads. Safe to repeat."""

@final
class Session:
    """One session in the engine. Dropping the handle does not end it."""

    @property
    def id(self) -> int: ...
    def answer(self, a: _LegAnswer, b: _LegAnswer) -> None:
        """Fix roles, paths and dial targets."""

    def dial(self, side: str, addresses: list[tuple[str, int]] | None) -> None:
        """Give a pending dial target; None: there is none that may be dialled."""

    def reoffer(self, side: str) -> None:
        """A side's peer has a re-offer: it may dial before its answer is known."""

    def settle(self, side: str) -> None:
        """That is over, answered or rejected."""

    def pause(self, paused: bool) -> None:
        """Read nothing from either peer, or go on; what they send waits with them."""

    def close(self, reason: str, linger_seconds: float) -> None:
        """End the session after at most ``linger_seconds`` for bytes in flight."""

    def report(self) -> dict[str, Any]:
        """State, reason and sentence as they are now, and ``legs``.

        Of each: ``side``, ``role``, ``state``, addresses, ports, counts and ``reason``.
        """

    def events(self) -> list[Told]:
        """The event ring, oldest first.

        Each: ``at`` microseconds since the opening, ``side``, ``what`` and ``n``, a number; where
        there is one, ``address``, the host that connected or was dialled, and ``reason``.
        """

@final
class Told:
    """A mapping from words to text and numbers: what the engine tells of a leg or an event.

    An entry is made when it is asked for; :func:`encode_bencode` writes them all as a dictionary.
    Texts are empty where there is none. Raises KeyError for what is not told.
    """

    def __getitem__(self, key: str, /) -> Any: ...
    def __len__(self) -> int: ...
    def keys(self) -> tuple[str, ...]: ...

@final
class Layout:
    """The shape of a dictionary that is told again and again: its names are encoded once.

    ``shape`` has what is the same in all, and ``...`` where a value comes, in dictionaries at any
    depth. It must not be changed any more. Calling it fills the blanks, in their order; one that is
    None is left out with its name. TypeError: so many blanks it has not, or ``shape`` holds what
    bencode cannot.
    """

    def __new__(cls, shape: dict[str, Any]) -> Layout: ...
    def __call__(self, *values: object) -> Filled: ...

@final
class Filled:
    """A dictionary of a :class:`Layout`: :func:`encode_bencode` writes it as such."""

    def plain(self) -> dict[str, Any]:
        """The same as an ordinary dictionary; what a blank was filled with is in it as it is."""

@final
class Head:
    """Start line and headers of one chunk."""

    @property
    def method(self) -> str | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def comment(self) -> bytes | None: ...
    @property
    def transaction_id(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, bytes]]: ...
    @property
    def header_length(self) -> int: ...
    @property
    def has_body(self) -> bool: ...

@final
class Framer:
    """The chunk framer of one direction of one connection (RFC 4975 section 7.1)."""

    def __new__(
        cls, max_line: int = 16384, max_head: int = 65536, max_headers: int = 128
    ) -> Framer: ...
    def feed(self, data: bytes) -> list[tuple[str, int, int, Head | bytes | str | None]]:
        """Take bytes; give what they complete as (kind, offset, length, value).

        Kinds: ``gap`` (None), ``head`` (Head), ``body`` (bytes), ``end`` (the flag),
        ``error`` (the code; nothing follows it). Offsets count from the stream's start.
        """

    def between_chunks(self) -> bool:
        """Whether the stream may end here without cutting a chunk."""

class BencodeError(ValueError):
    """Bytes that are no bencode; ``offset`` is where that was seen."""

    offset: int

class Truncated(BencodeError):
    """Bytes that may become bencode when more arrive."""

def decode_bencode(data: bytes, start: int = 0) -> tuple[Any, int]:
    """The value that begins at ``start``, and the offset behind it; see ``rpc.bencode``."""

def encode_bencode(value: object) -> bytes:
    """``value`` as bencode; see ``rpc.bencode``."""

def xxh3(data: bytes) -> int:
    """XXH3 of ``data``, 64 bits: the same in every process and release."""
