"""Replies and fields between their wire and Python."""

from __future__ import annotations

from typing import Any

from ..rpc import bencode
from .relay import NotReached, Refused, Reply


def settled(reply: Reply) -> Reply:
    """The reply of a command that was carried out; raises Refused for any other."""
    if reply.get("result") in ("ok", "pong"):
        return reply
    reason = reply.get("error-reason") or reply.get("message") or reply.get("result")
    raise Refused(str(reason or "the reply has no result"))


def from_bencode(body: bytes) -> Reply:
    """A bencoded reply as JSON would have it, ``sdp`` left as bytes. Raises NotReached."""
    try:
        value, _ = bencode.decode(body)
    except bencode.BencodeError as error:
        raise NotReached(f"the reply is no bencode: {error}") from None
    if not isinstance(value, dict):
        raise NotReached("the reply is no dictionary")
    return {key: item if key == "sdp" else as_text(item) for key, item in value.items()}


def as_text(value: bencode.Value) -> Any:
    """A bencoded value with its bytes as strings."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return value


def for_json(value: object) -> object:
    """A field with bytes as a string; raises Refused for bytes that JSON cannot carry."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused("bytes that are no UTF-8 cannot go by JSON-RPC: use ng") from None
