"""Small networks of namespaces and veth pairs, made and removed by the test that uses them.

A `Lab` is one such network. It needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN) and iproute2; ask
`refusal()` first. Everything a lab made, processes first, is gone when its `with` block ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x40000000
STOP_SECONDS = 5.0
READ_SIZE = 65536

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()


class Lab:
    """A network of namespaces; a context manager. Its names are unique to the process and lab."""

    def __init__(self) -> None:
        self._prefix = f"msrp-{os.getpid()}-{next(_serial)}"
        self._namespaces: list[Namespace] = []
        self._removals = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._removals:
            for namespace in self._namespaces:
                namespace.stop_processes()

    def namespace(self, role: str) -> Namespace:
        """A new namespace with a working loopback; `role` has at most 15 characters."""
        namespace = Namespace(f"{self._prefix}-{role}", role)
        _ip("netns", "add", namespace.name)
        self._removals.callback(_ip, "netns", "delete", namespace.name)
        self._namespaces.append(namespace)
        namespace.ip("link", "set", "lo", "up")
        return namespace

    def wire(self, one: Namespace, other: Namespace, network: str) -> None:
        """Joins two namespaces by a veth pair; each interface is named after the far end's role.

        `one` gets the first host address of `network` (IPv4, CIDR), `other` the second.
        """
        subnet = IPv4Network(network)
        _ip("link", "add", other.role, "netns", one.name, "type", "veth",
            "peer", "name", one.role, "netns", other.name)  # fmt: skip
        for near, far, host in ((one, other, 1), (other, one, 2)):
            address = f"{subnet.network_address + host}/{subnet.prefixlen}"
            near.ip("address", "add", address, "dev", far.role)
            near.ip("link", "set", far.role, "up")


class Namespace:
    """One network namespace of a lab, named so that `ip netns exec` finds it meanwhile."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self._processes: list[subprocess.Popen[str]] = []

    def ip(self, *arguments: str) -> None:
        """`ip -n NAME …` (iproute2); raises with what it said when it refuses."""
        _ip("-n", self.name, *arguments)

    def sysctl(self, key: str, value: int) -> None:
        """Sets a sysctl of this namespace, spelled with dots: `net.ipv4.tcp_sack`."""
        with self._entered():
            Path("/proc/sys", *key.split(".")).write_text(str(value))

    def counters(self) -> dict[str, int]:
        """The kernel's extended TCP and IP counters, named as nstat does: `TcpExtPAWSEstab`."""
        with self._entered():
            lines = Path("/proc/thread-self/net/netstat").read_text().splitlines()
        table: dict[str, int] = {}
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            group, *keys = names.replace(":", "").split()
            table |= zip((group + key for key in keys), map(int, values.split()[1:]), strict=True)
        return table

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this namespace, which it stays for life, for the calling process to use."""
        with self._entered():
            return socket.socket(family, kind, protocol)

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> subprocess.Popen[str]:
        """Starts a process here with its output as a text pipe; the lab's end stops it at last.

        `environment` and `stderr` as for `subprocess.Popen`.
        """
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            text=True,
        )
        self._processes.append(process)
        return process

    def stop_processes(self) -> None:
        """Stops whatever was spawned here; what it printed explains a failed test."""
        while self._processes:
            process = self._processes.pop()
            print(f"--- {self.role}: {process.args!r}\n{stop(process)}")

    @contextlib.contextmanager
    def _entered(self) -> Iterator[None]:
        """The calling thread, and no other, is in this namespace for the block."""
        with (
            _opened("/proc/thread-self/ns/net") as home,
            _opened(f"/run/netns/{self.name}") as here,
        ):
            _enter(here)
            try:
                yield
            finally:
                _enter(home)


def refusal() -> str | None:
    """Why namespaces cannot be made here, for a human; None where they can."""
    if shutil.which("ip") is None:
        return "network namespaces need iproute2: there is no `ip` command"
    try:
        with Lab() as lab:
            lab.namespace("probe")
    except NetworkRefused as error:
        return f"network namespaces need root (CAP_NET_ADMIN and CAP_SYS_ADMIN): {error}"
    return None


def tun_refusal() -> str | None:
    """Why a TUN device cannot be made in a namespace here; None where it can."""
    try:
        with Lab() as lab:
            lab.namespace("probe").ip("tuntap", "add", "dev", "probe", "mode", "tun")
    except NetworkRefused as error:
        return f"TUN devices need /dev/net/tun and CAP_NET_ADMIN: {error}"
    return None


class NetworkRefused(RuntimeError):
    """`ip` refused; says the command and its complaint."""


def stop(process: subprocess.Popen[str]) -> str:
    """Ends a process and reaps it: SIGTERM, SIGKILL where that took too long. What it printed."""
    process.terminate()
    try:
        return process.communicate(timeout=STOP_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def await_output(process: subprocess.Popen[str], text: str, seconds: float) -> None:
    """Waits until a spawned process has printed `text`, its sign that it is ready."""
    assert process.stdout is not None
    printed, deadline = b"", time.monotonic() + seconds
    while text.encode() not in printed:
        left = max(deadline - time.monotonic(), 0)
        if not select.select([process.stdout], [], [], left)[0]:
            raise TimeoutError(f"no {text!r} in {seconds} s from {process.args!r}: {printed!r}")
        data = os.read(process.stdout.fileno(), READ_SIZE)
        if not data:
            raise RuntimeError(f"{process.args!r} ended ({process.wait()}): {printed.decode()}")
        printed += data


def _ip(*arguments: str) -> None:
    ran = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise NetworkRefused(f"`ip {' '.join(arguments)}`: {ran.stderr.strip()}")


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
