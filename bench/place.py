"""Where a run takes place: a network namespace with fixed TCP settings, a core for each side."""

from __future__ import annotations

import fcntl
import os
import shlex
import socket
import struct
import subprocess
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.interop.namespaces import Lab, Namespace, refusal

__all__ = ["Place", "Side", "loopback", "segments"]

# A namespace inherits nothing of this from the machine's own tuning.
SYSCTLS = {
    "net.ipv4.tcp_congestion_control": "reno",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
    "net.ipv4.ip_local_port_range": "32768 60999",
}
SEGMENTS_MTU = 1500
# linux/sockios.h; linux/ethtool.h: ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO.
SIOCETHTOOL = 0x8946
SET_OFFLOADS = (0x1F, 0x24, 0x2C)


@dataclass(frozen=True, slots=True)
class Side:
    """Where some processes run: their address, namespace (None: the machine's own) and cores."""

    address: str
    namespace: str | None
    cores: tuple[int, ...]

    def command(self, argv: list[str]) -> list[str]:
        """``argv`` to be run there."""
        pinned = ["taskset", "--cpu-list", ",".join(map(str, self.cores)), *argv]
        return ["ip", "netns", "exec", self.namespace, *pinned] if self.namespace else pinned


@dataclass(frozen=True, slots=True)
class Place:
    """The side of the systems that are compared, and the side of the load generator."""

    name: str
    systems: Side
    generator: Side
    # What the kernel was told, or why nothing could be told to it.
    settings: dict[str, str]


@contextmanager
def loopback() -> Iterator[Place]:
    """Everything on one loopback, in a namespace where that is allowed."""
    systems, generator = cores()
    if why := refusal():
        yield Place(
            "loopback",
            Side("127.0.0.1", None, systems),
            Side("127.0.0.1", None, generator),
            {"namespace": f"none: {why}"},
        )
        return
    with Lab() as lab:
        namespace = lab.namespace("bench")
        settle(namespace)
        yield Place(
            "loopback",
            Side("127.0.0.1", namespace.name, systems),
            Side("127.0.0.1", namespace.name, generator),
            dict(SYSCTLS),
        )


@contextmanager
def segments() -> Iterator[Place | None]:
    """Two namespaces joined by veth, with segments as a network card would give them.

    None where namespaces cannot be made.
    """
    if refusal():
        yield None
        return
    systems, generator = cores()
    with Lab() as lab:
        near, far = lab.namespace("relay"), lab.namespace("peers")
        lab.wire(near, far, "10.77.0.0/30")
        for namespace, device in ((near, far.role), (far, near.role)):
            settle(namespace)
            namespace.ip("link", "set", device, "mtu", str(SEGMENTS_MTU))
            offloads_off(namespace, device)
        yield Place(
            "veth, 1448-byte segments",
            Side("10.77.0.1", near.name, systems),
            Side("10.77.0.2", far.name, generator),
            {**SYSCTLS, "mtu": str(SEGMENTS_MTU), "offloads": "tso, gso and gro off"},
        )


def cores() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A core for the systems and another for the generator, or the only one there is."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0],), (allowed[-1],)


def offloads_off(namespace: Namespace, device: str) -> None:
    """What ``ethtool -K DEVICE tso off gso off gro off`` does."""
    with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in SET_OFFLOADS:
            value = array("I", [command, 0])
            address, _ = value.buffer_info()
            request = struct.pack("16sP16x", device.encode(), address)
            fcntl.ioctl(control, SIOCETHTOOL, request)


def settle(namespace: Namespace) -> None:
    """Give the namespace the settings that every run shares."""
    for key, value in SYSCTLS.items():
        path = "/proc/sys/" + key.replace(".", "/")
        write = f"echo {shlex.quote(value)} > {path}"
        subprocess.run(["ip", "netns", "exec", namespace.name, "sh", "-c", write], check=True)
