"""Point one MSRP section at the relay, and touch nothing else in it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..roles import Setup
from ..uri import host_port, host_port_span
from .lines import as_ended
from .section import MsrpSection

Policy = Literal["aware", "cema", "sessmatch"]
Family = Literal["IP4", "IP6"]


class SectionEdit(Struct, frozen=True, kw_only=True):
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
    if edit.policy == "aware" and not edit.session_id:
        raise ValueError("the aware policy needs a session-id of the relay's own")
    text = Lines(body[section.begin : section.end], section, edit.policy)
    text.lines[0] = _with_port(text.lines[0], edit.port)
    connection = b"c=IN %b %b" % (edit.family.encode(), edit.host.encode())
    text.put(b"c=", connection, _after_title(text.names))
    if edit.policy == "aware":
        text.put(b"path", b"a=path:" + edit.uri(section.tls).encode(), len(text.names))
    elif edit.policy == "sessmatch":
        _move_first_uri(text, edit)
    after_path = len(text.names) - text.names[::-1].index(b"path")
    if edit.fingerprint is not None:
        text.put(b"fingerprint", b"a=fingerprint:" + edit.fingerprint, after_path)
    text.put(b"setup", b"a=setup:" + edit.setup.value.encode(), after_path)
    if edit.mark:
        mark = b"a=msrprelay:" + edit.mark.encode()
        # Another relay's mark stays: a loop may lead through both.
        if not text.has(mark):
            text.insert(b"msrprelay", mark, len(text.names))
    return text.joined()


class Lines:
    """The lines of a section that stay under a policy, each without its LF.

    ``names`` has beside each the name of its attribute, or ``c=`` and the like.
    """

    __slots__ = ("_ended", "lines", "names")

    def __init__(self, text: bytes, section: MsrpSection, policy: Policy) -> None:
        # Only the very last line of a body may have no end.
        self._ended = text.endswith(b"\n")
        self.lines: list[bytes] = []
        self.names: list[bytes] = []
        attributes = iter(section.attributes)
        for line in (text[:-1] if self._ended else text).split(b"\n"):
            name = next(attributes)[0] if line.startswith(b"a=") else line[:2]
            self.names.append(name)
            self.lines.append(line)
        for at in range(len(self.names) - 1, 0, -1):
            if _dropped(self.names[at], policy):
                self._drop(at)

    def put(self, name: bytes, text: bytes, at: int) -> None:
        """Make ``text`` the only line of that name: in the first one's place, or new at ``at``."""
        if name not in self.names:
            self.insert(name, text, at)
            return
        first = self.names.index(name)
        self.replace(first, text)
        while self.names.count(name) > 1:
            self._drop(self.names.index(name, first + 1))

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
    return name in _ICE or name.startswith(b"ice-")


def _with_port(text: bytes, port: int) -> bytes:
    """The m= line with another port token; its blanks stay."""
    media, old = text[2:].split(maxsplit=2)[:2]
    start = text.index(old, 2 + text[2:].index(media) + len(media))
    return b"%b%d%b" % (text[:start], port, text[start + len(old) :])


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


def _after_title(names: list[bytes]) -> int:
    """Where a new c= line belongs: after m= and i= (RFC 8866 section 5)."""
    at = 1
    while at < len(names) and names[at] == b"i=":
        at += 1
    return at


_ICE = frozenset({b"candidate", b"remote-candidates", b"end-of-candidates"})
