"""What fails in the event loop, as lines of our log.

asyncio would write it to standard error itself, and wait where nobody reads that.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..log import Log, Throttle

log = Log()


def log_faults(loop: asyncio.AbstractEventLoop) -> None:
    """Have ``loop`` log the faults of callbacks and tasks: each kind once in a while."""
    throttle = Throttle(loop.time)

    def fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        reason = str(context.get("message", ""))
        held = throttle.admit(f"{type(error).__name__} {reason}")
        if held is not None:
            log.error("callback failed", reason=reason, held_back=held, exc_info=error)

    loop.set_exception_handler(fault)
