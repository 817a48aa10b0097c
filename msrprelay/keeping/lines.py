"""Lines of the log, by processes that have not imported much."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time

ERROR = 2
# Whether standard error takes something.
ROOM = select.poll()
ROOM.register(ERROR, select.POLLOUT)


def log(level: str, event: str, **fields: object) -> None:
    """A line on standard error, as the relay process writes it."""
    now = time.time()
    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1e6):06}Z"
    line = json.dumps({**fields, "event": event, "level": level, "ts": at})
    if os.isatty(ERROR):
        line = f"{at} [{level}] {event} {' '.join(f'{key}={fields[key]}' for key in fields)}"
    # If nobody reads the log, that is no reason to end calls, nor to let them wait.
    with contextlib.suppress(OSError):
        if ROOM.poll(0):
            os.write(ERROR, line.encode() + b"\n")
