"""One ``m=message`` section: what the endpoint says about itself, and where it can be dialled."""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from ..errors import UriError
from ..roles import Setup
from ..uri import Uri, address, same_host
from .lines import Attributes, attributes_of

# RFC 6135 section 4.2.2: an endpoint that only dials writes the discard port.
DISCARD_PORT = 9
NEWLINE = 0x0A


class Connection(NamedTuple):
    """A ``c=`` line: ``family`` is ``IP4`` or ``IP6``, ``host`` an address or a name."""

    family: str
    host: str


class MediaLine(Struct, frozen=True):
    """A ``m=`` line, read as far as the relay needs it. ``port`` is ``None`` if it is no port."""

    media: str
    port: int | None
    proto: str
    fmt: tuple[str, ...]

    @property
    def msrp(self) -> bool:
        """Whether the section is MSRP over TCP or TLS (RFC 4975 section 8.1)."""
        return self.media == "message" and self.proto in _PROTOS


class Common(Struct, frozen=True):
    """What the session level says for every section that does not say it itself."""

    connection: Connection | None
    setup: Setup | None
    fingerprints: tuple[bytes, ...]


class MsrpSection(Struct, frozen=True):
    """An ``m=message`` section over ``TCP/MSRP`` or ``TCP/TLS/MSRP``, port 0 included.

    ``index`` counts all m= lines from 0, ``line`` all lines from 1, ``stop`` is the line after the
    section; ``begin`` and ``end`` are the same in octets from 0. ``path`` holds every URI of every
    a=path line, ``uri`` the first one, read; ``setup`` is the session's where the section has none.
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
    attributes: Attributes
    problems: tuple[str, ...]

    @property
    def anchor(self) -> bool:
        """Whether the section is live (port not 0) and has all that relaying it needs."""
        return self.port != 0 and self.uri is not None

    @property
    def cema(self) -> bool:
        """Whether the endpoint matches c= and m= against its path (RFC 6714)."""
        return any(name == b"msrp-cema" for name, _ in self.attributes)

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
        contact = self.contact
        if contact is None or self.uri is None or self.setup is Setup.ACTIVE:
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


def parse_media(line: bytes) -> MediaLine:
    """Read a ``m=`` line; what is missing is empty."""
    tokens = line[2:].split()
    media, port, proto, *fmt = [*tokens, b"", b"", b""] if len(tokens) < 3 else tokens
    # A longer number is beyond 65535 anyway, and int() refuses very long ones.
    number = int(port) if port.isdigit() and len(port) <= 5 else 65536
    return MediaLine(
        text(media).lower(),
        number if number <= 65535 else None,
        text(proto).upper(),
        tuple([text(token) for token in fmt if token]),
    )


def parse_common(body: bytes, end: int) -> Common:
    """Read the session level: the octets before the first ``m=``."""
    if body.find(b"\na=", 0, end) < 0:
        return Common(connection_of(body, 0, end), None, ())
    said = Said(attributes_of(body, 0, end))
    return Common(connection_of(body, 0, end), said.setup, said.fingerprints)


def parse_section(
    index: int, body: bytes, begin: int, end: int, media: MediaLine, common: Common
) -> MsrpSection:
    """Read the MSRP section that is ``body[begin:end]``, its m= line being ``media``."""
    said = Said(attributes_of(body, begin, end))
    path = tuple([text(uri) for value in said.paths for uri in value.split()])
    uri = _first_uri(path)
    connection = connection_of(body, begin, end) or common.connection
    tls = media.proto == "TCP/TLS/MSRP"
    problems: list[str] = []
    if media.port is None:
        problems = ["bad_port"]
    elif media.port:
        problems = _path_problems(path, uri, len(said.paths), media.port, tls)
        problems += _host_problems(uri, connection)
        if media.fmt != ("*",):
            problems.append("fmt_not_star")
        if not said.accepts:
            problems.append("missing_accept_types")
    line = body.count(b"\n", 0, begin) + 1
    return MsrpSection(
        index,
        line,
        line + body.count(b"\n", begin, end) + (body[end - 1] != NEWLINE),
        begin,
        end,
        media.port or 0,
        tls,
        path,
        uri,
        said.setup or common.setup,
        connection,
        said.fingerprints or common.fingerprints,
        said.attributes,
        tuple(problems),
    )


class Said:
    """What the attributes of a section say, gone through once.

    ``setup`` is the first one with a value of RFC 4145, whatever its case; ``fingerprints`` are
    those of RFC 8122.
    """

    __slots__ = ("accepts", "attributes", "fingerprints", "paths", "setup")

    def __init__(self, attributes: Attributes) -> None:
        self.attributes = attributes
        self.paths: list[bytes] = []
        self.setup: Setup | None = None
        self.fingerprints: tuple[bytes, ...] = ()
        self.accepts = False
        for name, value in attributes:
            if name == b"path":
                self.paths.append(value)
            elif name == b"setup":
                self.setup = self.setup or _SETUPS.get(value.lower())
            elif name == b"accept-types":
                self.accepts = True
            elif name == b"fingerprint":
                self.fingerprints += (value,)


def connection_of(body: bytes, begin: int, end: int) -> Connection | None:
    """The first readable ``c=`` line of ``body[begin:end]``, which begins a line and is not it."""
    at = body.find(b"\nc=", begin, end)
    while at >= 0:
        found = _CONNECTION.match(body, at + 1, end)
        if found is not None:
            return Connection(text(found[1]).upper(), text(found[2]))
        at = body.find(b"\nc=", at + 1, end)
    return None


def text(raw: bytes) -> str:
    """Octets of an SDP as text; those that are no UTF-8 survive a round trip."""
    return raw.decode("utf-8", "surrogateescape")


def _first_uri(path: tuple[str, ...]) -> Uri | None:
    """The first URI of a path; none if one of them is no URI: all go on the wire in To-Path."""
    try:
        uris = [Uri.parse(uri) for uri in path]
    except UriError:
        return None
    return uris[0] if uris else None


def _path_problems(
    path: tuple[str, ...], uri: Uri | None, path_lines: int, port: int, tls: bool
) -> list[str]:
    if not path:
        return ["missing_path"]
    if uri is None:
        return ["bad_path_uri"]
    problems = []
    if path_lines > 1:
        problems.append("several_path_lines")
    if uri.port is None:
        problems.append("path_without_port")
    elif uri.port != port:
        problems.append("path_port_differs_from_m_line")
    if uri.tls != tls:
        problems.append("scheme_proto_mismatch")
    if uri.transport.lower() != "tcp":
        problems.append("transport_not_tcp")
    return problems


def _host_problems(uri: Uri | None, connection: Connection | None) -> list[str]:
    if connection is None:
        return ["no_connection_line"]
    if uri is not None and not same_host(uri.host, connection.host):
        return ["path_host_differs_from_c_line"]
    return []


def _dialable(host: str, port: int) -> bool:
    """Whether host and port can be anybody's: the rules that need no name resolution."""
    if port in (0, DISCARD_PORT):
        return False
    found = address(host)
    if found is None:
        return _NAME_TO_DIAL.fullmatch(host) is not None
    mapped = getattr(found, "ipv4_mapped", None) or found
    return not (mapped.is_unspecified or mapped.is_multicast)


_PROTOS = frozenset({"TCP/MSRP", "TCP/TLS/MSRP"})
_DIRECTIONS = frozenset({b"sendrecv", b"sendonly", b"recvonly", b"inactive"})
_SETUPS = {setup.value.encode(): setup for setup in Setup}
_NUMBER = re.compile("[0-9]{1,18}")
# The TTL and range of a multicast address (RFC 8866 section 5.7) are no part of the host.
_CONNECTION = re.compile(rb"c=[ \t]*[Ii][Nn][ \t]+([Ii][Pp][46])[ \t]+([^\s/]+)")
# A name's last label is neither a number nor 0x..: resolvers read "0" and "127.1" as addresses.
_NAME_TO_DIAL = re.compile(
    r"(?!.*(?:^|\.)(?:invalid|[0-9]+|0[x][0-9a-f]*)\.?$)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?",
    re.IGNORECASE | re.ASCII,
)
