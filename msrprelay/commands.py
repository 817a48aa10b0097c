# cython: annotation_typing=False
"""What the relay can be asked, by whatever protocol: typed requests, and who answers them.

The words are those of rtpengine's ng protocol; how they are spelled on a wire is ``rpc``'s
business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from .words import Family, Policy

SetupWord = Literal["active", "passive", "actpass"]
Transport = Literal["TCP/MSRP", "TCP/TLS/MSRP"]
SourceRule = Literal["any", "sdp", "sip"]
PendingRule = Literal["rollback", "delete"]


class Origin(NamedTuple):
    """Who asked, for the log and the reply cache; never an identity of a call.

    Each SIP worker process has a socket of its own, so one call comes from several ports.
    """

    transport: str
    address: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return f"{self.transport} {self.address}".rstrip()
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.transport}:{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class SdpRequest:
    """What ``offer`` and ``answer`` have in common; None is "not said"."""

    origin: Origin
    call_id: str
    # Of the party that made the offer, also in its answer.
    from_tag: str
    sdp: bytes
    # Of the other party: an answer needs it, an offer with it is a re-offer.
    to_tag: str | None = None
    # Tells the forks of an INVITE apart: each gets ports of its own. Without it they share.
    via_branch: str | None = None
    # Those that ``rpc.flags`` knows.
    flags: frozenset[str] = frozenset()
    # Parts of the session level to rewrite: ``origin``, ``session-connection``, ``sdp-version``,
    # ``force-increment-sdp-ver``; others are for audio.
    replace: frozenset[str] = frozenset()
    # Names of interfaces: the side the message came from, and the one it goes to.
    from_interface: str | None = None
    to_interface: str | None = None
    # Told to the recipient instead of the interface's own address: an address or a host name, read
    # by ``advertisable``, because it goes into the SDP as it is.
    media_address: str | None = None
    # Of the relay's address in the SDP that the recipient gets.
    address_family: Family | None = None
    # What the recipient's section is to be; TLS is not served, which a ``warning`` says.
    transport_protocol: Transport | None = None
    # The SIP source as (family word, address).
    received_from: tuple[str, str] | None = None
    # 0-255; None leaves the sockets as they are.
    tos: int | None = None
    # A name of the sending party, and any text about the call: told by ``query`` and in events, and
    # never looked at.
    label: str | None = None
    metadata: str | None = None
    # From the answer on, neither peer is read (start), or both are again (stop).
    drop_traffic: Literal["start", "stop"] | None = None
    # False: the message's MSRP sections pass untouched, without state.
    relay: bool = True
    # What becomes of the paths; only the first offer of a section decides it.
    policy: Policy | None = None
    # The a=setup written into the SDP that this message returns.
    setup: SetupWord | None = None
    # Whose connections are taken: anybody's, of the address in the SDP, or of ``received_from``.
    source: SourceRule | None = None
    # Seconds that a session may be silent; 0 is for ever.
    idle: int | None = None
    # Taken up to limits.load-emergency.
    emergency: bool = False

    def sender(self) -> str:
        """The tag of the party whose message it is."""
        return self.from_tag


@dataclass(frozen=True, kw_only=True)
class Offer(SdpRequest):
    """``offer``: rewrite an offer towards the relay; with a known ``to_tag`` a re-offer."""


@dataclass(frozen=True, kw_only=True)
class Answer(SdpRequest):
    """``answer``: rewrite the answer to the pending offer of ``from_tag``, and commit both."""

    def sender(self) -> str:
        """The tag of the party whose message it is: an answer without one is refused."""
        return self.to_tag or self.from_tag


@dataclass(frozen=True, kw_only=True)
class Delete:
    """``delete``: end a call, one branch of it, or a pending re-offer of ``from_tag``."""

    origin: Origin
    call_id: str
    # Without tags the whole call is meant; with one, the call has to know it.
    from_tag: str | None = None
    to_tag: str | None = None
    # Of a branch: this one only, and none if it has left. A BYE has one of its own: it names none.
    via_branch: str | None = None
    # Of these, ``fatal`` and ``fast`` count.
    flags: frozenset[str] = frozenset()
    # Seconds for bytes in flight; None is the configured delay.
    delay: int | None = None
    # What a delete means while a re-offer of the same tag is pending; None is as configured.
    pending: PendingRule | None = None


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """``rollback``: the offer of ``from_tag`` was rejected, everything goes on as before it."""

    origin: Origin
    call_id: str
    from_tag: str
    # As in a Delete.
    via_branch: str | None = None


@dataclass(frozen=True)
class Query:
    """``query``: everything about one call, or about the branches that know a tag."""

    origin: Origin
    call_id: str
    from_tag: str | None = None
    to_tag: str | None = None
    # Also a call that has ended, as long as it is remembered.
    ended: bool = False


@dataclass(frozen=True)
class List:
    """``list``: the call-ids, at most ``limit`` of them."""

    origin: Origin
    limit: int


@dataclass(frozen=True)
class Terminate:
    """``terminate``: the operator ends a call at once, or all of them (``call_id`` None)."""

    origin: Origin
    call_id: str | None


@dataclass(frozen=True)
class Drain:
    """``drain``: take no new calls, or (``off``) take them again; the others go on."""

    origin: Origin
    off: bool = False


# The ng reply dictionary: str, bytes, int, list and dict inside; None is left out on the wire.
Reply: TypeAlias = dict[str, object]


class Commands(Protocol):
    """What the relay can be asked; all on one thread, none waits.

    A reply without ``result`` means ``ok``. A refusal is a CommandError (with a load reason where
    another relay should be tried); any other exception is a bug, which costs that one reply.
    """

    def offer(self, request: Offer) -> Reply:
        """Rewrite an offer: ``sdp``, perhaps ``warning``."""

    def answer(self, request: Answer) -> Reply:
        """Rewrite an answer and commit: ``sdp``, perhaps ``warning``."""

    def delete(self, request: Delete) -> Reply:
        """End a call: its last ``query`` reply if it fits, or a ``warning`` if there is none."""

    def rollback(self, request: Rollback) -> Reply:
        """Drop a pending offer; a ``warning`` if there is none."""

    def query(self, request: Query) -> Reply:
        """One call in rtpengine's layout, the relay's own detail under ``msrp``."""

    def list(self, request: List) -> Reply:
        """The call-ids under ``calls``."""

    def ping(self) -> Reply:
        """``result: pong``."""

    def statistics(self) -> Reply:
        """The relay's counters."""

    def terminate(self, request: Terminate) -> Reply:
        """The number of calls ended under ``terminated``."""

    def drain(self, request: Drain) -> Reply:
        """Refuse new calls from now on: ``draining`` and the number of ``calls`` that go on."""

    def upgrade(self) -> Reply:
        """Start a successor from what is on disk; ``statistics`` tells what became of it."""

    def limits(self) -> Reply:
        """Every limit and timer under ``limits``: key, value, unit, what, refusals."""
