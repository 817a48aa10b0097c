"""What the two endpoints say to each other: known to both, so that every octet can be checked."""

from __future__ import annotations

_WORDS = (
    "Can you hear me?",
    "Grüße aus Zürich – 你好 – 🙂",
    "-------",
    "A line\r\nand another\r\n",
    "MSRP abcd1234 SEND\r\nTo-Path: msrp://nobody.invalid:9/x;tcp\r\n-------abcd1234$\r\n",
    "long " * 60,
)

CONTENT_TYPE = "text/plain;charset=utf-8"


def text(side: str, number: int) -> bytes:
    """Message ``number`` (from 0) of ``side``: mixed lengths, scripts, and what looks like MSRP."""
    return f"{side} {number}: {_WORDS[number % len(_WORDS)]}".encode()
