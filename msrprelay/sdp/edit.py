# cython: annotation_typing=False
"""Point one MSRP section at the relay, and touch nothing else in it."""

from __future__ import annotations

from dataclasses import dataclass

from ..net.roles import Setup
from ..net.uri import bracketed, host_port, host_port_span
from ..words import Family, Policy
from .lines import colon, kind_of, line_end, part, past_blanks, past_field
from .msrp_section import MsrpSection

LF, CR, EQUALS, LOWER_I = 0x0A, 0x0D, 0x3D, 0x69


@dataclass(frozen=True)
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
        scheme = "msrps" if tls else "msrp"
        return f"{scheme}://{bracketed(self.host)}:{self.port}/{self.session_id};tcp"


def edit_section(body: bytes, section: MsrpSection, edit: SectionEdit) -> bytes:
    """The section of ``body``, rewritten; line ends stay as they are."""
    if edit.policy == "aware" and not edit.session_id:
        raise ValueError("the aware policy needs a session-id of the relay's own")
    rewriting = Rewriting(part(body, section.begin, section.end), edit)
    rewriting.prepare(section.tls)
    return rewriting.text()


class Rewriting:
    """The text of a section, gone through once and put together anew.

    What the relay says takes the place of the first line of its kind, whose other lines go; where
    the section has none of that kind it is a line more.
    """

    __slots__ = (
        "_connection",
        "_edit",
        "_eol",
        "_fingerprint",
        "_mark",
        "_missing",
        "_moves_uri",
        "_parts",
        "_path",
        "_path_parts",
        "_section",
        "_setup",
        "_title_parts",
        "_written",
    )

    def __init__(self, section: bytes, edit: SectionEdit) -> None:
        self._edit = edit
        # Lines of ours: None where the peer's stay, b"" when they have been said.
        self._connection: bytes | None = None
        self._setup: bytes | None = None
        self._path: bytes | None = None
        self._fingerprint: bytes | None = None
        self._mark = b""
        # Whether the first URI is to get another host and port.
        self._moves_uri = False
        # A line that is added ends as the first one does.
        first = line_end(section, 0, len(section))
        self._eol = b"\r\n" if section[first - 1] == CR else b"\n"
        # Only the very last line of a body may have no end: it has one meanwhile.
        last = section[len(section) - 1]
        self._missing = b"" if last == LF else b"\n" if last == CR else self._eol
        self._section = section + self._missing if self._missing else section
        self._parts: list[bytes] = []
        # What has been put into parts, in octets of the section.
        self._written = 0
        # How many parts there are up to the title (m= and i=), and up to the last a=path line.
        self._title_parts = self._path_parts = 0

    def prepare(self, tls: bool) -> None:
        """Spell the lines of ours."""
        edit = self._edit
        self._connection = f"c=IN {edit.family} {edit.host}".encode()
        self._setup = ("a=setup:" + edit.setup).encode()
        if edit.policy == "aware":
            self._path = f"a=path:{edit.uri(tls)}".encode()
        self._moves_uri = edit.policy == "sessmatch"
        if edit.fingerprint is not None:
            self._fingerprint = b"a=fingerprint:" + edit.fingerprint
        if edit.mark:
            self._mark = f"a=msrprelay:{edit.mark}".encode()

    def text(self) -> bytes:
        """What the recipient is told."""
        self._take(self._take_title())
        self._add(self._fingerprint, self._path_parts)
        self._add(self._setup, self._path_parts)
        self._add(self._connection, self._title_parts)
        self._add(self._mark, len(self._parts))
        text = b"".join(self._parts)
        return text[: len(text) - len(self._missing)] if self._missing else text

    def _take_title(self) -> int:
        """Write m= and i= lines; where they end. A new c= line belongs there (RFC 8866 5)."""
        section, end = self._section, len(self._section)
        stop = line_end(section, 0, end)
        # The m= line gets another port token; its blanks stay.
        begin = past_blanks(section, past_field(section, past_blanks(section, 2, stop), stop), stop)
        self._put(begin, past_field(section, begin, stop), f"{self._edit.port}".encode())
        at = stop + 1
        while at < end and section[at] == LOWER_I and section[at + 1] == EQUALS:
            at = line_end(section, at, end) + 1
        self._write(at)
        self._title_parts = len(self._parts)
        return at

    def _take(self, at: int) -> None:
        """Write the lines from ``at`` on."""
        section, end = self._section, len(self._section)
        while at < end:
            stop = line_end(section, at, end)
            self._take_line(kind_of(section, at, stop), at, stop)
            at = stop + 1
        self._write(end)

    def _take_line(self, kind: bytes, at: int, stop: int) -> None:
        if kind == b"c=":
            self._connection = self._say(self._connection, at, stop)
        elif kind == b"a=path":
            self._take_path(at, stop)
        elif kind == b"a=setup":
            self._setup = self._say(self._setup, at, stop)
        elif kind == b"a=fingerprint":
            self._fingerprint = self._say(self._fingerprint, at, stop)
        elif kind == b"a=msrprelay":
            # Another relay's mark stays: a loop may lead through both.
            if part(self._section, at, _text_end(self._section, stop)) == self._mark:
                self._mark = b""
        elif _leads_past(kind, self._edit.policy):
            self._drop(at, stop)

    def _take_path(self, at: int, stop: int) -> None:
        if self._path == b"":
            self._drop(at, stop)
            return
        self._path = self._say(self._path, at, stop)
        if self._moves_uri:
            self._move_uri(at, stop)
        self._write(stop + 1)
        self._path_parts = len(self._parts)

    def _move_uri(self, at: int, stop: int) -> None:
        """Replace host and port of the path's first URI; session-id and later URIs stay."""
        section, edit = self._section, self._edit
        begin = past_blanks(section, colon(section, at, stop) + 1, stop)
        if begin >= stop:
            return
        uri = part(section, begin, past_field(section, begin, stop))
        # Any octet may stand in a user's name: one character each.
        first, last = host_port_span(uri.decode("latin-1"))
        self._put(begin + first, begin + last, host_port(edit.host, edit.port).encode())
        self._moves_uri = False

    def _say(self, line: bytes | None, at: int, stop: int) -> bytes | None:
        """Write a line of ours in the place of the peer's; what is left to say."""
        if line is None:
            return None
        if line:
            self._put(at, _text_end(self._section, stop), line)
        else:
            self._drop(at, stop)
        return b""

    def _add(self, line: bytes | None, parts: int) -> None:
        """Add what is left to say behind so many parts."""
        if line:
            self._parts.insert(parts, line + self._eol)

    def _put(self, begin: int, end: int, text: bytes) -> None:
        """Write ``text`` in the place of what stands from ``begin`` to ``end``."""
        self._write(begin)
        self._parts.append(text)
        self._written = end

    def _drop(self, at: int, stop: int) -> None:
        """Leave a line out."""
        self._write(at)
        self._written = stop + 1
        # What stands before the last line has an end.
        if stop + 1 == len(self._section):
            self._missing = b""

    def _write(self, end: int) -> None:
        """Write what stands up to ``end`` as it is."""
        if self._written < end:
            self._parts.append(part(self._section, self._written, end))
            self._written = end


def _text_end(section: bytes, stop: int) -> int:
    """Where the text of a line ends whose LF is at ``stop``."""
    return stop - 1 if section[stop - 1] == CR else stop


def _leads_past(kind: bytes, policy: Policy) -> bool:
    """Lines that would lead the peer past the relay: ICE, and CEMA where the relay is no CEMA box.

    RFC 6714 section 6.2: a B2BUA never forwards a=msrp-cema.
    """
    if kind == b"a=msrp-cema":
        return policy == "aware"
    return kind.startswith(b"a=ice-") or kind in (
        b"a=candidate",
        b"a=remote-candidates",
        b"a=end-of-candidates",
    )
