"""TCP options that the rules need (RFC 9293, RFC 7323, RFC 2018)."""

from __future__ import annotations

import struct
from typing import NamedTuple

MSS, SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = 2, 3, 4, 5, 8
TIMESTAMPS_ALONE = b"\x01\x01\x08\x0a"
"""How nearly every segment spells its only option: two pads and timestamps."""


class Options(NamedTuple):
    """None where an option is absent; ``sack`` holds (left, right) edges as sent."""

    mss: int | None = None
    scale: int | None = None
    sack_permitted: bool = False
    tsval: int | None = None
    tsecr: int | None = None
    sack: tuple[tuple[int, int], ...] = ()


NONE = Options()


def parse_options(raw: bytes) -> Options:
    """Read an option block; stops at the first option whose length cannot be right."""
    if not raw:
        return NONE
    if len(raw) == 12 and raw.startswith(TIMESTAMPS_ALONE):
        tsval, tsecr = struct.unpack_from("!II", raw, 4)
        return Options(tsval=tsval, tsecr=tsecr)
    return _parse_slowly(raw)


def _parse_slowly(raw: bytes) -> Options:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        size = raw[at + 1] if at + 1 < len(raw) else 0
        if size < 2 or at + size > len(raw):
            break
        found.setdefault(raw[at], raw[at + 2 : at + size])
        at += size
    stamps = struct.unpack("!II", found[TIMESTAMPS]) if _long(found, TIMESTAMPS, 8) else None
    return Options(
        int.from_bytes(found[MSS], "big") if _long(found, MSS, 2) else None,
        # RFC 7323 section 2.3: a shift count above 14 counts as 14.
        min(found[SCALE][0], 14) if _long(found, SCALE, 1) else None,
        SACK_PERMITTED in found,
        stamps[0] if stamps else None,
        stamps[1] if stamps else None,
        _edges(found.get(SACK, b"")),
    )


def _long(found: dict[int, bytes], kind: int, size: int) -> bool:
    return len(found.get(kind, b"")) == size


def _edges(raw: bytes) -> tuple[tuple[int, int], ...]:
    whole = len(raw) // 8 * 8
    return tuple(struct.iter_unpack("!II", raw[:whole]))
