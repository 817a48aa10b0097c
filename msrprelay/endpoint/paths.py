"""Whether the paths of a chunk are those of a session: whole (RFC 4975 §6.1) or as Blink does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ..errors import UriError
from ..net.uri import Uri


def same(given: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether both are the same URIs in the same order, by the equality of RFC 4975 §6.1."""
    if given == wanted:
        return True
    if len(given) != len(wanted):
        return False
    pairs = [(_parse(one), _parse(other)) for one, other in zip(given, wanted, strict=True)]
    return all(one is not None and one == other for one, other in pairs)


def same_session(given: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the first URIs carry the same session-id (draft-ietf-simple-msrp-sessmatch)."""
    one = _parse(given[0]) if given else None
    other = _parse(wanted[0]) if wanted else None
    return one is not None and other is not None and one.session_id == other.session_id


@lru_cache(maxsize=256)
def _parse(text: str) -> Uri | None:
    try:
        return Uri.parse(text)
    except UriError:
        return None
