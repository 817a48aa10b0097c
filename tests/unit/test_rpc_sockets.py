"""Sockets that one process leaves and the next one takes, whatever the configuration says then."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from msrprelay.rpc.sockets import Address, Sockets, place_of

HOST = "127.0.0.1"


class Keeper:
    """Holds duplicates, and gives a process duplicates of those."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.inherited: Mapping[str, int] = {}

    def succeed(self) -> Keeper:
        """As the next process sees it."""
        self.inherited = {name: os.dup(descriptor) for name, descriptor in self.held.items()}
        return self

    def hold(self, name: str, descriptor: int) -> None:
        self.drop(name)
        self.held[name] = os.dup(descriptor)

    def drop(self, name: str) -> None:
        if name in self.held:
            os.close(self.held.pop(name))

    def inodes(self) -> dict[str, int]:
        """Which socket is held under which name."""
        return {name: os.fstat(descriptor).st_ino for name, descriptor in self.held.items()}


class Run:
    """What one process after the other has open."""

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.opened: list[socket.socket] = []

    def begin(self) -> Sockets:
        """Another process, the one before being dead."""
        self.end()
        return Sockets(self.keeper.succeed())

    def inodes(self, sockets: Iterable[socket.socket]) -> list[int]:
        """Open them; which are they?"""
        found = []
        for sock in sockets:
            self.opened.append(sock)
            found.append(os.fstat(sock.fileno()).st_ino)
        return found

    def end(self) -> None:
        while self.opened:
            self.opened.pop().close()


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.end()
    for name in list(run.keeper.held):
        run.keeper.drop(name)


def places(count: int) -> list[Address]:
    """Addresses that are free for UDP and TCP."""
    made = []
    for _ in range(count):
        sock = socket.create_server((HOST, 0))
        made.append((sock, (HOST, sock.getsockname()[1])))
    for sock, _ in made:
        sock.close()
    return [where for _, where in made]


ORDERS = [
    pytest.param([0, 1, 2], id="as-before"),
    pytest.param([2, 1, 0], id="reordered"),
    pytest.param([1, 2], id="the-first-is-gone"),
    pytest.param([0, 2], id="one-is-gone"),
    pytest.param([3, 0, 1, 2], id="one-is-new"),
    pytest.param([3, 2, 0], id="all-of-it"),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_what_is_left_is_known_by_its_address(run: Run, kind: str, order: list[int]) -> None:
    all_places = places(4)
    name = f"ng-{kind}"
    first = run.begin()
    before = run.inodes(getattr(first, kind)(name, all_places[:3]))
    first.settle()
    second = run.begin()
    after = run.inodes(getattr(second, kind)(name, [all_places[n] for n in order]))
    second.settle()
    assert [before.index(inode) if inode in before else 3 for inode in after] == order
    # Under the names that a process of another version looks for, and nothing besides.
    assert run.keeper.inodes() == {f"{name}/{n}": inode for n, inode in enumerate(after)}


def test_two_servers_may_change_places(run: Run, tmp_path: Path) -> None:
    (one, other), (a, b) = places(2), (tmp_path / "a", tmp_path / "b")
    sockets = run.begin()
    before = run.inodes([*sockets.tcp("ng-tcp", [one]), *sockets.tcp("http", [other])])
    before += run.inodes([sockets.unix("ng-unix", a), sockets.unix("ctl", b)])
    sockets.settle()
    sockets = run.begin()
    after = run.inodes([*sockets.tcp("http", [one]), *sockets.tcp("ng-tcp", [other])])
    after += run.inodes([sockets.unix("ctl", a), sockets.unix("ng-unix", b)])
    sockets.settle()
    assert after == before
    names = ("http/0", "ng-tcp/0", "ctl", "ng-unix")
    assert run.keeper.inodes() == dict(zip(names, after, strict=True))


def test_any_port_takes_none_that_is_named(run: Run) -> None:
    sockets = run.begin()
    before = run.inodes(sockets.udp("ng-udp", [(HOST, 0), (HOST, 0)]))
    named = place_of(run.opened[0])
    sockets.settle()
    sockets = run.begin()
    assert run.inodes(sockets.udp("ng-udp", [(HOST, 0), (HOST, int(named[1]))])) == before[::-1]


def test_a_process_that_does_not_come_up_leaves_what_it_found(run: Run) -> None:
    taken, *mine = places(3)
    sockets = run.begin()
    before = run.inodes(sockets.udp("ng-udp", mine))
    sockets.settle()
    held = run.keeper.inodes()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind(taken)
        sockets = run.begin()
        with pytest.raises(OSError, match="in use"):
            run.inodes(sockets.udp("ng-udp", [*reversed(mine), taken]))
    assert run.keeper.inodes() == held
    assert run.inodes(run.begin().udp("ng-udp", mine)) == before


def test_a_path_that_was_unlinked_is_opened_anew(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    sockets = run.begin()
    before = run.inodes([sockets.unix("ctl", path)])
    sockets.settle()
    path.unlink()
    sockets = run.begin()
    assert run.inodes([sockets.unix("ctl", path)]) != before
    sockets.settle()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
