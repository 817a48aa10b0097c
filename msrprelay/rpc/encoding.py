"""The two encodings of control messages: bencode, and JSON in the same shape.

JSON strings become bytes on the way in, as bencode's are, so that requests see one shape; on the
way out bytes become strings.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from .._native import Filled, Told
from ..commands import Reply
from ..errors import NO_BENCODE, NO_JSON, NOT_NG, CommandError
from .bencode import BencodeError, Value
from .bencode import decode as decode_bencode
from .bencode import encode as encode_bencode
from .flags import dashed
from .requests import IDENTIFIERS, Fields

Encoding = Literal["bencode", "json"]
MAX_DEPTH = 32
# What we write into a string: an octet that is no UTF-8, or a backslash that would be read as one.
# Nothing else is read: a caller's Call-ID may well have a backslash.
_OCTET = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")
_LIKE_AN_OCTET = re.compile(r"\\(?=x([89a-f][0-9a-f]|5c))")


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
        raise CommandError(NOT_NG)
    try:
        fields, _end = decode_bencode(body)
    except BencodeError:
        raise CommandError(NO_BENCODE) from None
    assert isinstance(fields, dict)
    return fields


def decode_json(body: bytes) -> Fields:
    """The object that ``body`` holds; raises CommandError with rtpengine's words."""
    try:
        fields = fields_from_json(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise CommandError(NO_JSON)
    return fields


def encode(reply: Reply, encoding: Encoding) -> bytes:
    """The reply in the request's encoding; raises TypeError for what neither can hold."""
    return encode_bencode(reply) if encoding == "bencode" else msgspec.json.encode(to_json(reply))


def fields_from_json(document: object) -> Value:
    r"""As :func:`from_json`, for a message: ``\xNN`` in a name is an octet, as in our replies."""
    fields = from_json(document)
    if isinstance(fields, dict):
        for key, value in fields.items():
            if isinstance(value, bytes) and b"\\x" in value and dashed(key) in IDENTIFIERS:
                fields[key] = _OCTET.sub(lambda found: bytes.fromhex(found[1].decode()), value)
    return fields


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
    r"""``value`` with what JSON cannot hold written as escapes: bytes that are no UTF-8.

    A string can be told from one that has such escapes of its own: their backslash is ``\x5c``.
    Bytes, which are bodies, are not read back.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        if "\\x" in value:
            value = _LIKE_AN_OCTET.sub(r"\\x5c", value)
        return value if value.isascii() else to_json(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, Filled):
        return to_json(value.plain())
    if isinstance(value, (dict, Told)):
        return {to_json(key): to_json(item) for key, item in dict(value).items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value
