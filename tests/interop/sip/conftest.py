"""Fixtures: what a test has running, and whether the programs are there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from . import programs
from .site import Site

PROGRAMS = ("kamailio", "rtpengine", "sipp")


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    """Without the SIP servers there is nothing to test."""
    programs.require([(name, shutil.which(name)) for name in PROGRAMS])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Starts what a test asks for; all of it ends with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Site(tmp_path, stack)
