"""TCP, UDP and ICMP out of captured frames: IPv4, IPv6, fragments put together.

Peers' and files' bytes may be anything: what cannot be decoded is None, never an exception.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from .capture import Frame
from .linktypes import IPV4, IPV6, network

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
ICMP_HEAD, IPV6_HEAD = 8, 40
EXTENSIONS = frozenset({0, 43, 60, 135})
"""IPv6 extension headers that may stand before the payload (RFC 8200 section 4)."""

FRAGMENT6 = 44
MAX_EXTENSIONS = 8
MAX_FRAGMENTED = 64
"""Datagrams whose fragments may wait for the rest; the oldest gives way."""

FRAGMENT_SECONDS = 30.0
"""How long they may wait: senders use an identification again. Hosts wait 60 s (RFC 8200, 4.5)."""

MAX_DATAGRAM, MAX_PIECES = 65_535, 128
"""Bytes and fragments of one datagram: the smallest links that IPv4 knows of need 119."""

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

CHECKSUM_OK, CHECKSUM_BAD, CHECKSUM_UNKNOWN = "ok", "bad", "unknown"


class TcpPacket(NamedTuple):
    """One TCP segment; ``length`` is what was sent, ``payload`` what was captured of it."""

    number: int
    time: float
    src: bytes
    dst: bytes
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes
    length: int
    ttl: int
    ip_id: int
    checksum: str


class Datagram(NamedTuple):
    """One UDP datagram, put together again if it came in fragments."""

    number: int
    time: float
    src: bytes
    dst: bytes
    sport: int
    dport: int
    payload: bytes


class TooBig(NamedTuple):
    """ICMP "fragmentation needed" or "packet too big" about a packet that went to ``to``."""

    number: int
    time: float
    to: bytes


class Unreachable(NamedTuple):
    """ICMP "unreachable" about a UDP datagram: its own source and destination."""

    number: int
    time: float
    src: bytes
    dst: bytes
    sport: int
    dport: int


Packet = TcpPacket | Datagram | TooBig | Unreachable


class _Ip(NamedTuple):
    src: bytes
    dst: bytes
    protocol: int
    payload: bytes
    length: int
    ttl: int
    identity: int


class Decoder:
    """Frames to packets; holds nothing but fragments that wait for their rest."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, bytes, int, int], _Pieces] = {}

    def decode(self, frame: Frame) -> Packet | None:
        """The packet in ``frame``; None for anything that is not TCP, UDP or an ICMP complaint."""
        try:
            ip = self._network(frame)
            return None if ip is None else _transport(frame, ip)
        except (struct.error, IndexError):
            return None

    def _network(self, frame: Frame) -> _Ip | None:
        kind, offset = network(frame.linktype, frame.data)
        if kind == IPV4:
            return self._ipv4(frame.data, offset, frame.time)
        if kind == IPV6:
            return self._ipv6(frame.data, offset, frame.time)
        return None

    def _ipv4(self, data: bytes, at: int, time: float) -> _Ip | None:
        first, total, identity, where, ttl, protocol = struct.unpack_from("!BxHHHBB", data, at)
        head = (first & 15) * 4
        if first >> 4 != 4 or head < 20:
            return None
        src, dst = data[at + 12 : at + 16], data[at + 16 : at + 20]
        # A capture taken before segmentation offload may say 0; the frame's own length counts.
        length = (total or len(data) - at) - head
        payload = data[at + head : at + head + max(length, 0)]
        if where & 0x3FFF:
            key = (src, dst, protocol, identity)
            pieces = self._pieces(key, time)
            whole = pieces.add((where & 0x1FFF) * 8, payload, bool(where & 0x2000))
            if whole is None:
                return None
            del self._waiting[key]
            payload, length = whole, len(whole)
        return _Ip(src, dst, protocol, payload, length, ttl, identity)

    def _ipv6(self, data: bytes, at: int, time: float) -> _Ip | None:
        first, length, protocol, ttl = struct.unpack_from("!BxxxHBB", data, at)
        if first >> 4 != 6:
            return None
        src, dst = data[at + 8 : at + 24], data[at + 24 : at + 40]
        start = at + 40
        end = start + length if length else len(data)
        for _ in range(MAX_EXTENSIONS):
            if protocol not in EXTENSIONS:
                break
            protocol, size = struct.unpack_from("!BB", data, start)
            start += size * 8 + 8
        payload = data[start:end]
        if protocol == FRAGMENT6:
            protocol, where, identity = struct.unpack_from("!BxHI", payload)
            key = (src, dst, protocol, identity)
            whole = self._pieces(key, time).add(where & 0xFFF8, payload[8:], bool(where & 1))
            if whole is None:
                return None
            del self._waiting[key]
            return _Ip(src, dst, protocol, whole, len(whole), ttl, 0)
        return _Ip(src, dst, protocol, payload, end - start, ttl, 0)

    def _pieces(self, key: tuple[bytes, bytes, int, int], time: float) -> _Pieces:
        """What waits of a datagram; nothing yet if it is new, or its pieces are too old."""
        pieces = self._waiting.get(key)
        if pieces is not None and time - pieces.since <= FRAGMENT_SECONDS:
            return pieces
        self._waiting.pop(key, None)
        if len(self._waiting) >= MAX_FRAGMENTED:
            del self._waiting[next(iter(self._waiting))]
        pieces = self._waiting[key] = _Pieces(time)
        return pieces


class _Pieces:
    """The fragments of one datagram; ``since`` is when the first one came."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._parts: dict[int, bytes] = {}
        self._bytes = 0
        self._end: int | None = None

    def add(self, offset: int, piece: bytes, more: bool) -> bytes | None:
        """Take a fragment; give the datagram if that was its last one."""
        known = self._parts.get(offset)
        total = self._bytes + len(piece) - len(known or b"")
        full = known is None and len(self._parts) >= MAX_PIECES
        if full or max(total, offset + len(piece)) > MAX_DATAGRAM:
            return None
        self._parts[offset], self._bytes = piece, total
        if not more:
            self._end = offset + len(piece)
        return None if self._end is None or total < self._end else self._joined()

    def _joined(self) -> bytes | None:
        whole = bytearray()
        for start, part in sorted(self._parts.items()):
            if start > len(whole):
                return None
            whole[start:] = part
        return bytes(whole) if len(whole) == self._end else None


def _transport(frame: Frame, ip: _Ip) -> Packet | None:
    if ip.protocol == TCP:
        return _tcp(frame, ip)
    if ip.protocol == UDP:
        sport, dport = struct.unpack_from("!HH", ip.payload)
        return Datagram(
            frame.number, frame.time, ip.src, ip.dst, sport, dport, bytes(ip.payload[8:])
        )
    if ip.protocol == ICMP and ip.payload[:1] == b"\x03":
        return _icmp(frame, ip.payload)
    if ip.protocol == ICMP6 and ip.payload[:1] in (b"\x01", b"\x02"):
        return _icmp6(frame, ip.payload)
    return None


def _icmp(frame: Frame, data: bytes) -> TooBig | Unreachable | None:
    src, dst = data[20:24], data[24:28]
    if data[1] == 4:
        return TooBig(frame.number, frame.time, dst)
    head = (data[ICMP_HEAD] & 15) * 4
    if data[17] != UDP:
        return None
    ports = struct.unpack_from("!HH", data, ICMP_HEAD + head)
    return Unreachable(frame.number, frame.time, src, dst, *ports)


def _icmp6(frame: Frame, data: bytes) -> TooBig | Unreachable | None:
    src, dst = data[16:32], data[32:48]
    if data[0] == 2:
        return TooBig(frame.number, frame.time, dst)
    if data[14] != UDP:
        return None
    ports = struct.unpack_from("!HH", data, ICMP_HEAD + IPV6_HEAD)
    return Unreachable(frame.number, frame.time, src, dst, *ports)


def _tcp(frame: Frame, ip: _Ip) -> TcpPacket | None:
    data = ip.payload
    sport, dport, seq, ack, where, flags, window = struct.unpack_from("!HHIIBBH", data)
    head = (where >> 4) * 4
    if head < 20 or len(data) < head:
        return None
    return TcpPacket(
        frame.number,
        frame.time,
        ip.src,
        ip.dst,
        sport,
        dport,
        seq,
        ack,
        flags,
        window,
        data[20:head],
        data[head:],
        max(ip.length - head, 0),
        ip.ttl,
        ip.identity,
        _checksum(ip),
    )


def _checksum(ip: _Ip) -> str:
    """Whether the TCP checksum holds; a partial one left by offload cannot be judged.

    Ones' complement addition is arithmetic modulo 65535, so that one big integer does it.
    """
    data = ip.payload
    if len(data) != ip.length:
        return CHECKSUM_UNKNOWN
    pseudo = ip.src + ip.dst + struct.pack("!II", len(data), TCP)
    even = data if len(data) % 2 == 0 else data + b"\0"
    head = int.from_bytes(pseudo, "big") % 0xFFFF
    if (head + int.from_bytes(even, "big")) % 0xFFFF == 0:
        return CHECKSUM_OK
    stored = int.from_bytes(data[16:18], "big")
    return CHECKSUM_UNKNOWN if stored % 0xFFFF == head or stored == 0 else CHECKSUM_BAD


@lru_cache(maxsize=4096)
def address(raw: bytes) -> str:
    """``raw`` (4 or 16 bytes) as text; IPv4-mapped IPv6 as IPv4, for one name per host."""
    try:
        parsed = ip_address(raw)
    except ValueError:
        return "?"
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
