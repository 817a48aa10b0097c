"""What systemd is told, on a path and in the abstract namespace, and that nobody need listen."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from msrprelay.process.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    abstract = f"@msrprelay-{secrets.token_hex(8)}"
    address = abstract if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        sock.settimeout(5)
        yield sock, address


def test_the_life_of_a_daemon(
    systemd: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, address = systemd
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = Notifier()
    notifier.ready()
    notifier.status("1 call")
    notifier.status("1 call")
    notifier.status("2 calls")
    assert [sock.recv(100) for _ in range(3)] == [
        b"READY=1", b"STATUS=1 call", b"STATUS=2 calls",
    ]  # fmt: skip


def test_the_end_may_take_as_long_as_calls_go_on(systemd: tuple[socket.socket, str]) -> None:
    sock, address = systemd
    Notifier(address).stopping(120.5)
    assert sock.recv(100) == b"STOPPING=1\nEXTEND_TIMEOUT_USEC=150500000"


def test_a_reload_says_when_it_began(systemd: tuple[socket.socket, str]) -> None:
    sock, address = systemd
    Notifier(address).reloading()
    first, _, second = sock.recv(100).partition(b"\n")
    name, _, microseconds = second.partition(b"=")
    assert (first, name) == (b"RELOADING=1", b"MONOTONIC_USEC")
    assert int(microseconds) > 0


@pytest.mark.parametrize("address", ["", "/nonexistent/socket"], ids=["no-systemd", "nobody"])
def test_nobody_need_listen(address: str) -> None:
    Notifier(address).ready()
