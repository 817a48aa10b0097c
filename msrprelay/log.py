"""The daemon's log: one JSON object a line, or text when a person reads it on a terminal.

Call-ids, tags and addresses are strangers' text: every value is escaped before it is written.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, ClassVar, TextIO, cast

import structlog

from .printable import printable

LEVELS = ("debug", "info", "warning", "error")
EventDict = MutableMapping[str, Any]
Write = Callable[..., Any]
NOWHERE = -1


class Lines:
    """Where lines go. One that cannot be written at once is lost, and counted.

    The disk may be full, whoever reads may be gone, or read no more: calls do not wait for a log.
    """

    # Of the process, since its start.
    lost: ClassVar[int] = 0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._room = select.poll()
        try:
            self._fd = stream.fileno()
        except OSError:
            self._fd = NOWHERE  # memory
        else:
            self._room.register(self._fd, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write one line."""
        if self._fd == NOWHERE:
            self._stream.write(text)
            return
        rest = text.encode(errors="backslashreplace")
        try:
            # No more at a time than a pipe takes whole.
            while rest and self._room.poll(0):
                rest = rest[os.write(self._fd, rest[: select.PIPE_BUF]) :]
        except OSError:
            pass
        Lines.lost += bool(rest)

    def flush(self) -> None:
        """Nothing waits."""


class Log:
    """A module's log. A line below the level costs next to nothing, unlike structlog's own proxy.

    Every line is an event in a few fixed words, and keywords for what varies.
    """

    debug: Write
    info: Write
    warning: Write
    error: Write
    exception: Write
    # Whether ``info`` writes: even a line that is not written costs its keywords.
    informs: bool

    _all: ClassVar[list[Log]] = []

    def __init__(self) -> None:
        self._all.append(self)
        self._renew()

    @classmethod
    def renew_all(cls) -> None:
        """Every log follows the configuration made last."""
        for log in cls._all:
            log._renew()

    def _renew(self) -> None:
        bound = structlog.get_logger().bind()
        for method in (*LEVELS, "exception"):
            setattr(self, method, getattr(bound, method))
        self.informs = bound.is_enabled_for(logging.INFO)


def configure(level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send the log to ``stream`` from ``level`` up. May be called again with another level."""
    renderer = (
        structlog.dev.ConsoleRenderer(colors=not os.environ.get("NO_COLOR"), pad_event_to=0)
        if stream.isatty()
        else structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            # Before the escapes: a traceback quotes strangers' text too.
            structlog.processors.format_exc_info,
            escape,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Lines(stream))),
        cache_logger_on_first_use=False,
    )
    Log.renew_all()


def escape(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Every string in the event made printable; a traceback keeps its lines."""
    for key, value in event.items():
        if key == "exception":
            event[key] = "\n".join(printable(line) for line in str(value).splitlines())
        elif isinstance(value, bytes):
            event[key] = printable(value.decode("utf-8", "surrogateescape"))
        elif isinstance(value, (list, tuple)):
            event[key] = [printable(str(item)) for item in value]
        elif value is not None and not isinstance(value, (int, float)):
            event[key] = printable(str(value))
    return event


class Throttle:
    """Lets a line that strangers can cause at will through once in a while.

    Time is what ``clock`` says, in seconds; at most ``size`` different keys are remembered, so a
    flood of new keys forgets the oldest (and may log it again) but needs no more memory.
    """

    def __init__(
        self, clock: Callable[[], float], *, interval: float = 60.0, size: int = 256
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._size = size
        self._next: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def admit(self, key: str) -> int | None:
        """How many lines about ``key`` were held back since the last; None: hold this one too."""
        now = self._clock()
        due, held = self._next.get(key, (now, 0))
        if now < due:
            self._next[key] = (due, held + 1)
            return None
        self._next[key] = (now + self._interval, 0)
        self._next.move_to_end(key)
        if len(self._next) > self._size:
            self._next.popitem(last=False)
        return held
