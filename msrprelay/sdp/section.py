# cython: annotation_typing=False
"""One ``m=message`` section: what the endpoint says about itself, and where it can be dialled."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UriError
from ..roles import Setup
from ..uri import Uri, address, parse_uri, same_host
from .lines import (
    Attributes,
    attributes_of,
    colon,
    kind_of,
    line_end,
    part,
    past_blanks,
    past_field,
    value_of,
)

# RFC 6135 section 4.2.2: an endpoint that only dials writes the discard port.
DISCARD_PORT = 9
# URIs and octets of a path: an endpoint's relays (RFC 4976) and itself. Every chunk for it is sent
# with all of them, so that short ones grow by as much.
MOST_URIS, LONGEST_PATH = 32, 4096
STAR, ZERO, FOUR = 0x2A, 0x30, 0x34


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


def parse_section(
    body: bytes, index: int, line: int, begin: int, end: int, media: MediaLine, common: Said
) -> MsrpSection:
    """Read the MSRP section that is ``body[begin:end]`` and begins with ``media``."""
    said = Said()
    said.read(body, begin, end)
    path = tuple(said.path)
    uri = _first_uri(path)
    connection = said.connection or common.connection
    problems: list[str] = []
    if media.port < 0:
        problems.append("bad_port")
    elif media.port:
        _judge_path(path, uri, said.path_lines, media, problems)
        _judge_host(uri, connection, problems)
        if not media.star:
            problems.append("fmt_not_star")
        if not said.accepts:
            problems.append("missing_accept_types")
    return MsrpSection(
        index,
        line,
        line + said.lines,
        begin,
        end,
        max(media.port, 0),
        media.tls,
        path,
        uri,
        said.setup or common.setup,
        connection,
        said.fingerprints or common.fingerprints,
        said.cema,
        tuple(problems),
        body,
        media.port > 0 and uri is not None,
    )


class MediaLine:
    """The ``m=`` line of an MSRP section. ``port`` is -1 if it is no port.

    ``star``: the format is ``*`` and nothing else.
    """

    __slots__ = ("port", "star", "tls")

    def __init__(self) -> None:
        self.port = -1
        self.star = False
        self.tls = False


def parse_media(body: bytes, at: int, end: int) -> MediaLine | None:
    """Read the ``m=`` line that begins at ``at``.

    ``None`` if it is not MSRP over TCP or TLS (RFC 4975 section 8.1).
    """
    stop = line_end(body, at, end)
    name = past_blanks(body, at + 2, stop)
    port = past_blanks(body, past_field(body, name, stop), stop)
    proto = past_blanks(body, past_field(body, port, stop), stop)
    formats = past_blanks(body, past_field(body, proto, stop), stop)
    if not _is_message(body, name, past_field(body, name, stop)) or proto == stop:
        return None
    tls = _is_tls(part(body, proto, past_field(body, proto, stop)))
    if tls is None:
        return None
    media = MediaLine()
    media.port = _port(body, port, past_field(body, port, stop))
    media.star = formats < stop and body[formats] == STAR
    media.star = media.star and past_blanks(body, formats + 1, stop) == stop
    media.tls = tls
    return media


class Said:
    """What the session level or a section says, its lines gone through once.

    ``lines`` counts them. ``connection`` is the first readable one; ``path`` has the URIs of all
    its lines; ``setup`` is the first with a value of RFC 4145, whatever its case; ``fingerprints``
    are those of RFC 8122.
    """

    __slots__ = (
        "accepts",
        "cema",
        "connection",
        "fingerprints",
        "lines",
        "path",
        "path_lines",
        "setup",
    )

    def __init__(self) -> None:
        self.accepts = False
        self.cema = False
        self.connection: Connection | None = None
        self.fingerprints: tuple[bytes, ...] = ()
        self.lines = 0
        self.path: list[str] = []
        self.path_lines = 0
        self.setup: Setup | None = None

    def read(self, body: bytes, at: int, end: int) -> None:
        """Take in the lines of ``body[at:end]``."""
        while at < end:
            stop = line_end(body, at, end)
            self.lines += 1
            kind = kind_of(body, at, stop)
            if len(kind) > 2:
                self._take(kind, body, at, stop)
            elif kind == b"c=" and self.connection is None:
                self.connection = parse_connection(body, at, stop)
            at = stop + 1

    def _take(self, kind: bytes, body: bytes, at: int, stop: int) -> None:
        if kind == b"a=path":
            self.path_lines += 1
            self._take_path(body, colon(body, at, stop) + 1, stop)
        elif kind == b"a=setup":
            value = value_of(body, at, stop)
            self.setup = self.setup or _SETUPS.get(value) or _SETUPS.get(value.lower())
        elif kind == b"a=accept-types":
            self.accepts = True
        elif kind == b"a=fingerprint":
            self.fingerprints += (value_of(body, at, stop),)
        elif kind == b"a=msrp-cema":
            self.cema = True

    def _take_path(self, body: bytes, at: int, stop: int) -> None:
        at = past_blanks(body, at, stop)
        while at < stop:
            end = past_field(body, at, stop)
            self.path.append(text(part(body, at, end)))
            at = past_blanks(body, end, stop)


def parse_connection(body: bytes, at: int, stop: int) -> Connection | None:
    """What a ``c=`` line says, if it is readable."""
    if stop - at > 9 and part(body, at, at + 9) in (b"c=IN IP4 ", b"c=IN IP6 "):
        # Spelt like nearly all.
        end = at + 9
        while end < stop and body[end] not in b" \t\n\v\f\r/":
            end += 1
        if end > at + 9:
            family = "IP4" if body[at + 7] == FOUR else "IP6"
            return Connection(family, text(part(body, at + 9, end)))
    found = _CONNECTION.match(part(body, at, stop))
    return None if found is None else Connection(text(found[1]).upper(), text(found[2]))


def text(raw: bytes) -> str:
    """Octets of an SDP as text; those that are no UTF-8 survive a round trip."""
    return raw.decode("utf-8", "surrogateescape")


def _first_uri(path: tuple[str, ...]) -> Uri | None:
    """The first URI of a path; none if one of them is no URI: all go on the wire in To-Path.

    Nor is there one of a path that is too long.
    """
    if _is_too_long(path):
        return None
    try:
        uris = [parse_uri(uri) for uri in path]
    except UriError:
        return None
    return uris[0] if uris else None


def _is_too_long(path: tuple[str, ...]) -> bool:
    return len(path) > MOST_URIS or len(" ".join(path)) > LONGEST_PATH


def _judge_path(
    path: tuple[str, ...], uri: Uri | None, path_lines: int, media: MediaLine, problems: list[str]
) -> None:
    if not path:
        problems.append("missing_path")
    elif uri is None:
        problems.append("path_too_long" if _is_too_long(path) else "bad_path_uri")
    else:
        if path_lines > 1:
            problems.append("several_path_lines")
        if uri.port is None:
            problems.append("path_without_port")
        elif uri.port != media.port:
            problems.append("path_port_differs_from_m_line")
        if uri.tls != media.tls:
            problems.append("scheme_proto_mismatch")
        if uri.transport != "tcp" and uri.transport.lower() != "tcp":
            problems.append("transport_not_tcp")


def _judge_host(uri: Uri | None, connection: Connection | None, problems: list[str]) -> None:
    if connection is None:
        problems.append("no_connection_line")
    elif uri is not None and not same_host(uri.host, connection.host):
        problems.append("path_host_differs_from_c_line")


def _is_message(body: bytes, begin: int, end: int) -> bool:
    return part(body, begin, end) == b"message" or part(body, begin, end).lower() == b"message"


def _port(body: bytes, begin: int, end: int) -> int:
    """The port that the m= line names, in five digits at most; -1 if that is none."""
    number = 0
    for at in range(begin, end):
        if body[at] not in b"0123456789" or number > 65535:
            return -1
        number = number * 10 + (body[at] - ZERO)
    return number if number <= 65535 and end - begin <= 5 else -1


def _is_tls(proto: bytes) -> bool | None:
    """Whether a transport of MSRP is TLS; ``None`` if it is none of MSRP."""
    return False if proto == b"TCP/MSRP" else _PROTOS.get(text(proto).upper())


def _dialable(host: str, port: int) -> bool:
    """Whether host and port can be anybody's: the rules that need no name resolution."""
    if port in (0, DISCARD_PORT):
        return False
    found = address(host)
    if found is None:
        return _NAME_TO_DIAL.fullmatch(host) is not None
    mapped = getattr(found, "ipv4_mapped", None) or found
    return not (mapped.is_unspecified or mapped.is_multicast)


# By transport, whether it is TLS.
_PROTOS = {"TCP/MSRP": False, "TCP/TLS/MSRP": True}
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
