"""Point one MSRP section at the relay, and touch nothing else in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

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
    result = [line for line in lines if not _dropped(line.text, edit.policy)]
    result[0] = Line(_with_port(result[0].text, edit.port), result[0].end)
    connection = b"c=IN %b %b" % (edit.family.encode(), edit.host.encode())
    _put(result, _is_connection, connection, _after_title(result))
    if edit.policy == "aware":
        path = b"a=path:" + edit.uri(section.tls).encode()
        _put(result, _is("path"), path, len(result))
    elif edit.policy == "sessmatch":
        _move_first_uri(result, edit)
    after_path = _last(result, _is("path")) + 1
    if edit.fingerprint is not None:
        _put(result, _is("fingerprint"), b"a=fingerprint:" + edit.fingerprint, after_path)
    _put(result, _is("setup"), b"a=setup:" + edit.setup.value.encode(), after_path)
    if edit.mark:
        mark = b"a=msrprelay:" + edit.mark.encode()
        # Another relay's mark stays: a loop may lead through both.
        _put(result, lambda text: text == mark, mark, len(result))
    return result


def _dropped(text: bytes, policy: Policy) -> bool:
    """Lines that would lead the peer past the relay: ICE, and CEMA where the relay is no CEMA box.

    RFC 6714 section 6.2: a B2BUA never forwards a=msrp-cema.
    """
    pair = attribute(text)
    if pair is None:
        return False
    name = pair[0]
    return name in _ICE or name.startswith(b"ice-") or (name == b"msrp-cema" and policy == "aware")


def _with_port(text: bytes, port: int) -> bytes:
    """The m= line with another port token; its blanks stay."""
    media, old = text[2:].split(maxsplit=2)[:2]
    start = text.index(old, 2 + text[2:].index(media) + len(media))
    return b"%b%d%b" % (text[:start], port, text[start + len(old) :])


def _move_first_uri(lines: list[Line], edit: SectionEdit) -> None:
    """Replace host and port of the path's first URI; session-id and later URIs are the peer's."""
    at = next(i for i, line in enumerate(lines) if _is("path")(line.text) and _value(line.text))
    text, end = lines[at]
    uri = _value(text).split()[0]
    start = text.index(uri, text.index(b":") + 1)
    first, last = host_port_span(uri.decode("ascii"))
    target = host_port(edit.host, edit.port).encode()
    lines[at] = Line(text[: start + first] + target + text[start + last :], end)


def _put(lines: list[Line], wanted: Callable[[bytes], bool], text: bytes, at: int) -> None:
    """Make ``text`` the only wanted line: in the first one's place, or new at ``at``."""
    places = [i for i, line in enumerate(lines) if wanted(line.text)]
    if places:
        lines[places[0]] = Line(text, lines[places[0]].end)
        for i in reversed(places[1:]):
            del lines[i]
    elif lines[at - 1].end:
        lines.insert(at, Line(text, lines[0].end))
    else:
        # The body ends without a line end: it goes on doing so.
        lines[at - 1] = Line(lines[at - 1].text, lines[0].end)
        lines.insert(at, Line(text, b""))


def _after_title(lines: list[Line]) -> int:
    """Where a new c= line belongs: after m= and i= (RFC 8866 section 5)."""
    at = 1
    while at < len(lines) and lines[at].text.startswith(b"i="):
        at += 1
    return at


def _last(lines: list[Line], wanted: Callable[[bytes], bool]) -> int:
    return max(i for i, line in enumerate(lines) if wanted(line.text))


def _is(name: str) -> Callable[[bytes], bool]:
    key = name.encode()

    def wanted(text: bytes) -> bool:
        pair = attribute(text)
        return pair is not None and pair[0] == key

    return wanted


def _is_connection(text: bytes) -> bool:
    return text.startswith(b"c=")


def _value(text: bytes) -> bytes:
    pair = attribute(text)
    return b"" if pair is None else pair[1]


_ICE = frozenset({b"candidate", b"remote-candidates", b"end-of-candidates"})
