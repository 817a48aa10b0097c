"""What the two ends of a session write into their path headers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["End", "Policy", "dialled", "ends_of"]

# What becomes of the paths on their way; only our own engine has more than one.
Policy = Literal["aware", "opaque"]


@dataclass(frozen=True, slots=True)
class End:
    """One end: its To-Path, its From-Path, and where it connects (None: it is accepted)."""

    to_path: str
    from_path: str
    connect: str | None = None


def ends_of(number: int, *, aware: bool) -> tuple[End, End]:
    """Left and right end of a session; all URIs have the same length.

    So a chunk is as long behind the relay as before it, and bytes can be counted at the sink.
    """
    left, right = f"msrp://e.x:10008/{number:05}l;tcp", f"msrp://e.x:10009/{number:05}r;tcp"
    if not aware:
        return End(right, left), End(left, right)
    to_left, to_right = f"msrp://r.x:10006/{number:05}u;tcp", f"msrp://r.x:10007/{number:05}v;tcp"
    return End(to_left, left), End(to_right, right)


def dialled(count: int, front: str) -> list[tuple[End, End]]:
    """Ends of sessions whose left end connects to ``front`` and whose right end is accepted."""
    pairs = (ends_of(number, aware=False) for number in range(count))
    return [(replace(left, connect=front), right) for left, right in pairs]
