"""Arithmetic modulo 2^32, as TCP's sequence numbers and timestamps need it (RFC 7323 5.2)."""

from __future__ import annotations

HALF, WHOLE = 1 << 31, 1 << 32


def distance(later: int, earlier: int) -> int:
    """``later`` - ``earlier`` as a signed 32 bit difference."""
    return ((later - earlier + HALF) % WHOLE) - HALF


def unwrap(value: int, base: int, near: int) -> int:
    """The offset of ``value`` from ``base`` that lies nearest to the offset ``near``."""
    return near + distance(value, (base + near) % WHOLE)
