"""Re-offers that change what they should not (RFC 3264 section 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cases import Case
from ..finding import Hit, Level, rule
from ..media import Media
from ..sip import Dialog

ORIGIN_LINE = re.compile(rb"^o=.*$", re.MULTILINE)


def _successive(dialog: Dialog) -> Iterator[tuple[Media, Media]]:
    """(before, after) of the same owner towards the same peer, in different transactions."""
    latest: dict[tuple[str, str], Media] = {}
    for media in dialog.media:
        way = (media.message.src.host, media.message.dst.host)
        before = latest.get(way)
        if before is not None and _transaction(before) != _transaction(media):
            yield before, media
        latest[way] = media


def _transaction(media: Media) -> tuple[int, str]:
    """Both sides count their CSeq by themselves, so that it takes the branch too."""
    return media.message.cseq, media.message.branch


@rule(
    "S05",
    Level.DIALOG,
    "Port changed for nothing",
    "A relay keeps its port over re-INVITEs, and leaves the session version in o= as it is.",
)
def port_changed(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """Same session-id and setup, other address: the peer must tear down and dial again."""
    parts = (part for pair in _successive(dialog) for part in _by_section(*pair))
    for before, after in parts:
        old, new = before.section, after.section
        if old is None or new is None or not before.session_ids & after.session_ids:
            continue
        if old.setup == new.setup and (_where(before) != _where(after)):
            yield Hit(
                [before.number, after.number],
                f"The {case.name(after.message.src.host)} moved from {_where(before)} to "
                f"{_where(after)} with the same session-id and setup: the peer must tear down and "
                "dial again, chunks in flight are lost.",
            )


def _by_section(before: Media, after: Media) -> Iterator[tuple[Media, Media]]:
    for section in after.sections:
        yield before.part(section.index), after.part(section.index)


def _where(media: Media) -> str:
    uri = media.uri
    path = "" if uri is None else f"path {uri.host}:{uri.port}"
    return f"{media.address} ({path})"


@rule(
    "S05b",
    Level.DIALOG,
    "Session version and body disagree",
    "o= sess-version goes up by one when the body changes, and only then (RFC 3264 section 8).",
)
def version_disagrees(dialog: Dialog, case: Case) -> Iterator[Hit]:
    """A peer may ignore a change that the version does not announce, or act on one that is none."""
    for before, after in _successive(dialog):
        if not (before.section or after.section) or before.origin is None or after.origin is None:
            continue
        (session, version), (session2, version2) = before.origin, after.origin
        same_body = _without_origin(before) == _without_origin(after)
        if session != session2 or same_body == (version == version2):
            continue
        text = (
            f"the body is the same, the version went from {version} to {version2}"
            if same_body
            else f"the body differs, the version is {version} in both"
        )
        yield Hit(
            [before.number, after.number],
            f"In the description of the {case.name(after.message.src.host)} {text}: the peer may "
            "ignore a change, or act on none.",
        )


def _without_origin(media: Media) -> bytes:
    return ORIGIN_LINE.sub(b"", media.description.body)
