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

from . import unix

Address = tuple[str, int]
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
    """Opens sockets by name; one that is there already, at the right address, is taken."""

    def __init__(self, link: Link | None = None) -> None:
        """``link``: to the keeper, if there is one."""
        self._link = link
        inherited = {} if link is None else link.inherited
        self._left = {
            name: socket.socket(fileno=descriptor)
            for name, descriptor in inherited.items()
            if OURS.fullmatch(name)
        }

    def udp(self, name: str, addresses: Iterable[Address]) -> Iterator[socket.socket]:
        """A bound socket for each address, in turn; raises OSError with the address in it."""
        for number, address in enumerate(addresses):
            make = partial(bound, socket.SOCK_DGRAM, address)
            yield self._open(f"{name}/{number}", address, make)

    def tcp(self, name: str, addresses: Iterable[Address]) -> Iterator[socket.socket]:
        """The same with a listening stream socket."""
        for number, address in enumerate(addresses):
            make = partial(bound, socket.SOCK_STREAM, address)
            yield self._open(f"{name}/{number}", address, make)

    def unix(self, name: str, path: Path) -> socket.socket:
        """A listening socket at the path; raises OSError as :func:`unix.listener` does."""
        return self._open(name, os.fspath(path), partial(unix.listener, path))

    def close_the_rest(self) -> None:
        """Close what the process before has left and nobody wants."""
        for name in tuple(self._left):
            self._close(name)

    def _open(
        self, name: str, address: Address | str, make: Callable[[], socket.socket]
    ) -> socket.socket:
        left = self._left.get(name)
        if left is not None and is_at(left, address):
            return self._left.pop(name)
        if left is not None:
            self._close(name)
        made = make()
        if self._link is not None:
            self._link.hold(name, made.fileno())
        return made

    def _close(self, name: str) -> None:
        assert self._link is not None
        self._link.drop(name)
        unix.close(self._left.pop(name))


def is_at(sock: socket.socket, address: Address | str) -> bool:
    """Whether the socket can be reached there; port 0 is any."""
    name = sock.getsockname()
    if isinstance(address, str):
        return bool(name == address) and os.path.exists(address)
    return isinstance(name, tuple) and name[0] == address[0] and address[1] in (0, name[1])


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
