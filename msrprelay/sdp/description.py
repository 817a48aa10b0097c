# cython: annotation_typing=False
"""A whole session description: its MSRP sections, and its rewriting octet for octet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..errors import SdpError
from .edit import SectionEdit, edit_section
from .head import HeadEdit, edit_head
from .lines import line_end, lines_in, media_line, part
from .msrp_section import MsrpSection
from .reading import Said, parse_media, parse_section

# Limits of one description: its size in octets and its m= lines.
MAX_SIZE = 65536
MAX_SECTIONS = 64


@dataclass(frozen=True)
class Description:
    """An SDP body (RFC 8866) and its MSRP sections, in order."""

    body: bytes
    sections: tuple[MsrpSection, ...]

    def section(self, index: int) -> MsrpSection | None:
        """The MSRP section that is the ``index``-th m= line."""
        for section in self.sections:
            if section.index == index:
                return section
        return None

    def rewrite(self, edits: Mapping[int, SectionEdit], head: HeadEdit | None = None) -> bytes:
        """The body with the sections of these m= indices pointed at the relay.

        ``head`` says what of the session level changes too. Every other line comes back octet for
        octet; without either it is ``body`` itself. ``ValueError`` if an index names no section
        that can be anchored.
        """
        if not edits and head is None:
            return self.body
        wanted = [each for each in self.sections if each.index in edits and each.anchor]
        if len(wanted) != len(edits):
            raise ValueError("an edit names a section that cannot be anchored")
        return _rewritten(self.body, wanted, edits, head)


def parse(body: bytes, max_size: int = MAX_SIZE, max_sections: int = MAX_SECTIONS) -> Description:
    """Read an SDP body; :class:`SdpError` names the rule and the line.

    Rules: ``not_sdp``, ``sdp_too_large`` (octets), ``too_many_sections`` (m= lines). Everything
    else that is wrong is a problem of its section, so that the others can still be relayed.
    """
    if len(body) > max_size:
        raise SdpError("sdp_too_large", body.count(b"\n", 0, max_size) + 1)
    if not body.startswith(b"v="):
        raise SdpError("not_sdp", 1)
    return Description(body, tuple(_sections(body, len(body), max_sections)))


def _sections(body: bytes, size: int, max_sections: int) -> list[MsrpSection]:
    """The MSRP sections among all that begin with an m= line."""
    begin = media_line(body, 0, size)
    common = Said()
    common.read(body, 0, begin)
    found = []
    # Which of the m= lines begins at ``begin``, and which of all lines.
    index, line = 0, common.lines + 1
    while begin < size:
        if index == max_sections:
            raise SdpError("too_many_sections", line)
        end = media_line(body, line_end(body, begin, size) + 1, size)
        media = parse_media(body, begin, end)
        if media is None:
            line += lines_in(body, begin, end)
        else:
            section = parse_section(body, index, line, begin, end, media, common)
            found.append(section)
            line = section.stop
        begin = end
        index += 1
    return found


def _rewritten(
    body: bytes,
    sections: list[MsrpSection],
    edits: Mapping[int, SectionEdit],
    head: HeadEdit | None,
) -> bytes:
    parts = []
    at = 0
    if head is not None:
        starts = _starts(body, len(body))
        spans = enumerate(pairwise([*starts, len(body)]))
        foreign = [span for index, span in spans if index not in edits]
        at = starts[0] if starts else len(body)
        parts.append(edit_head(body, at, foreign, head))
    for section in sections:
        parts.append(part(body, at, section.begin))
        parts.append(edit_section(body, section, edits[section.index]))
        at = section.end
    parts.append(part(body, at, len(body)))
    return b"".join(parts)


def _starts(body: bytes, size: int) -> list[int]:
    """Where the m= lines begin."""
    starts = []
    at = media_line(body, 0, size)
    while at < size:
        starts.append(at)
        at = media_line(body, line_end(body, at, size) + 1, size)
    return starts
