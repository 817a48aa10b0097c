"""Cases: the dialogs and connections that belong to one call, through a B2BUA or not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..errors import UriError
from ..framing import Chunk
from ..net.uri import Uri
from .hosts import Endpoint
from .legs import Leg, Pair, pair_legs, pair_silent
from .media import Media
from .msrp import At, Transaction
from .sip import Dialog
from .tracker import AFTER_SECONDS, BEFORE_SECONDS, MSRP_PORTS, Link, Protocol, Tracker

CALLING = frozenset({"INVITE", "BYE"})
"""Methods by which a call is known; one of which only the end was captured has no INVITE."""


class Said(NamedTuple):
    """A request, and the connection it was seen on."""

    link: Link
    request: Transaction

    def earlier(self, than: Transaction) -> bool:
        """Whether it was seen before ``than``: towards the sender."""
        return self.request.begin.number < than.begin.number


@dataclass(frozen=True)
class Case:
    """One call: its dialogs in order of time, its MSRP connections, the legs among them.

    ``start`` and ``end`` are those of the capture, in seconds since 1970.
    """

    dialogs: tuple[Dialog, ...]
    links: tuple[Link, ...]
    pairs: tuple[Pair, ...]
    start: float
    end: float
    tcp_captured: bool = True
    too_big_to: frozenset[str] = field(default_factory=frozenset)
    unreachable: Mapping[tuple[Endpoint, Endpoint], list[At]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more can come: calls ended, connections closed, and some time passed."""
        quiet = self.end - AFTER_SECONDS
        if any(d.ended is None for d in self.calls) or any(d.last >= quiet for d in self.dialogs):
            return False
        return all(
            link.tcp.last < quiet and (link.tcp.closed or self.dialogs) for link in self.links
        )

    @cached_property
    def calls(self) -> list[Dialog]:
        """The dialogs that are calls: pings (OPTIONS), registrations and pages are none."""
        return [d for d in self.dialogs if CALLING & {t.method for t in d.transactions.values()}]

    @property
    def idle(self) -> bool:
        """Whether there is neither a call nor a connection: nothing to be judged."""
        return not self.calls and not self.links

    @cached_property
    def media(self) -> list[Media]:
        """Every session description of the call, by packet."""
        found = [media for dialog in self.dialogs for media in dialog.media]
        return sorted(found, key=lambda media: media.number)

    @cached_property
    def middle(self) -> frozenset[str]:
        """Hosts that stand between the parties."""
        relays = {leg.relay_end.host for pair in self.pairs for leg in (pair.a, pair.b)}
        if len(self.dialogs) > 1:
            relays |= {dialog.callee.host for dialog in self.dialogs[:-1]}
        return frozenset(relays | (self.proxies & self._media_hosts))

    @cached_property
    def proxies(self) -> frozenset[str]:
        """Hosts that pass the signalling on; one that has a hand in the chat is a relay too."""
        return frozenset().union(*(dialog.proxies for dialog in self.dialogs))

    @property
    def _media_hosts(self) -> set[str]:
        named = {media.address.host for media in self.media if media.address is not None}
        return named | {end.host for link in self.links for end in link.tcp.ends}

    @cached_property
    def roles(self) -> dict[str, str]:
        """Host → what it is in this call."""
        found = {host: "relay" for host in self.middle}
        for host in self.proxies:
            found.setdefault(host, "proxy")
        if self.dialogs:
            found.setdefault(self.dialogs[-1].callee.host, "callee")
            found.setdefault(self.dialogs[0].caller.host, "caller")
        return found

    def name(self, host: str) -> str:
        """``host`` with its role in this call, for a sentence."""
        return f"{self.roles.get(host, 'host')} {host}"

    def party(self, link: Link, side: int) -> str:
        """One end of a connection, for a sentence; by its port where both ends are one host."""
        end, other = link.tcp.ends[side], link.tcp.ends[1 - side]
        if end.host != other.host:
            return self.name(end.host)
        leg = self.leg(link)
        role = "end" if leg is None else "party" if leg.outer == side else "relay"
        return f"{role} {end}"

    def who(self, leg: Leg) -> str:
        """The party of a leg, for a sentence."""
        return self.party(leg.link, leg.outer)

    def owned(self, host: str) -> list[Media]:
        """Descriptions that ``host`` sent, or that name it as their address."""
        return [
            media
            for media in self.media
            if media.message.src.host == host
            or (media.address is not None and media.address.host == host)
        ]

    def leg(self, link: Link) -> Leg | None:
        """The leg that ``link`` is, if it is one of a pair."""
        legs = (leg for pair in self.pairs for leg in (pair.a, pair.b))
        return next((leg for leg in legs if leg.link is link), None)

    def other_leg(self, link: Link) -> Leg | None:
        """The leg on the far side of the middlebox."""
        ways = (way for pair in self.pairs for way in pair.ways)
        return next((other for one, other in ways if one.link is link), None)

    def twin(self, link: Link, request: Transaction) -> Said | None:
        """The same request on the other leg: as it came to the middlebox, or as it was passed on.

        None where there is no other leg, or the request was not seen there.
        """
        leg, other = self.leg(link), self.other_leg(link)
        if leg is None or other is None:
            return None
        side = 1 - other.outer if request.side == leg.outer else other.outer
        found = self._requests.get((id(other.link), side, request.tid))
        return None if found is None else Said(other.link, found)

    def under_way(self, link: Link, request: Transaction) -> tuple[Leg, Chunk] | None:
        """The other leg, and what the middlebox is still passing on there.

        That is the request itself, or one that came before it.
        """
        leg, other = self.leg(link), self.other_leg(link)
        if leg is None or other is None or request.side != leg.outer:
            return None
        begun = other.link.msrp.unfinished(1 - other.outer)
        if begun is None:
            return None
        came = self._requests.get((id(link), request.side, begun[0].tid))
        before = came is not None and came.begin.number <= request.begin.number
        return (other, begun[0]) if before else None

    def copied(self, link: Link, side: int) -> tuple[Link, int] | None:
        """Where the middlebox has the words of ``side`` from: (link, side); None if from nobody."""
        leg, other = self.leg(link), self.other_leg(link)
        passes_on = leg is not None and other is not None and side != leg.outer
        return (other.link, other.outer) if passes_on and other is not None else None

    @cached_property
    def _requests(self) -> dict[tuple[int, int, str], Transaction]:
        return {(id(k), t.side, t.tid): t for k in self.links for t in k.msrp.transactions}


def build_cases(tracker: Tracker) -> list[Case]:
    """Sort everything seen into cases, in order of their first packet."""
    dialogs = list(tracker.dialogs.values())
    links = [link for link in tracker.all_links if not _hopeless(link)]
    groups = _Groups([*dialogs, *links])
    _join_dialogs(dialogs, groups)
    reached = _join_links(dialogs, links, groups)
    pairs = pair_legs([link for link in links if _relevant(link, reached)])
    for pair in pairs:
        groups.join(pair.a.link, pair.b.link)
    paired = {id(leg.link) for pair in pairs for leg in (pair.a, pair.b)}
    wanted: list[Dialog | Link] = [
        *dialogs,
        *(x for x in links if _relevant(x, reached) or id(x) in paired),
    ]
    by_link = {id(pair.a.link): pair for pair in pairs}
    return [_case(members, by_link, tracker) for members in groups.of(wanted)]


def _case(members: list[Dialog | Link], pairs: dict[int, Pair], tracker: Tracker) -> Case:
    links = [thing for thing in members if isinstance(thing, Link)]
    legs = [pairs[id(link)] for link in links if id(link) in pairs] or pair_silent(links[:2])
    return Case(
        tuple(sorted((t for t in members if isinstance(t, Dialog)), key=lambda d: d.start)),
        tuple(sorted(links, key=lambda link: link.tcp.first_number)),
        tuple(legs),
        tracker.start,
        tracker.last,
        tracker.tcp_packets > 0,
        frozenset(tracker.too_big_hosts),
        tracker.unreachable,
    )


def _hopeless(link: Link) -> bool:
    """A SIP connection is no media; its messages are in the dialogs."""
    return link.protocol is Protocol.SIP


def _relevant(link: Link, reached: set[int]) -> bool:
    if link.protocol is Protocol.MSRP or id(link) in reached:
        return True
    return link.protocol is Protocol.TLS and link.tcp.ends[1].port in MSRP_PORTS


def _join_dialogs(dialogs: list[Dialog], groups: _Groups) -> None:
    """Two dialogs that name the same session-id at the same time are legs of a call, if a B2BUA
    was called in the first and calls in the second.

    That is asked because some stacks have session-ids of four characters, and load generators have
    one for all calls.
    """
    called: dict[tuple[str, str], Dialog] = {}
    for dialog in dialogs:
        names = {name for media in dialog.media for name in media.session_ids}
        callers, callees = _ends(dialog)
        found = (called.get((name, place)) for name in names for place in callers)
        before = next((d for d in found if d is not None and _overlap(d, dialog)), None)
        if before is not None:
            groups.join(before, dialog)
        called |= {(name, place): dialog for name in names for place in callees}


def _ends(dialog: Dialog) -> tuple[set[str], set[str]]:
    """Who calls, who is called; by the port alone where both are one host.

    In a dialog that was joined late either may be either.
    """
    ends = (dialog.caller, dialog.callee)
    apart = ends[0].host != ends[1].host
    calls, called = ({str(end)} | ({end.host} if apart else set()) for end in ends)
    if dialog.initial is None:
        calls = called = calls | called
    return calls, called


def _overlap(one: Dialog, other: Dialog) -> bool:
    return one.start <= other.last + AFTER_SECONDS and other.start <= one.last + AFTER_SECONDS


def _join_links(dialogs: list[Dialog], links: list[Link], groups: _Groups) -> set[int]:
    """Join connections with the call that named their address or session; give those joined."""
    by_address: dict[Endpoint, list[Dialog]] = {}
    by_session: dict[str, list[Dialog]] = {}
    for dialog in sorted(dialogs, key=lambda d: d.start):
        for end in {end for media in dialog.media for end in media.addresses}:
            by_address.setdefault(end, []).append(dialog)
        for name in {name for media in dialog.media for name in media.session_ids}:
            by_session.setdefault(name, []).append(dialog)
    reached: set[int] = set()
    for link in links:
        named = [by_address[end] for end in link.tcp.ends if end in by_address]
        known = [by_session[name] for name in _sessions(link) if name in by_session]
        if timely := [d for rows in named or known if (d := _latest(rows, link)) is not None]:
            groups.join(link, max(timely, key=lambda d: d.start))
            reached.add(id(link))
    return reached


def _latest(dialogs: list[Dialog], link: Link) -> Dialog | None:
    """The dialog, of some in order of time, that the connection may belong to: the last before it.

    One that begins later comes into question only when there is none.
    """
    begun = bisect_right(dialogs, link.tcp.start + BEFORE_SECONDS, key=lambda d: d.start)
    nearest = (*reversed(dialogs[:begun]), *dialogs[begun:])
    return next((d for d in nearest if _during(link, d)), None)


def _during(link: Link, dialog: Dialog) -> bool:
    """Whether the connection may be of the call; either may be older than the capture."""
    earliest = dialog.start - BEFORE_SECONDS
    if dialog.ended is not None and link.tcp.start > dialog.ended + AFTER_SECONDS:
        return False
    if dialog.initial is None or not link.tcp.begun:
        return not link.tcp.closed or link.tcp.last >= earliest
    return link.tcp.start >= earliest


def _sessions(link: Link) -> Iterable[str]:
    for transaction in link.msrp.transactions[:4]:
        for text in transaction.to_path[:1] + transaction.from_path[:1]:
            uri = read_uri(text)
            if uri is not None and uri.session_id:
                yield uri.session_id


def read_uri(text: str) -> Uri | None:
    """``text`` as an MSRP URI; None if it is none."""
    try:
        return Uri.parse(text)
    except UriError:
        return None


class _Groups:
    """Union of things by identity."""

    def __init__(self, things: list[Dialog | Link]) -> None:
        self._parent = {id(thing): id(thing) for thing in things}

    def join(self, one: Dialog | Link, other: Dialog | Link) -> None:
        self._parent[self._root(id(one))] = self._root(id(other))

    def of(self, things: list[Dialog | Link]) -> list[list[Dialog | Link]]:
        """The groups among ``things``, in their order."""
        found: dict[int, list[Dialog | Link]] = {}
        for thing in things:
            found.setdefault(self._root(id(thing)), []).append(thing)
        return list(found.values())

    def _root(self, key: int) -> int:
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key
