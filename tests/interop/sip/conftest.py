"""Fixtures: a folder of one's own, the relay, Kamailio with one of its scripts, two phones."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from . import programs
from .site import Site

PROGRAMS = ("kamailio", "rtpengine", "sipp")


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    """Without the SIP servers there is nothing to test; under CI that is a failure."""
    reason = programs.missing(PROGRAMS)
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Starts what a test asks for; all of it ends with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Site(tmp_path, stack)
