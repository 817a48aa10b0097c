"""JSON-RPC 2.0 without a socket: one JSON text in, at most one out.

Methods are the ng commands and the operator's; ``params`` are the ng keys by name, the result is
the ng reply dictionary, an ng refusal is error -32000 with the error-reason as its message.
A ``cookie`` among the ``params`` is what it is in ng: it tells a repeated request from another one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from ..commands import Origin
from ..events import NAMES
from .dispatcher import INTERNAL_ERROR, JSON_RPC, Dispatcher
from .encoding import fields_from_json, to_json
from .flags import word, words
from .reply_cache import Key, ReplyCache, key_of
from .requests import Fields, normal

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
REFUSED = -32000

# One text may ask this much; replies are longer than requests, and must be held until all are made.
LARGEST_BATCH = 1000
# What only asks, of a moment: a repeated request may as well be answered anew.
ASKING = frozenset({"limits", "list", "ping", "query", "statistics"})

Id: TypeAlias = "str | int | float | None"
Response: TypeAlias = dict[str, object]


class Fault(Exception):
    """A request that is answered by an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Subscriber(Protocol):
    """A connection that can be sent more than replies."""

    def subscribe(self, events: frozenset[str], call_id: str | None) -> None:
        """Notify of these events from now on (none: of all), of one call or of all."""


class JsonRpcResponder:
    """Answers texts; ``counts`` has the number of error objects by code."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        cache: ReplyCache | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        """``clock``: seconds, for the reply cache.

        ``flush`` is called before a text is given away.
        """
        self._dispatcher = dispatcher
        self._cache = ReplyCache() if cache is None else cache
        self._clock = clock
        self._flush = flush
        self.counts: Counter[int] = Counter()

    def answer(
        self, text: bytes, origin: Origin, subscriber: Subscriber | None = None
    ) -> bytes | None:
        """The text to send back, without a line end; None if only notifications were given.

        ``subscriber`` is the connection that ``subscribe`` is about.
        """
        try:
            document = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return msgspec.json.encode(self.error(None, Fault(PARSE_ERROR, "Parse error")))
        response = self._document(document, origin, subscriber)
        self._flush()
        return None if response is None else msgspec.json.encode(response)

    def error(self, number: Id, fault: Fault) -> Response:
        """The response object for a fault; counts it."""
        self.counts[fault.code] += 1
        error = {"code": fault.code, "message": to_json(fault.message)}
        return {"jsonrpc": "2.0", "id": number, "error": error}

    def _document(
        self, document: object, origin: Origin, subscriber: Subscriber | None
    ) -> Response | list[Response] | None:
        if not isinstance(document, list):
            return self._one(document, origin, subscriber)
        if not 0 < len(document) <= LARGEST_BATCH:
            why = f"Invalid Request: a batch has 1 to {LARGEST_BATCH} requests"
            return self.error(None, Fault(INVALID_REQUEST, why))
        responses = [self._one(request, origin, subscriber) for request in document]
        return [response for response in responses if response is not None] or None

    def _one(
        self, request: object, origin: Origin, subscriber: Subscriber | None
    ) -> Response | None:
        number: Id = None
        try:
            method, params, number, notification = read(request)
        except Fault as fault:
            return self.error(readable_id(request), fault)
        try:
            if method == "subscribe" and subscriber is not None:
                result: object = subscribe(params, subscriber)
            else:
                result = self._call(method, params, origin)
            response: Response = {"jsonrpc": "2.0", "id": number, "result": result}
        except Fault as fault:
            response = self.error(number, fault)
        return None if notification else response

    def _call(self, method: str, params: Fields, origin: Origin) -> object:
        if method not in JSON_RPC:
            raise Fault(METHOD_NOT_FOUND, "Method not found")
        key = repeatable(method, params, origin)
        kept = None if key is None else self._cache.find(key, self._clock())
        if kept is not None:
            return msgspec.Raw(kept)
        outcome = self._dispatcher.perform(method, params, origin, JSON_RPC)
        reply = outcome.reply
        if reply["result"] == "error":
            reason = str(reply["error-reason"])
            raise Fault(INTERNAL if reason == INTERNAL_ERROR else REFUSED, reason)
        result = to_json(reply)
        if key is not None and outcome.lasting:
            self._cache.store(key, msgspec.json.encode(result), self._clock())
        return result


def repeatable(method: str, params: Fields, origin: Origin) -> Key | None:
    """What a request is known by when the process that asks it asks again; None: it need not be."""
    cookie = params.get("cookie")
    if method in ASKING or not isinstance(cookie, bytes) or not cookie:
        return None
    return key_of(origin, cookie, msgspec.json.encode((method, params)))


def subscribe(params: Fields, subscriber: Subscriber) -> object:
    """Carry out ``subscribe``; raises Fault for an event that there is not."""
    fields = normal(params)
    events = frozenset(words(fields.get("events")))
    if events - NAMES:
        unknown = ", ".join(sorted(events - NAMES))
        known = ", ".join(sorted(NAMES))
        why = f"no event is called {unknown}; there are {known}"
        raise Fault(INVALID_PARAMS, f"Invalid params: {why}")
    subscriber.subscribe(events, word(fields.get("call-id")))
    return {"result": "ok", "events": sorted(events or NAMES)}


def read(request: object) -> tuple[str, Fields, Id, bool]:
    """Method, params, id and whether it is a notification; raises Fault."""
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, 'Invalid Request: an object with "jsonrpc": "2.0" is needed')
    method = request.get("method")
    if not isinstance(method, str):
        raise Fault(INVALID_REQUEST, "Invalid Request: method must be a string")
    number = request.get("id")
    if not is_id(number):
        raise Fault(INVALID_REQUEST, "Invalid Request: id must be a string or a number")
    try:
        params = fields_from_json(request.get("params", {}))
    except ValueError as error:
        raise Fault(INVALID_PARAMS, f"Invalid params: {error}") from None
    if not isinstance(params, dict):
        raise Fault(INVALID_PARAMS, "Invalid params: an object of ng keys is needed")
    return method, params, number, "id" not in request


def is_id(number: object) -> bool:
    """Whether ``number`` may be an id; true and false are no numbers."""
    return number is None or (
        isinstance(number, (str, int, float)) and not isinstance(number, bool)
    )


def readable_id(request: object) -> Id:
    """The id to answer a faulty request with; null if it cannot be told."""
    number = request.get("id") if isinstance(request, dict) else None
    return number if is_id(number) else None
