# cython: annotation_typing=False
"""Chance from the kernel's generator, fetched in blocks: one system call for many draws."""

from __future__ import annotations

import os

BLOCK = 4096
# A draw below n is uneven by n / 2^64 at most.
DRAW_BYTES = 8

_block = b""
_used = 0


def octets(count: int) -> bytes:
    """``count`` random octets, at most :data:`BLOCK`; each is given out once."""
    global _block, _used
    if _used + count > len(_block):
        _block, _used = os.urandom(BLOCK), 0
    _used += count
    return _part(_block, _used - count, _used)


def below(limit: int) -> int:
    """A random number from 0 to ``limit`` - 1."""
    draw = 0
    for octet in octets(DRAW_BYTES):
        draw = draw << 8 | octet
    return draw % limit


def _part(block: bytes, begin: int, end: int) -> bytes:
    return block[begin:end]


def forget() -> None:
    """Drop what is left of the block: after a fork two processes must not share it."""
    global _used
    _used = len(_block)


os.register_at_fork(after_in_child=forget)
