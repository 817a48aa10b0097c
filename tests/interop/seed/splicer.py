"""The first seed's SBC, rebuilt: one TCP connection made of two clients' headers, on a TUN device.

It holds both SYNs, answers each client with that client's own SYN mirrored (window, options and
timestamp its own, TSecr 0 as it stood there), and then hands every segment to the other side with
addresses, ports, sequence and acknowledgement numbers changed, timestamps untouched. The kernel
has no TCP for these ports: the media address is routed into the TUN device.

This is the negative control of the regression, not an example to follow: whichever client has the
higher clock rejects all it is sent (RFC 7323 section 5.3, rule R1).

Run: `splicer.py TUN MEDIA_ADDRESS PORT_FOR_CLIENT_1 PORT_FOR_CLIENT_2`; prints `ready`.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import NamedTuple

SYN, RST, ACK = 0x02, 0x04, 0x10
TCP = 6
MODULUS = 1 << 32

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
LARGEST_PACKET = 65535

OPTION_END, OPTION_NOP, OPTION_TIMESTAMP = 0, 1, 8


class Endpoint(NamedTuple):
    """Where a TCP segment comes from or goes to."""

    host: bytes
    port: int


class Segment:
    """An IPv4 packet with a TCP segment in it; its fields are read and written in place."""

    def __init__(self, packet: bytes) -> None:
        self.packet = bytearray(packet)
        self._tcp = (packet[0] & 0x0F) * 4

    @staticmethod
    def read(packet: bytes) -> Segment | None:
        """The segment of a packet, None for what is not TCP over IPv4."""
        is_ipv4_tcp = len(packet) >= 40 and packet[0] >> 4 == 4 and packet[9] == TCP
        return Segment(packet) if is_ipv4_tcp else None

    @property
    def source(self) -> Endpoint:
        return Endpoint(bytes(self.packet[12:16]), self._field("!H", 0))

    @source.setter
    def source(self, endpoint: Endpoint) -> None:
        self.packet[12:16] = endpoint.host
        self._write("!H", 0, endpoint.port)

    @property
    def destination(self) -> Endpoint:
        return Endpoint(bytes(self.packet[16:20]), self._field("!H", 2))

    @destination.setter
    def destination(self, endpoint: Endpoint) -> None:
        self.packet[16:20] = endpoint.host
        self._write("!H", 2, endpoint.port)

    @property
    def seq(self) -> int:
        return self._field("!I", 4)

    @seq.setter
    def seq(self, number: int) -> None:
        self._write("!I", 4, number % MODULUS)

    @property
    def ack(self) -> int:
        return self._field("!I", 8)

    @ack.setter
    def ack(self, number: int) -> None:
        self._write("!I", 8, number % MODULUS)

    @property
    def flags(self) -> int:
        return self._field("!B", 13)

    @flags.setter
    def flags(self, flags: int) -> None:
        self._write("!B", 13, flags)

    @property
    def window(self) -> int:
        return self._field("!H", 14)

    @property
    def options(self) -> bytes:
        return bytes(self.packet[self._tcp + 20 : self._tcp + self._header_length])

    @property
    def payload(self) -> bytes:
        total = int.from_bytes(self.packet[2:4], "big")
        return bytes(self.packet[self._tcp + self._header_length : total])

    @property
    def timestamps(self) -> tuple[int, int] | None:
        """TSval and TSecr (RFC 7323 section 3), None without the option."""
        options, at = self.options, 0
        while at < len(options) and options[at] != OPTION_END:
            if options[at] == OPTION_TIMESTAMP:
                tsval, tsecr = struct.unpack_from("!II", options, at + 2)
                return tsval, tsecr
            at += 1 if options[at] == OPTION_NOP else options[at + 1]
        return None

    def sealed(self) -> bytes:
        """The packet with both checksums made anew."""
        self.packet[10:12] = b"\0\0"
        self.packet[10:12] = _checksum(self.packet[: self._tcp])
        self._write("!H", 16, 0)
        segment = bytes(self.packet[self._tcp :])
        pseudo = bytes(self.packet[12:20]) + struct.pack("!HH", TCP, len(segment))
        at = self._tcp + 16
        self.packet[at : at + 2] = _checksum(pseudo + segment)
        return bytes(self.packet)

    @property
    def _header_length(self) -> int:
        return (self._field("!B", 12) >> 4) * 4

    def _field(self, layout: str, offset: int) -> int:
        return int(struct.unpack_from(layout, self.packet, self._tcp + offset)[0])

    def _write(self, layout: str, offset: int, value: int) -> None:
        struct.pack_into(layout, self.packet, self._tcp + offset, value)


@dataclass
class Leg:
    """One client's side: the port it dials, and its SYN once that is held."""

    server: Endpoint
    syn: Segment | None = None

    def mirrored_syn(self) -> bytes:
        """The SYN-ACK of the seed's frames 921 and 922: the client's own SYN, turned round."""
        assert self.syn is not None
        answer = Segment(bytes(self.syn.packet))
        answer.source, answer.destination = self.server, self.syn.source
        answer.flags = SYN | ACK
        answer.ack = self.syn.seq + 1
        return answer.sealed()


class Splicer:
    """Two legs that are one connection. Packets in, packets out; no sockets."""

    def __init__(self, first: Endpoint, second: Endpoint) -> None:
        self._legs = (Leg(first), Leg(second))

    def receive(self, packet: bytes) -> list[bytes]:
        """What goes out because this packet came in; strangers' packets vanish."""
        segment = Segment.read(packet)
        for leg, other in (self._legs, self._legs[::-1]):
            if segment and segment.destination == leg.server:
                return (
                    self._hold(leg, segment) if segment.flags & SYN else relay(segment, leg, other)
                )
        return []

    def _hold(self, leg: Leg, syn: Segment) -> list[bytes]:
        repeated = leg.syn is not None
        leg.syn = leg.syn or syn
        if not all(each.syn for each in self._legs):
            return []
        return [each.mirrored_syn() for each in ((leg,) if repeated else self._legs)]


def relay(segment: Segment, leg: Leg, other: Leg) -> list[bytes]:
    """The segment as the other client gets it.

    Both clients were shown their own initial sequence number as the server's, so one difference
    turns the sender's numbers, seq and ack alike, into the receiver's.
    """
    if not (leg.syn and other.syn and segment.source == leg.syn.source):
        return []
    difference = other.syn.seq - leg.syn.seq
    segment.source, segment.destination = other.server, other.syn.source
    segment.seq += difference
    if segment.flags & ACK:
        segment.ack += difference
    return [segment.sealed()]


def _checksum(data: bytes | bytearray) -> bytes:
    """The Internet checksum, RFC 1071."""
    padded = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def attach(interface: str) -> int:
    """A descriptor that reads and writes the IP packets of an existing TUN device."""
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def main(interface: str, media: str, first_port: str, second_port: str) -> None:
    host = socket.inet_aton(media)
    splicer = Splicer(Endpoint(host, int(first_port)), Endpoint(host, int(second_port)))
    tun = attach(interface)
    print("ready", flush=True)
    while True:
        for packet in splicer.receive(os.read(tun, LARGEST_PACKET)):
            os.write(tun, packet)


if __name__ == "__main__":
    main(*sys.argv[1:])
