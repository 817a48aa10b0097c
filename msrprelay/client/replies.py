"""Replies and fields between their wire and Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..rpc import bencode
from .relay import NotReached, Refused, Reply

# What encoders raise for a value that they do not have.
UNFIT = (TypeError, ValueError, OverflowError, RecursionError)


def said(error: Exception) -> str:
    """Why, without the number that OSError has."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


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


def for_json(fields: Mapping[str, object]) -> bytes:
    """Fields as JSON, bytes as strings; raises Refused, which names the one that cannot go."""
    return encoded(fields, lambda fields: msgspec.json.encode(without_bytes(fields)), "JSON-RPC")


def to_bencode(fields: Mapping[str, object]) -> bytes:
    """Fields as bencode; raises Refused, which names the one that cannot go."""
    return encoded(fields, bencode.encode, "ng")


def encoded(
    fields: Mapping[str, object], encode: Callable[[Mapping[str, object]], bytes], way: str
) -> bytes:
    """Fields on the wire; the caller's mistakes are told apart from the wire's."""
    try:
        return encode(fields)
    except UNFIT:
        for key, value in fields.items():
            try:
                encode({key: value})
            except UNFIT as error:
                raise Refused(f"{key} cannot go by {way}: {error}") from None
        raise


def without_bytes(value: object) -> object:
    """A value with strings for bytes, at any depth. Raises ValueError for what is no text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError("bytes that are no UTF-8: use ng") from None
    if isinstance(value, Mapping):
        return {key: without_bytes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_bytes(item) for item in value]
    return value
