"""The two encodings of control messages: bencode, and JSON in the same shape.

JSON strings become bytes on the way in, as bencode's are, so that requests see one shape; on the
way out bytes become strings.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..commands import Reply
from ..errors import CommandError
from .bencode import BencodeError, Value
from .bencode import decode as decode_bencode
from .bencode import encode as encode_bencode
from .requests import Fields

Encoding = Literal["bencode", "json"]
MAX_DEPTH = 32


def encoding_of(body: bytes) -> Encoding:
    """In what the reply to ``body`` is written: bencode unless it begins like a JSON object."""
    return "json" if body.startswith(b"{") else "bencode"


def decode(body: bytes) -> Fields:
    """The dictionary that ``body`` holds; bytes behind a bencoded one are ignored.

    Raises CommandError with rtpengine's words.
    """
    if not body:
        raise CommandError("Invalid data (no payload)")
    if body.startswith(b"{"):
        return decode_json(body)
    if not body.startswith(b"d"):
        raise CommandError("Invalid NG data format")
    try:
        fields, _end = decode_bencode(body)
    except BencodeError:
        raise CommandError("Could not decode bencode dictionary") from None
    assert isinstance(fields, dict)
    return fields


def decode_json(body: bytes) -> Fields:
    """The object that ``body`` holds; raises CommandError with rtpengine's words."""
    try:
        fields = from_json(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise CommandError("Failed to parse JSON document")
    return fields


def encode(reply: Reply, encoding: Encoding) -> bytes:
    """The reply in the request's encoding; raises TypeError for what neither can hold."""
    return encode_bencode(reply) if encoding == "bencode" else msgspec.json.encode(to_json(reply))


def from_json(value: object, depth: int = 0) -> Value:
    """A decoded JSON value in bencode's shape: no null, no booleans, no fractions.

    Raises ValueError when it nests too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        items = value.items()
        return {str(key): from_json(item, depth + 1) for key, item in items if item is not None}
    if isinstance(value, list):
        return [from_json(item, depth + 1) for item in value if item is not None]
    if isinstance(value, int):
        return int(value)
    return str(value).encode()


def to_json(value: object) -> object:
    """``value`` with what JSON cannot hold written as escapes: bytes that are no UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value if value.isascii() else to_json(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, dict):
        return {to_json(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value
