# cython: annotation_typing=False
"""Point one MSRP section at the relay, and touch nothing else in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..roles import Setup
from ..uri import host_port, host_port_span
from .lines import as_ended, name_of, part, past_blanks, past_field
from .section import MsrpSection

Policy = Literal["aware", "cema", "sessmatch"]
Family = Literal["IP4", "IP6"]


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
        return f"{scheme}://{host_port(self.host, self.port)}/{self.session_id};tcp"


def edit_section(body: bytes, section: MsrpSection, edit: SectionEdit) -> bytes:
    """The section of ``body``, rewritten; line ends stay as they are."""
    policy = edit.policy
    if policy == "aware" and not edit.session_id:
        raise ValueError("the aware policy needs a session-id of the relay's own")
    text = Lines(part(body, section.begin, section.end), policy)
    text.lines[0] = _with_port(text.lines[0], edit.port)
    text.put(b"c=", f"c=IN {edit.family} {edit.host}".encode(), text.after_title())
    if policy == "aware":
        text.put(b"path", f"a=path:{edit.uri(section.tls)}".encode(), len(text.names))
    elif policy == "sessmatch":
        _move_first_uri(text, edit)
    after_path = text.after_path()
    if edit.fingerprint is not None:
        text.put(b"fingerprint", b"a=fingerprint:" + edit.fingerprint, after_path)
    text.put(b"setup", ("a=setup:" + edit.setup).encode(), after_path)
    if edit.mark:
        mark = f"a=msrprelay:{edit.mark}".encode()
        # Another relay's mark stays: a loop may lead through both.
        if not text.has(mark):
            text.insert(b"msrprelay", mark, len(text.names))
    return text.joined()


class Lines:
    """The lines of a section that stay under a policy, each without its LF.

    ``names`` has beside each the name of its attribute, or ``c=`` and the like.
    """

    __slots__ = ("_ended", "lines", "names")

    def __init__(self, text: bytes, policy: Policy) -> None:
        self._ended = True
        self.lines: list[bytes] = []
        self.names: list[bytes] = []
        self._read(text.split(b"\n"), policy)

    def _read(self, lines: list[bytes], policy: Policy) -> None:
        # Only the very last line of a body may have no end.
        self._ended = not lines[-1]
        if self._ended:
            del lines[-1]
        stays = True
        for line in lines:
            name = name_of(line) if line.startswith(b"a=") else line[:2]
            stays = not _dropped(name, policy)
            if stays:
                self.names.append(name)
                self.lines.append(line)
        # What stands before the last line has an end.
        self._ended = self._ended or not stays

    def put(self, name: bytes, text: bytes, at: int) -> None:
        """Make ``text`` the only line of that name: in the first one's place, or new at ``at``."""
        first = self._find(name, 0)
        if first < 0:
            self.insert(name, text, at)
            return
        self.replace(first, text)
        again = self._find(name, first + 1)
        while again >= 0:
            self._drop(again)
            again = self._find(name, again)

    def _find(self, name: bytes, start: int) -> int:
        """The first line of that name from ``start`` on; -1: there is none."""
        for at in range(start, len(self.names)):
            if self.names[at] == name:
                return at
        return -1

    def _drop(self, at: int) -> None:
        # What stands before the last line has an end.
        self._ended = self._ended or at == len(self.lines) - 1
        del self.names[at], self.lines[at]

    def insert(self, name: bytes, text: bytes, at: int) -> None:
        """A new line with the end that the first one has."""
        if at < len(self.lines) or self._ended:
            text = as_ended(text, self.lines[0])
        else:
            # The body ends without a line end: it goes on doing so.
            self.lines[-1] = as_ended(self.lines[-1], self.lines[0])
        self.names.insert(at, name)
        self.lines.insert(at, text)

    def replace(self, at: int, text: bytes) -> None:
        """Another text with the same end."""
        ended = at < len(self.lines) - 1 or self._ended
        self.lines[at] = as_ended(text, self.lines[at]) if ended else text

    def has(self, text: bytes) -> bool:
        """Whether there is such a line, whatever its end."""
        return text in self.lines or text + b"\r" in self.lines

    def after_title(self) -> int:
        """Where a new c= line belongs: after m= and i= (RFC 8866 section 5)."""
        at = 1
        while at < len(self.names) and self.names[at] == b"i=":
            at += 1
        return at

    def after_path(self) -> int:
        """Where a new attribute belongs: after the last a=path, and a live section has one."""
        at = len(self.names)
        while self.names[at - 1] != b"path":
            at -= 1
        return at

    def joined(self) -> bytes:
        """All lines with their ends."""
        if self._ended:
            self.lines.append(b"")
        return b"\n".join(self.lines)


def _dropped(name: bytes, policy: Policy) -> bool:
    """Lines that would lead the peer past the relay: ICE, and CEMA where the relay is no CEMA box.

    RFC 6714 section 6.2: a B2BUA never forwards a=msrp-cema.
    """
    if name == b"msrp-cema":
        return policy == "aware"
    return name.startswith(b"ice-") or name in (
        b"candidate",
        b"remote-candidates",
        b"end-of-candidates",
    )


def _with_port(line: bytes, port: int) -> bytes:
    """The m= line with another port token; its blanks stay."""
    begin = past_blanks(line, past_field(line, past_blanks(line, 2)))
    end = past_field(line, begin)
    return part(line, 0, begin) + f"{port}".encode() + part(line, end, len(line))


def _move_first_uri(text: Lines, edit: SectionEdit) -> None:
    """Replace host and port of the path's first URI; session-id and later URIs are the peer's."""
    paths = (at for at, name in enumerate(text.names) if name == b"path")
    at = next(at for at in paths if text.lines[at].partition(b":")[2].strip())
    line = text.lines[at]
    after = line.index(b":") + 1
    uri = line[after:].split()[0]
    start = line.index(uri, after)
    first, last = host_port_span(uri.decode("ascii"))
    target = host_port(edit.host, edit.port).encode()
    text.lines[at] = line[: start + first] + target + line[start + last :]
