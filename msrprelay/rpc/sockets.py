"""Where the servers get their sockets: from the process before, else new ones.

Datagrams and connections that come while one process replaces another wait in an inherited socket.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from ..log import Log
from . import unix

log = Log()

Address = tuple[str, int]
# Until a silent client is probed, between two probes, both in seconds; and how many it may miss.
PROBES = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
# The names of the sockets here, among all that is held.
OURS = re.compile(r"ctl|ng-unix|(ng-udp|ng-tcp|http)/[0-9]+")


class Link(Protocol):
    """Who holds sockets for the next process."""

    @property
    def inherited(self) -> Mapping[str, int]:
        """What the process before has left, by name."""

    def hold(self, name: str, descriptor: int) -> None:
        """Have a duplicate of the descriptor held."""

    def drop(self, name: str) -> None:
        """Have it held no more."""


class Sockets:
    """Opens sockets; one that is there already, at the right address, is taken.

    A configuration may name addresses in another order, or for another server, than the one
    before: what is left is known by where it is bound, never by its name.
    """

    def __init__(self, link: Link | None = None) -> None:
        """``link``: to the keeper, if there is one."""
        self._link = link
        inherited = {} if link is None else link.inherited
        self._inherited = frozenset(filter(OURS.fullmatch, inherited))
        self._left = {name: socket.socket(fileno=inherited[name]) for name in self._inherited}
        # What is in use, by the name it is to have, with the name it has.
        self._used: dict[str, tuple[socket.socket, str | None]] = {}

    def udp(self, name: str, addresses: Iterable[Address]) -> Iterator[socket.socket]:
        """A bound socket for each address, in turn; raises OSError with the address in it."""
        return self._several(name, socket.SOCK_DGRAM, tuple(addresses))

    def tcp(self, name: str, addresses: Iterable[Address]) -> Iterator[socket.socket]:
        """The same with a listening stream socket."""
        return self._several(name, socket.SOCK_STREAM, tuple(addresses))

    def unix(self, name: str, path: Path) -> socket.socket:
        """A listening socket at the path; raises OSError as :func:`unix.listener` does.

        Not where one was left that cannot be made again: nobody reaches it, but the calls go on.
        """
        left = self._left_at(socket.SOCK_STREAM, os.fspath(path))
        if left is None or os.path.lexists(path):
            return self._open(name, left, partial(unix.listener, path))
        # Its path was unlinked.
        try:
            return self._open(name, None, partial(unix.listener, path))
        except OSError as error:
            log.error("socket out of reach until an upgrade", path=str(path), reason=str(error))
            return self._open(name, left, partial(unix.listener, path))

    def settle(self) -> None:
        """Have held what is in use now, and nothing else; close what nobody wants.

        Not before everything is open: what fails must leave the next process all that there was.
        """
        if self._link is None:
            return
        for name, (sock, held_as) in self._used.items():
            if name != held_as:
                self._link.hold(name, sock.fileno())
        for name in self._inherited - self._used.keys():
            self._link.drop(name)
        for sock in self._left.values():
            unix.close(sock)
        self._left.clear()

    def _several(
        self, name: str, kind: socket.SocketKind, addresses: tuple[Address, ...]
    ) -> Iterator[socket.socket]:
        for number, address in enumerate(addresses):
            if address[1]:
                left = self._left_at(kind, address)
            else:
                left = self._any_left(name, address[0], addresses)
            sock = self._open(f"{name}/{number}", left, partial(bound, kind, address))
            if kind == socket.SOCK_STREAM:
                probe_clients(sock)
            yield sock

    def _left_at(self, kind: socket.SocketKind, where: Address | str) -> str | None:
        """The name of what is left there."""
        for name, sock in self._left.items():
            if sock.type == kind and place_of(sock) == where:
                return name
        return None

    def _any_left(self, kind: str, host: str, wanted: tuple[Address, ...]) -> str | None:
        """The name of what is left of a kind at any port that is not wanted by its number."""
        for name, sock in self._left.items():
            where = place_of(sock)
            if name.startswith(f"{kind}/") and where[0] == host and where not in wanted:
                return name
        return None

    def _open(
        self, name: str, left: str | None, make: Callable[[], socket.socket]
    ) -> socket.socket:
        sock = make() if left is None else self._left.pop(left)
        self._used[name] = sock, left
        return sock


def place_of(sock: socket.socket) -> Address | str:
    """Where a socket is bound: address and port, or a path."""
    name = sock.getsockname()
    return (name[0], name[1]) if isinstance(name, tuple) else str(name)


def probe_clients(sock: socket.socket) -> None:
    """Have connections of a listening socket end whose clients have gone without a word.

    They take it over from the socket. For ever open, they would count as connections that may be.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in PROBES.items():
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def bound(kind: socket.SocketKind, address: Address) -> socket.socket:
    """A socket bound to ``address``; raises OSError with the address in it."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if kind == socket.SOCK_STREAM:
            # Not a second listener, but one beside the last one's connections in TIME_WAIT.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen()
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{error.strerror}: {address[0]} port {address[1]}") from None
    return sock
