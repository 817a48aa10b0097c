"""From packets to connections and dialogs: who talks what with whom, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .hosts import Endpoint
from .msrp import MAGIC, At, Conversation
from .packets import SYN, Datagram, Packet, TcpPacket, Unreachable, address
from .sip import Dialog
from .sip_message import looks_like_sip, parse_message, split_stream
from .streams import Piece
from .tcp import Connection

MAX_LINKS, MAX_DIALOGS, MAX_SEGMENTS = 2_000, 1_000, 60_000
"""What may be in memory before finished calls are judged and dropped."""

BEFORE_SECONDS, AFTER_SECONDS = 5.0, 40.0
"""How long before a call's first and after its last message a connection may still be its own."""

SEGMENTS_EACH, SEGMENTS_HARD = 3_000, 120_000
"""Segments remembered per connection, and in all connections whatever happens."""

HARD = 4
"""How many times the limits above may be passed by calls that are all still going on."""

SNIFFED = 16
UNCLEAR_BYTES = 1 << 18
"""Bytes from amid a stream after which a connection without a beginning is no MSRP."""

MSRP_PORTS = frozenset({2855, 2856})
"""RFC 4975 section 15.4: recommended, so a TLS connection to them is taken for MSRP."""

MAX_COMPLAINTS = 1_000
"""Hosts of whom ICMP complained, and complaints kept of each."""

IPV6_BYTES = 16
DUPLICATE_SECONDS = 0.0005
"""Copies of one packet on two interfaces of a host are this close; retransmissions are not."""


class Protocol(Enum):
    """What the first bytes of a connection are."""

    UNKNOWN = "nothing sent"
    MSRP = "MSRP"
    SIP = "SIP"
    TLS = "TLS"
    OTHER = "something else"


class Link:
    """A TCP connection with what was heard on it."""

    def __init__(self, tcp: Connection) -> None:
        self.tcp = tcp
        self.protocol = Protocol.UNKNOWN
        self.first_bytes = b""
        self.first_side = 0
        self.msrp = Conversation()
        self._unclear = 0
        self._sip_rest = [b"", b""]

    @property
    def stranger(self) -> bool:
        """Whether it speaks neither MSRP nor anything that may hide it."""
        foreign = self.protocol in (Protocol.OTHER, Protocol.SIP)
        unclear = self.protocol is Protocol.UNKNOWN and self._unclear > 0
        return foreign or (unclear and self.tcp.closed)

    def heard_out(self, side: int) -> bool:
        """Whether everything that ``side`` sent after the last chunk known was captured."""
        direction = self.tcp.directions[side]
        heard = direction.stream.next
        # An ACK of one byte more may be that of a FIN.
        lacking = heard < direction.next or heard + 1 < direction.claimed
        return not lacking and not self.msrp.halves[side].adrift

    def sniff(self, side: int, piece: Piece) -> None:
        """Look at the first bytes of either side; MSRP on any side wins.

        Bytes from amid a stream, whose beginning was not captured, prove nothing for a while.
        """
        data, begins = piece.data, self._begins(side, piece)
        if begins and not self.first_bytes:
            self.first_bytes, self.first_side = data[:SNIFFED], side
        if data.startswith(MAGIC):
            self.protocol = Protocol.MSRP
        elif self.protocol is Protocol.UNKNOWN:
            found = _protocol(data)
            self._unclear += 0 if begins else len(data)
            if begins or found is Protocol.SIP or self._unclear > UNCLEAR_BYTES:
                self.protocol = found

    def _begins(self, side: int, piece: Piece) -> bool:
        """Whether these are the very first bytes of ``side``."""
        return piece.offset == 0 and not piece.hole and bool(self.tcp.directions[side].syns)

    def hear(self, side: int, piece: Piece) -> None:
        """Take bytes of a side that may be MSRP."""
        if self.protocol is not Protocol.MSRP:
            self.sniff(side, piece)
        late = piece.offset == 0 and not self._begins(side, piece)
        if late or self.protocol is not Protocol.MSRP:
            self.msrp.join_late(side)
        if self.protocol is Protocol.MSRP:
            self.msrp.feed(side, piece)

    def sip_messages(self, side: int, data: bytes) -> list[bytes]:
        """Whole SIP messages that ``data`` completes."""
        messages, self._sip_rest[side] = split_stream(self._sip_rest[side] + data)
        return messages


class Tracker:
    """All connections and dialogs of one capture."""

    def __init__(self) -> None:
        self.links: dict[tuple[bytes, bytes, int, int], Link] = {}
        self.finished: list[Link] = []
        self.dialogs: dict[str, Dialog] = {}
        self.too_big_hosts: set[str] = set()
        self.unreachable: dict[tuple[Endpoint, Endpoint], list[At]] = {}
        self.tcp_packets = 0
        self.start = self.last = 0.0
        self.packets = 0
        self._segments = 0
        self._strangers = 0
        self._swept = (0, 0, 0)
        self._before: TcpPacket | None = None
        self._datagram_before: Datagram | None = None

    @property
    def crowded(self) -> bool:
        """Whether it is time to judge what is finished, half a limit after the last time."""
        before = self._swept
        limits = (MAX_LINKS, MAX_DIALOGS, MAX_SEGMENTS)
        pairs = zip(self._load, before, limits, strict=True)
        return any(load > max(limit, swept + limit // 2) for load, swept, limit in pairs)

    @property
    def overfull(self) -> bool:
        """Whether something must go although nothing is finished."""
        links, dialogs, _ = self._load
        return links - self._strangers > HARD * MAX_LINKS or dialogs > HARD * MAX_DIALOGS

    @property
    def _load(self) -> tuple[int, int, int]:
        return len(self.links) + len(self.finished), len(self.dialogs), self._segments

    def forget(self, dialogs: Iterable[Dialog], links: Iterable[Link]) -> None:
        """Drop calls that have been judged; note how full it stays."""
        for dialog in dialogs:
            self.dialogs.pop(dialog.call_id, None)
        self._drop({id(link) for link in links})
        self._swept = self._load

    def forget_strangers(self, known: Iterable[Link]) -> None:
        """Drop connections that are not ``known`` to belong to a call, and hardly ever will.

        A young one may be named by a description still to come: there is room for MAX_LINKS.
        """
        belong = {id(link) for link in known}
        others = [link for link in self.all_links if id(link) not in belong]
        others.sort(key=lambda link: (self._strange(link), -link.tcp.last))
        stay = [link for link in others[:MAX_LINKS] if not self._strange(link)]
        self._strangers = len(stay)
        self._drop({id(link) for link in others} - {id(link) for link in stay})

    def _strange(self, link: Link) -> bool:
        """Whether a connection that no call has named so far can be let go."""
        quiet = self.last - link.tcp.last
        if link.protocol is Protocol.OTHER or quiet > AFTER_SECONDS:
            return True
        if link.protocol is Protocol.TLS:  # web traffic, or it would go to an MSRP port
            return self.last - link.tcp.start > BEFORE_SECONDS
        return link.tcp.closed and quiet > BEFORE_SECONDS

    def _drop(self, gone: set[int]) -> None:
        for link in self.all_links:
            if id(link) in gone:
                self._segments -= len(link.tcp.segments)
        self.finished = [link for link in self.finished if id(link) not in gone]
        self.links = {key: link for key, link in self.links.items() if id(link) not in gone}

    @property
    def all_links(self) -> list[Link]:
        """Every connection still in memory, by its first packet."""
        return sorted(
            [*self.finished, *self.links.values()], key=lambda link: link.tcp.first_number
        )

    def take(self, packet: Packet) -> None:
        """Take the next packet of the capture."""
        if self.packets == 0:
            self.start = packet.time
        self.packets += 1
        self.last = max(self.last, packet.time)
        if isinstance(packet, TcpPacket):
            self._tcp(packet)
        elif isinstance(packet, Datagram):
            self._datagram(packet)
        elif isinstance(packet, Unreachable):
            self._unreachable(packet)
        elif len(self.too_big_hosts) < MAX_COMPLAINTS:
            self.too_big_hosts.add(address(packet.to))

    def finish(self) -> None:
        """The capture has ended: what waited behind holes is read now."""
        for link in self.all_links:
            for side, direction in enumerate(link.tcp.directions):
                for piece in direction.stream.flush():
                    self._hear(link, side, piece)

    def _unreachable(self, packet: Unreachable) -> None:
        src = Endpoint(address(packet.src), packet.sport)
        dst = Endpoint(address(packet.dst), packet.dport)
        if len(self.unreachable) < MAX_COMPLAINTS:
            seen = self.unreachable.setdefault((src, dst), [])
            del seen[:-MAX_COMPLAINTS]
            seen.append(At(packet.number, packet.time))

    def _datagram(self, packet: Datagram) -> None:
        data, before = packet.payload, self._datagram_before
        self._datagram_before = packet
        if not looks_like_sip(data) or _same_datagram(packet, before):
            return
        src = Endpoint(address(packet.src), packet.sport)
        dst = Endpoint(address(packet.dst), packet.dport)
        self._sip(data, packet.number, packet.time, src, dst, "UDP")

    def _sip(
        self, data: bytes, number: int, time: float, src: Endpoint, dst: Endpoint, transport: str
    ) -> None:
        message = parse_message(data, number, time, src, dst, transport)
        if message is None:
            return
        dialog = self.dialogs.get(message.call_id)
        if dialog is None:
            dialog = self.dialogs[message.call_id] = Dialog(message)
        dialog.add(message)

    def _tcp(self, packet: TcpPacket) -> None:
        if _same_packet(packet, self._before):
            return  # captured on two interfaces of the same host
        self._before = packet
        self.tcp_packets += 1
        link = self._link(packet)
        if link.protocol is Protocol.OTHER:
            return
        tcp = link.tcp
        keep = len(tcp.segments) < SEGMENTS_EACH and self._segments < SEGMENTS_HARD
        keep = keep and link.protocol is not Protocol.SIP
        heard = tcp.observe(packet, keep)
        self._segments += keep
        for side, piece in heard:
            self._hear(link, side, piece)

    def _hear(self, link: Link, side: int, piece: Piece) -> None:
        link.hear(side, piece)
        if link.protocol is Protocol.SIP:
            ends = link.tcp.ends
            for data in link.sip_messages(side, piece.data):
                self._sip(data, piece.number, piece.time, ends[side], ends[1 - side], "TCP")
        if link.stranger:
            self._forget_segments(link)

    def _link(self, packet: TcpPacket) -> Link:
        key = (packet.src, packet.dst, packet.sport, packet.dport)
        link = self.links.get(key)
        if link is None:
            key = (packet.dst, packet.src, packet.dport, packet.sport)
            link = self.links.get(key)
        if link is not None and not _begins_anew(link.tcp, packet):
            return link
        if link is not None:
            self.finished.append(self.links.pop(key))
        link = Link(_connection(packet))
        self.links[(packet.src, packet.dst, packet.sport, packet.dport)] = link
        return link

    def _forget_segments(self, link: Link) -> None:
        self._segments -= len(link.tcp.segments)
        link.tcp.segments_dropped += len(link.tcp.segments)
        link.tcp.segments = []


def _protocol(data: bytes) -> Protocol:
    if data[:2] == b"\x16\x03":
        return Protocol.TLS
    return Protocol.SIP if looks_like_sip(data) else Protocol.OTHER


def _begins_anew(tcp: Connection, packet: TcpPacket) -> bool:
    """Whether a SYN opens another connection with the same addresses and ports."""
    if not packet.flags & SYN or packet.flags & 16:
        return False
    ours = tcp.directions[tcp.side_of(packet)]
    same = ours.isn == packet.seq or not ours.sent
    return not same and (tcp.closed or bool(ours.syns) or ours.data_segments > 0)


def _connection(packet: TcpPacket) -> Connection:
    src = Endpoint(address(packet.src), packet.sport)
    dst = Endpoint(address(packet.dst), packet.dport)
    answers = packet.flags & SYN and packet.flags & 16
    # Without a SYN the lower port is taken for the server's.
    reply = bool(answers) or (not packet.flags & SYN and packet.sport < packet.dport)
    return Connection(packet, dst, src) if reply else Connection(packet, src, dst)


def _same_packet(packet: TcpPacket, before: TcpPacket | None) -> bool:
    """Whether this is the packet just seen, captured once more: same bytes and IP identity.

    IPv6 has no identity, and Linux gives a SYN-ACK none: time alone tells them from a repeat.
    """
    return (
        before is not None
        and packet.time - before.time < DUPLICATE_SECONDS
        and (packet.ip_id != 0 or len(packet.src) == IPV6_BYTES or bool(packet.flags & SYN))
        and packet.ip_id == before.ip_id
        and packet[2:9] == before[2:9]
        and packet.length == before.length
        and packet.options == before.options
    )


def _same_datagram(packet: Datagram, before: Datagram | None) -> bool:
    """Whether this is the datagram just seen; SIP repeats none before half a second."""
    if before is None or packet.time - before.time >= DUPLICATE_SECONDS:
        return False
    return packet[2:] == before[2:]
