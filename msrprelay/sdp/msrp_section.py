# cython: annotation_typing=False
"""One ``m=message`` section: what the endpoint says about itself, and where it can be dialled."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..net.roles import Setup
from ..net.uri import Uri, address
from .lines import Attributes, attributes_of, text

# RFC 6135 section 4.2.2: an endpoint that only dials writes the discard port.
DISCARD_PORT = 9


@dataclass(frozen=True)
class Connection:
    """A ``c=`` line: ``family`` is ``IP4`` or ``IP6``, ``host`` an address or a name."""

    family: str
    host: str


@dataclass(frozen=True)
class MsrpSection:
    """An ``m=message`` section over ``TCP/MSRP`` or ``TCP/TLS/MSRP``, port 0 included.

    ``index`` counts all m= lines from 0, ``line`` all lines from 1, ``stop`` is the line after the
    section; ``begin`` and ``end`` are the same in octets from 0. ``path`` holds every URI of every
    a=path line, ``uri`` the first one, read; ``setup`` is the session's where the section has none.
    ``cema``: the endpoint matches c= and m= against its path (RFC 6714).
    ``anchor``: the section is live (port not 0) and has all that relaying it needs.
    ``problems`` are snake_case codes, in the order in which they are looked for; only some of them
    keep the section from being anchored.
    """

    index: int
    line: int
    stop: int
    begin: int
    end: int
    port: int
    tls: bool
    path: tuple[str, ...]
    uri: Uri | None
    setup: Setup | None
    connection: Connection | None
    fingerprints: tuple[bytes, ...]
    cema: bool
    problems: tuple[str, ...]
    body: bytes
    anchor: bool

    @property
    def attributes(self) -> Attributes:
        """Its ``a=`` lines, read when somebody asks."""
        return attributes_of(self.body, self.begin, self.end)

    @property
    def proto(self) -> str:
        """``TCP/MSRP`` or ``TCP/TLS/MSRP``."""
        return "TCP/TLS/MSRP" if self.tls else "TCP/MSRP"

    @property
    def accept_types(self) -> tuple[str, ...] | None:
        """The media types the endpoint takes, ``None`` if it does not say."""
        return self._tokens("accept-types")

    @property
    def accept_wrapped_types(self) -> tuple[str, ...] | None:
        """The media types it takes only inside another, ``None`` if it does not say."""
        return self._tokens("accept-wrapped-types")

    @property
    def max_size(self) -> int | None:
        """The largest message it wants, in octets (RFC 4975 section 8.6): a hint."""
        value = self.attribute("max-size")
        return int(value) if value is not None and _NUMBER.fullmatch(value) else None

    @property
    def direction(self) -> str | None:
        """``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``, if the section says one."""
        return next(
            (name.decode() for name, _ in self.attributes if name in _DIRECTIONS),
            None,
        )

    @property
    def contact(self) -> tuple[str, int] | None:
        """Where the endpoint says it is, whoever dials: c=/m= with CEMA, else its first URI.

        A path URI without port stands for the m= port.
        """
        if not self.anchor or self.uri is None:
            return None
        if self.cema and self.connection is not None:
            return self.connection.host, self.port
        return self.uri.host, self.port if self.uri.port is None else self.uri.port

    @property
    def dial_target(self) -> tuple[str, int] | None:
        """The host and port to dial; ``None`` if the endpoint dials itself or cannot be dialled.

        Never port 0 or 9, nor an unspecified, multicast or ``.invalid`` host (RFC 6135 section
        4.2.2, TS 24.247 section 8.3.1). The resolved address is judged again by the dial policy.
        """
        contact = None if self.setup is Setup.ACTIVE else self.contact
        if contact is None or self.uri is None:
            return None
        # Without CEMA the first URI says how to connect: "ws" is no TCP connection of ours.
        if not self.cema and self.uri.transport.lower() != "tcp":
            return None
        return contact if _dialable(*contact) else None

    def same_endpoint(self, before: MsrpSection) -> bool:
        """Whether a connection made for ``before`` still serves: same path, and same TLS identity.

        a=setup is no part of it (endpoints repeat ``actpass``), nor is c= 0.0.0.0 for hold; with
        CEMA the address of c=/m= is, since that is what gets dialled.
        """
        if self.path != before.path or self.tls != before.tls:
            return False
        if self.tls and self.fingerprints != before.fingerprints:
            return False
        return self.contact == before.contact or self._held

    @property
    def _held(self) -> bool:
        """Whether c= is the unspecified address (RFC 3264 section 8.4)."""
        found = None if self.connection is None else address(self.connection.host)
        return found is not None and found.is_unspecified

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name`` of this section, ``""`` for a flag."""
        wanted = name.encode()
        return next((text(value) for key, value in self.attributes if key == wanted), None)

    def _tokens(self, name: str) -> tuple[str, ...] | None:
        value = self.attribute(name)
        return None if value is None else tuple(value.split())


def _dialable(host: str, port: int) -> bool:
    """Whether host and port can be anybody's: the rules that need no name resolution."""
    if port in (0, DISCARD_PORT):
        return False
    found = address(host)
    if found is None:
        return _NAME_TO_DIAL.fullmatch(host) is not None
    mapped = getattr(found, "ipv4_mapped", None) or found
    return not (mapped.is_unspecified or mapped.is_multicast)


_DIRECTIONS = frozenset({b"sendrecv", b"sendonly", b"recvonly", b"inactive"})
_NUMBER = re.compile("[0-9]{1,18}")
# A name's last label is neither a number nor 0x..: resolvers read "0" and "127.1" as addresses.
_NAME_TO_DIAL = re.compile(
    r"(?!.*(?:^|\.)(?:invalid|[0-9]+|0[x][0-9a-f]*)\.?$)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?",
    re.IGNORECASE | re.ASCII,
)
