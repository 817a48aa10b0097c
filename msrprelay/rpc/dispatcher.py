# cython: annotation_typing=False
"""From a command's name and fields to its reply: parse, call, and refuse in rtpengine's words."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..commands import Commands, Delete, Origin, Reply, SdpRequest
from ..errors import LOAD_LIMITS, CommandError
from ..log import Log, Throttle
from .flags import KNOWN, word, words
from .requests import (
    Fields,
    check_identifiers,
    parse_answer,
    parse_delete,
    parse_drain,
    parse_list,
    parse_offer,
    parse_query,
    parse_rollback,
    parse_terminate,
)

log = Log()

INTERNAL_ERROR = "Internal error"
UNRECOGNIZED = "Unrecognized command"

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Command(Generic[R]):
    """How one command is read and made; reading refuses what no state of the relay could take."""

    parse: Callable[[Fields, Origin], R]
    call: Callable[[Commands, R], Reply]


def nothing(fields: Fields, origin: Origin) -> None:
    """The request of a command that has no fields."""


NG: Mapping[str, Command[Any]] = {
    "answer": Command(parse_answer, lambda to, request: to.answer(request)),
    "delete": Command(parse_delete, lambda to, request: to.delete(request)),
    "list": Command(parse_list, lambda to, request: to.list(request)),
    "offer": Command(parse_offer, lambda to, request: to.offer(request)),
    "ping": Command(nothing, lambda to, _: to.ping()),
    "query": Command(parse_query, lambda to, request: to.query(request)),
    "rollback": Command(parse_rollback, lambda to, request: to.rollback(request)),
    "statistics": Command(nothing, lambda to, _: to.statistics()),
}
# What only an operator's socket offers besides.
JSON_RPC: Mapping[str, Command[Any]] = {
    **NG,
    "drain": Command(parse_drain, lambda to, request: to.drain(request)),
    "limits": Command(nothing, lambda to, _: to.limits()),
    "terminate": Command(parse_terminate, lambda to, request: to.terminate(request)),
    "upgrade": Command(nothing, lambda to, _: to.upgrade()),
}


@dataclass(frozen=True)
class Outcome:
    """A reply; ``lasting`` if a retry of the same request should get it again.

    A refusal by the sessions is not lasting: it comes from their state, so a retry may cure it.
    """

    reply: Reply
    lasting: bool


class Dispatcher:
    """Performs commands for the protocols; counts them by (command, result).

    ``long_identifiers`` were refused for their length.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        longest_identifier: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``longest_identifier``: octets of a Call-ID, tag or branch in an SDP's request."""
        self._commands = commands
        self._longest_identifier = longest_identifier
        self.long_identifiers = 0
        self._unknown_flags = Throttle(clock)
        self.counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def perform(
        self,
        name: str,
        fields: Fields,
        origin: Origin,
        table: Mapping[str, Command[Any]] = NG,
    ) -> Outcome:
        """Run the command of that name in ``table``; never raises for what a caller sent."""
        command = table.get(name)
        if command is None:
            # Counted under one name: strangers must not make the table of counts grow.
            self.counts["unrecognized", "error"] += 1
            return Outcome(refusal(UNRECOGNIZED), True)
        outcome = self._run(name, command, fields, origin)
        self.counts[name, str(outcome.reply["result"])] += 1
        return outcome

    def _run(self, name: str, command: Command[Any], fields: Fields, origin: Origin) -> Outcome:
        request = None
        try:
            request = self._read(command, fields, origin)
            reply = command.call(self._commands, request)
        except CommandError as error:
            # A refused answer reaches the caller all the same, with an SDP that misses the relay.
            write = log.warning if name == "answer" else log.info
            write(
                "command refused",
                command=name,
                call_id=word(fields.get("call-id")),
                reason=error.reason,
                origin=str(origin),
            )
            return Outcome(limited(error.reason, fields), request is None)
        except Exception:
            # A bug of ours costs one reply, never the server.
            log.exception("command failed", command=name, call_id=word(fields.get("call-id")))
            return Outcome(refusal(INTERNAL_ERROR), False)
        if isinstance(request, (SdpRequest, Delete)) and request.flags:
            self._note_unknown(request.flags - KNOWN, request.call_id)
        reply.setdefault("result", "ok")
        return Outcome(reply, True)

    def _read(self, command: Command[Any], fields: Fields, origin: Origin) -> Any:
        request = command.parse(fields, origin)
        # What only asks about a call leaves nothing behind.
        if isinstance(request, SdpRequest):
            try:
                check_identifiers(request, self._longest_identifier)
            except CommandError:
                self.long_identifiers += 1
                raise
        return request

    def _note_unknown(self, flags: Iterable[str], call_id: str) -> None:
        for flag in flags:
            held = self._unknown_flags.admit(flag)
            if held is not None:
                log.info("unknown flag ignored", flag=flag, call_id=call_id, held_back=held)


def refusal(reason: str) -> Reply:
    """The reply to a refused command."""
    return {"result": "error", "error-reason": reason}


def limited(reason: str, fields: Fields) -> Reply:
    """A refusal, in the form that makes a caller who knows it try the next relay at once."""
    if reason in LOAD_LIMITS and "load limit" in words(fields.get("supports")):
        return {"result": "load limit", "message": reason}
    return refusal(reason)
