"""A callback that fails costs a line of the log, and nothing else."""

from __future__ import annotations

import asyncio
import logging

import pytest
from structlog.testing import capture_logs

from msrprelay.process.faults import log_faults


def fail() -> None:
    raise ZeroDivisionError


async def test_a_callback_that_fails_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    log_faults(loop)
    passed = asyncio.Event()
    with capture_logs() as lines, caplog.at_level(logging.DEBUG, "asyncio"):
        for callback in (fail, fail, passed.set):
            loop.call_soon(callback)
        await passed.wait()
    assert [(line["event"], type(line["exc_info"])) for line in lines] == [
        ("callback failed", ZeroDivisionError)
    ]
    assert "ZeroDivisionError" not in caplog.text
