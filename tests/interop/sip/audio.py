"""The audio beside the messages: RTP packets through rtpengine, compared on arrival."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct

from .programs import HOST

PACKETS = 25
PAYLOAD = 160
PATIENCE_SECONDS = 10.0
LARGEST = 2048


class Microphone:
    """One end's RTP port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._random = random.Random(name)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    async def speak(self, to: int, listener: Microphone) -> None:
        """Send packets to a port; each must reach the listener as it was sent."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            for packet in [self._packet() for _ in range(PACKETS)]:
                self._socket.sendto(packet, (HOST, to))
                heard = await loop.sock_recv(listener._socket, LARGEST)
                assert heard == packet, f"{listener.name} heard something else"

    def _packet(self) -> bytes:
        """PCMU, 20 ms (RFC 3551)."""
        self._sequence += 1
        head = struct.pack("!BBHII", 0x80, 0, self._sequence, PAYLOAD * self._sequence, 0xA5)
        return head + self._random.randbytes(PAYLOAD)


async def both_speak(a: Microphone, told_a: bytes, b: Microphone, told_b: bytes) -> None:
    """Both ends send to the port that the SDP they have read names."""
    await a.speak(audio_port(told_a), b)
    await b.speak(audio_port(told_b), a)


def audio_port(sdp: bytes) -> int:
    found = re.search(rb"^m=audio (\d+) ", sdp, re.MULTILINE)
    assert found is not None, sdp
    return int(found[1])
