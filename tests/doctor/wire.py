"""Packets made by hand: Ethernet, IPv4 and IPv6, UDP and TCP, whole calls, pcap files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from msrprelay.doctor.analysis import Diagnosis, diagnose
from msrprelay.doctor.capture import Frame
from msrprelay.doctor.cases import build_cases
from msrprelay.doctor.finding import Finding
from msrprelay.doctor.packets import Decoder
from msrprelay.doctor.tracker import Tracker

SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8
START = 1_700_000_000.0
ETHERNET = 1


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(src: str, dst: str, protocol: int, payload: bytes, ttl: int = 64) -> bytes:
    one, other = ip_address(src), ip_address(dst)
    if one.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl)
        return head + one.packed + other.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0)
    head += one.packed + other.packed
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def fragment(
    src: str, dst: str, protocol: int, identity: int, offset: int, piece: bytes, *, more: bool
) -> bytes:
    """A piece of an IPv4 datagram; its header's checksum is not that of the fragment."""
    head = bytearray(ip_packet(src, dst, protocol, piece)[:20])
    head[4:8] = struct.pack("!HH", identity, offset // 8 | (0x2000 if more else 0))
    return bytes(head) + piece


def tcp_segment(
    src: tuple[str, int],
    dst: tuple[str, int],
    flags: int,
    seq: int,
    ack: int = 0,
    payload: bytes = b"",
    options: bytes = b"",
    window: int = 64240,
    ttl: int = 64,
    broken: bool = False,
) -> bytes:
    options += b"\0" * (-len(options) % 4)
    head = struct.pack(
        "!HHIIBBHHH",
        src[1],
        dst[1],
        seq % 2**32,
        ack % 2**32,
        (20 + len(options)) // 4 << 4,
        flags,
        window,
        0,
        0,
    )
    segment = head + options + payload
    addresses = ip_address(src[0]).packed + ip_address(dst[0]).packed
    total = checksum(addresses + struct.pack("!II", len(segment), 6) + segment)
    total = total ^ 0x5555 if broken else total
    return ip_packet(src[0], dst[0], 6, segment[:16] + struct.pack("!H", total) + segment[18:], ttl)


def udp_datagram(src: tuple[str, int], dst: tuple[str, int], payload: bytes) -> bytes:
    head = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0)
    return ip_packet(src[0], dst[0], 17, head + payload)


def ethernet(packet: bytes, vlans: Sequence[int] = ()) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + tags + struct.pack("!H", kind) + packet


def stamps(tsval: int, tsecr: int = 0) -> bytes:
    return b"\x01\x01\x08\x0a" + struct.pack("!II", tsval % 2**32, tsecr % 2**32)


def mss(size: int) -> bytes:
    return b"\x02\x04" + struct.pack("!H", size)


def scale(shift: int) -> bytes:
    return b"\x01\x03\x03" + bytes([shift])


SACK_PERMITTED = b"\x01\x01\x04\x02"


def sack(*edges: tuple[int, int]) -> bytes:
    blocks = b"".join(struct.pack("!II", a % 2**32, b % 2**32) for a, b in edges)
    return b"\x01\x01\x05" + bytes([2 + len(blocks)]) + blocks


class Wire:
    """Packets in order of time, in seconds since START."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self.now = 0.0

    def put(self, packet: bytes, at: float | None = None) -> int:
        """Add an IP packet ``at`` (default: 1 ms after the last); give its number."""
        self.now = self.now + 0.001 if at is None else at
        self.frames.append((self.now, ethernet(packet)))
        return len(self.frames)

    def save(self, path: Path) -> Path:
        path.write_bytes(pcap(self.frames))
        return path


def pcap(
    frames: Sequence[tuple[float, bytes]],
    linktype: int = ETHERNET,
    sizes: Sequence[int] | None = None,
) -> bytes:
    """A file; ``sizes`` are the lengths on the wire where those of the frames are not."""
    rows = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, linktype)]
    for (time, data), size in zip(frames, sizes or [len(f[1]) for f in frames], strict=True):
        whole = round((START + time) * 1_000_000)
        rows.append(struct.pack("<IIII", whole // 1_000_000, whole % 1_000_000, len(data), size))
        rows.append(data)
    return b"".join(rows)


@dataclass
class Talk:
    """A TCP connection; offsets in the calls count data bytes, as the rules do."""

    wire: Wire
    client: tuple[str, int] = ("192.0.2.10", 40001)
    server: tuple[str, int] = ("192.0.2.20", 7654)
    isn: list[int] = field(default_factory=lambda: [1000, 900_000_000])
    next: list[int] = field(default_factory=lambda: [0, 0])

    def ends(self, side: int) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.client, self.server) if side == 0 else (self.server, self.client)

    def raw(
        self,
        side: int,
        flags: int = ACK,
        payload: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        at: float | None = None,
        options: bytes = b"",
        window: int = 64240,
        ttl: int = 64,
        broken: bool = False,
    ) -> int:
        """Any segment; ``seq`` and ``ack`` are data offsets (default: what comes next)."""
        src, dst = self.ends(side)
        offset = self.next[side] if seq is None else seq
        acked = self.next[1 - side] if ack is None else ack
        number = self.wire.put(
            tcp_segment(
                src,
                dst,
                flags,
                self.isn[side] + (0 if flags & SYN else 1) + offset,
                self.isn[1 - side] + 1 + acked if flags & ACK else 0,
                payload,
                options,
                window,
                ttl,
                broken,
            ),
            at,
        )
        self.next[side] = max(self.next[side], offset + len(payload))
        return number

    def open(self, at: float | None = None, options: bytes = b"", reply: bytes = b"") -> Talk:
        self.raw(0, SYN, at=at, options=options or mss(1460))
        self.raw(1, SYN | ACK, options=reply or options or mss(1460))
        self.raw(0)
        return self

    def send(self, side: int, payload: bytes, at: float | None = None, ack: bool = True) -> int:
        """Data, and its ACK."""
        number = self.raw(side, ACK | PSH, payload, at=at)
        if ack:
            self.raw(1 - side)
        return number

    def close(self, at: float | None = None) -> None:
        for side in (0, 1):
            self.raw(side, FIN | ACK, at=at if side == 0 else None)
            self.next[side] += 1
        self.raw(0)


A, B, SBC = "192.0.2.10", "192.0.2.20", "192.0.2.99"
PATH_A, PATH_B = f"msrp://{A}:2855/aaaa1111;tcp", f"msrp://{B}:7654/bbbb2222;tcp"


def send(
    tid: str,
    body: bytes | None = None,
    to: str = PATH_B,
    of: str = PATH_A,
    flag: str = "$",
    span: str | None = None,
    message: str = "m1",
    extra: str = "",
) -> bytes:
    """A SEND chunk; bodiless without ``body``."""
    span = span or (f"1-{len(body)}/{len(body)}" if body else "1-0/0")
    head = (
        f"MSRP {tid} SEND\r\nTo-Path: {to}\r\nFrom-Path: {of}\r\n"
        f"Message-ID: {message}\r\nByte-Range: {span}\r\n{extra}"
    ).encode()
    if body is not None:
        head += b"Content-Type: text/plain\r\n\r\n" + body + b"\r\n"
    return head + f"-------{tid}{flag}\r\n".encode()


def ok(tid: str, code: str = "200 OK", to: str = PATH_A, of: str = PATH_B) -> bytes:
    return (f"MSRP {tid} {code}\r\nTo-Path: {to}\r\nFrom-Path: {of}\r\n-------{tid}$\r\n").encode()


def sdp(
    host: str,
    port: int,
    path: str,
    setup: str | None = "active",
    *,
    version: int = 1,
    proto: str = "TCP/MSRP",
    types: str = "text/plain",
    cema: bool = False,
    connection: str | None = None,
) -> bytes:
    lines = [
        "v=0",
        f"o=- 77 {version} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {connection or host}",
        "t=0 0",
        f"m=message {port} {proto} *",
        f"a=accept-types:{types}",
        f"a=path:{path}",
        *([f"a=setup:{setup}"] if setup else []),
        *(["a=msrp-cema"] if cema else []),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


OFFER = sdp(A, 9, PATH_A.replace(":2855", ":9"), "active")
ANSWER = sdp(B, 7654, PATH_B, "passive")


@dataclass
class Call:
    """One SIP dialog over UDP."""

    wire: Wire
    caller: str = A
    callee: str = B
    call_id: str = "call-1"
    sip_ports: tuple[int, int] = (5060, 5060)

    def message(
        self,
        start: str,
        cseq: int,
        method: str,
        *,
        back: bool = False,
        body: bytes = b"",
        at: float | None = None,
        to_tag: str = ";tag=b",
        branch: str | None = None,
        extra: str = "",
        reverse: bool = False,
    ) -> int:
        """A message; ``back`` = from the callee; ``reverse`` swaps From and To."""
        ends = list(zip((self.caller, self.callee), self.sip_ports, strict=True))
        src, dst = reversed(ends) if back else ends
        head = (
            f"{start}\r\nVia: SIP/2.0/UDP {self.caller};branch={branch or f'z9hG4bK{cseq}{method}'}"
            f"\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>{to_tag}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {cseq} {method}\r\n{extra}Content-Length: {len(body)}\r\n"
        )
        if body:
            head += "Content-Type: application/sdp\r\n"
        return self.wire.put(udp_datagram(src, dst, head.encode() + b"\r\n" + body), at)

    def invite(
        self, body: bytes = OFFER, cseq: int = 1, at: float | None = None, again: bool = False,
        extra: str = "",
    ) -> int:  # fmt: skip
        tag = ";tag=b" if again else ""
        return self.message(
            "INVITE sip:b@x SIP/2.0", cseq, "INVITE", body=body, at=at, to_tag=tag, extra=extra
        )

    def reply(
        self, code: str, cseq: int = 1, body: bytes = b"", at: float | None = None,
        method: str = "INVITE",
    ) -> int:  # fmt: skip
        return self.message(f"SIP/2.0 {code}", cseq, method, back=True, body=body, at=at)

    def ack(self, cseq: int = 1, at: float | None = None) -> int:
        return self.message(
            "ACK sip:b@x SIP/2.0", cseq, "ACK", at=at, branch=f"z9hG4bK{cseq}INVITE"
        )

    def bye(self, at: float | None = None, cseq: int = 9) -> int:
        number = self.message("BYE sip:b@x SIP/2.0", cseq, "BYE", at=at)
        self.reply("200 OK", cseq, method="BYE")
        return number

    def up(self, offer: bytes = OFFER, answer: bytes = ANSWER, at: float | None = None) -> Call:
        """INVITE, 200 and ACK."""
        self.invite(offer, at=at)
        self.reply("200 OK", body=answer)
        self.ack()
        return self


def track(wire: Wire) -> Tracker:
    """Everything on the wire, taken in."""
    tracker = Tracker()
    decode = Decoder().decode
    for number, (time, data) in enumerate(wire.frames, 1):
        packet = decode(Frame(number, START + time, ETHERNET, data, len(data)))
        if packet is not None:
            tracker.take(packet)
    tracker.finish()
    return tracker


def diagnoses(wire: Wire) -> list[Diagnosis]:
    return [diagnose(case) for case in build_cases(track(wire))]


def findings(wire: Wire) -> list[Finding]:
    return [found for diagnosis in diagnoses(wire) for found in diagnosis.findings]


def errors(wire: Wire) -> set[str]:
    """The rules that found an error."""
    return {found.rule for found in findings(wire) if found.severity == "error"}


def notes(wire: Wire) -> set[str]:
    return {found.rule for found in findings(wire) if found.severity == "note"}


def only(wire: Wire, rule: str) -> Finding:
    """The one finding of ``rule``."""
    found = [finding for finding in findings(wire) if finding.rule == rule]
    assert len(found) == 1, [f"{f.rule}: {f.verdict}" for f in findings(wire)]
    return found[0]
