"""A whole session description: its MSRP sections, and its rewriting octet for octet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ..errors import SdpError
from .edit import SectionEdit, edit_section
from .head import HeadEdit, edit_head
from .lines import Line, join_lines, split_lines
from .section import MsrpSection, parse_common, parse_media, parse_section

# Limits of one description: its size in octets and its m= lines.
MAX_SIZE = 65536
MAX_SECTIONS = 64


@dataclass(frozen=True, slots=True)
class Description:
    """An SDP body (RFC 8866) and its MSRP sections, in order."""

    body: bytes
    sections: tuple[MsrpSection, ...]

    def section(self, index: int) -> MsrpSection | None:
        """The MSRP section that is the ``index``-th m= line."""
        return next((section for section in self.sections if section.index == index), None)

    def rewrite(self, edits: Mapping[int, SectionEdit], head: HeadEdit | None = None) -> bytes:
        """The body with the sections of these m= indices pointed at the relay.

        ``head`` says what of the session level changes too. Every other line comes back octet for
        octet; no edits give ``body`` itself. ``ValueError`` if an index names no section that can
        be anchored.
        """
        if not edits:
            return self.body
        wanted = [section for section in self.sections if section.index in edits]
        if len(wanted) != len(edits) or not all(section.anchor for section in wanted):
            raise ValueError("an edit names a section that cannot be anchored")
        lines = split_lines(self.body)
        if head is not None:
            starts = _starts(lines)
            bounds = [*starts, len(lines)]
            foreign = [
                lines[start:stop]
                for index, (start, stop) in enumerate(pairwise(bounds))
                if index not in edits
            ]
            lines[: starts[0]] = edit_head(lines[: starts[0]], foreign, head)
        for section in reversed(wanted):
            span = slice(section.line - 1, section.stop - 1)
            lines[span] = edit_section(lines[span], section, edits[section.index])
        return join_lines(lines)


def parse(body: bytes, max_size: int = MAX_SIZE, max_sections: int = MAX_SECTIONS) -> Description:
    """Read an SDP body; :class:`SdpError` names the rule and the line.

    Rules: ``not_sdp``, ``sdp_too_large`` (octets), ``too_many_sections`` (m= lines). Everything
    else that is wrong is a problem of its section, so that the others can still be relayed.
    """
    if len(body) > max_size:
        raise SdpError("sdp_too_large", body.count(b"\n", 0, max_size) + 1)
    lines = split_lines(body)
    if not lines or not lines[0].text.startswith(b"v="):
        raise SdpError("not_sdp", 1)
    starts = _starts(lines)
    if len(starts) > max_sections:
        raise SdpError("too_many_sections", starts[max_sections] + 1)
    return Description(body, tuple(_sections(lines, starts)))


def _starts(lines: list[Line]) -> list[int]:
    return [i for i, line in enumerate(lines) if line.text.startswith(b"m=")]


def _sections(lines: list[Line], starts: list[int]) -> Iterator[MsrpSection]:
    bounds = [*starts, len(lines)]
    common = parse_common(lines[: bounds[0]])
    for index, (start, stop) in enumerate(pairwise(bounds)):
        media = parse_media(lines[start].text)
        if media.msrp:
            yield parse_section(index, start, lines[start:stop], media, common)
