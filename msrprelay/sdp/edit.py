"""Point one MSRP section at the relay, and touch nothing else in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..roles import Setup
from ..uri import Uri, host_port, host_port_span
from .lines import Line, attribute
from .section import MsrpSection

Policy = Literal["aware", "cema", "sessmatch"]
Family = Literal["IP4", "IP6"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionEdit:
    """What one section says after the rewrite.

    ``host`` and ``port`` are where the peer finds the relay. ``session_id`` is the relay's own and
    belongs to ``aware`` alone. ``fingerprint`` (``SHA-256 ..``) replaces the endpoint's where TLS
    ends at the relay; ``None`` leaves every fingerprint as it is. ``mark`` is the value of an
    a=msrprelay that is added, by which this relay knows what it has rewritten already.
    """

    policy: Policy
    family: Family
    host: str
    port: int
    setup: Setup
    session_id: str = ""
    fingerprint: bytes | None = None
    mark: str = ""

    def uri(self, tls: bool) -> str:
        """The relay's URI of this section, as ``aware`` writes it into a=path."""
        return str(Uri("msrps" if tls else "msrp", self.host, self.port, self.session_id))


def edit_section(lines: Sequence[Line], section: MsrpSection, edit: SectionEdit) -> list[Line]:
    """The section's lines, rewritten. ``lines[0]`` is its m= line; line ends stay as they are."""
    if edit.policy == "aware" and not edit.session_id:
        raise ValueError("the aware policy needs a session-id of the relay's own")
    result = [named for named in map(_named, lines) if not _dropped(named.name, edit.policy)]
    first = lines[0]
    result[0] = Named(b"m=", Line(_with_port(first.text, edit.port), first.end))
    connection = b"c=IN %b %b" % (edit.family.encode(), edit.host.encode())
    _put(result, b"c=", connection, _after_title(result))
    if edit.policy == "aware":
        _put(result, b"path", b"a=path:" + edit.uri(section.tls).encode(), len(result))
    elif edit.policy == "sessmatch":
        _move_first_uri(result, edit)
    after_path = max(i for i, named in enumerate(result) if named.name == b"path") + 1
    if edit.fingerprint is not None:
        _put(result, b"fingerprint", b"a=fingerprint:" + edit.fingerprint, after_path)
    _put(result, b"setup", b"a=setup:" + edit.setup.value.encode(), after_path)
    if edit.mark:
        mark = b"a=msrprelay:" + edit.mark.encode()
        # Another relay's mark stays: a loop may lead through both.
        if all(named.line.text != mark for named in result):
            _insert(result, b"msrprelay", mark, len(result))
    return [named.line for named in result]


class Named(NamedTuple):
    """A line with the name of its attribute, or with ``c=`` and the like."""

    name: bytes
    line: Line


def _named(line: Line) -> Named:
    pair = attribute(line.text)
    return Named(line.text[:2] if pair is None else pair[0], line)


def _dropped(name: bytes, policy: Policy) -> bool:
    """Lines that would lead the peer past the relay: ICE, and CEMA where the relay is no CEMA box.

    RFC 6714 section 6.2: a B2BUA never forwards a=msrp-cema.
    """
    return name in _ICE or name.startswith(b"ice-") or (name == b"msrp-cema" and policy == "aware")


def _with_port(text: bytes, port: int) -> bytes:
    """The m= line with another port token; its blanks stay."""
    media, old = text[2:].split(maxsplit=2)[:2]
    start = text.index(old, 2 + text[2:].index(media) + len(media))
    return b"%b%d%b" % (text[:start], port, text[start + len(old) :])


def _move_first_uri(lines: list[Named], edit: SectionEdit) -> None:
    """Replace host and port of the path's first URI; session-id and later URIs are the peer's."""
    paths = (i for i, named in enumerate(lines) if named.name == b"path")
    at = next(i for i in paths if _value(lines[i].line.text))
    text, end = lines[at].line
    uri = _value(text).split()[0]
    start = text.index(uri, text.index(b":") + 1)
    first, last = host_port_span(uri.decode("ascii"))
    target = host_port(edit.host, edit.port).encode()
    moved = text[: start + first] + target + text[start + last :]
    lines[at] = Named(b"path", Line(moved, end))


def _put(lines: list[Named], name: bytes, text: bytes, at: int) -> None:
    """Make ``text`` the only line of that name: in the first one's place, or new at ``at``."""
    places = [i for i, named in enumerate(lines) if named.name == name]
    if not places:
        _insert(lines, name, text, at)
        return
    lines[places[0]] = Named(name, Line(text, lines[places[0]].line.end))
    for i in reversed(places[1:]):
        del lines[i]


def _insert(lines: list[Named], name: bytes, text: bytes, at: int) -> None:
    before = lines[at - 1]
    if before.line.end:
        lines.insert(at, Named(name, Line(text, lines[0].line.end)))
    else:
        # The body ends without a line end: it goes on doing so.
        lines[at - 1] = Named(before.name, Line(before.line.text, lines[0].line.end))
        lines.insert(at, Named(name, Line(text, b"")))


def _after_title(lines: list[Named]) -> int:
    """Where a new c= line belongs: after m= and i= (RFC 8866 section 5)."""
    at = 1
    while at < len(lines) and lines[at].name == b"i=":
        at += 1
    return at


def _value(text: bytes) -> bytes:
    pair = attribute(text)
    return b"" if pair is None else pair[1]


_ICE = frozenset({b"candidate", b"remote-candidates", b"end-of-candidates"})
