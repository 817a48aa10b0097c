# cython: annotation_typing=False
"""Reading of message sections: their lines gone through once, and what is wrong with them."""

from __future__ import annotations

import re

from ..errors import UriError
from ..net.roles import Setup
from ..net.uri import Uri, parse_uri, same_host
from .lines import colon, kind_of, line_end, part, past_blanks, past_field, text, value_of
from .msrp_section import Connection, MsrpSection

# URIs and octets of a path: an endpoint's relays (RFC 4976) and itself. Every chunk for it is sent
# with all of them, so that short ones grow by as much.
MOST_URIS, LONGEST_PATH = 32, 4096
STAR, ZERO, FOUR = 0x2A, 0x30, 0x34


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


# By transport, whether it is TLS.
_PROTOS = {"TCP/MSRP": False, "TCP/TLS/MSRP": True}
_SETUPS = {setup.value.encode(): setup for setup in Setup}
# The TTL and range of a multicast address (RFC 8866 section 5.7) are no part of the host.
_CONNECTION = re.compile(rb"c=[ \t]*[Ii][Nn][ \t]+([Ii][Pp][46])[ \t]+([^\s/]+)")
