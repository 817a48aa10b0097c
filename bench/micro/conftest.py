"""What the benchmarks of this directory share."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from msrprelay import log
from msrprelay.net import uri

DATAGRAMS = Path(__file__).parents[2] / "tests" / "data" / "recorded-ng" / "datagrams.jsonl"
# One ordinary call of the recording.
CALL = "basic-fb615c"


# Lines of the log would be most of what is measured.
log.configure("warning")


@pytest.fixture(autouse=True)
def _way(request: pytest.FixtureRequest) -> None:
    """Say in every result whether the hot modules were compiled."""
    if "benchmark" in request.fixturenames:
        compiled = not (uri.__file__ or "").endswith(".py")
        request.getfixturevalue("benchmark").extra_info["compiled"] = compiled


@pytest.fixture(scope="session")
def datagrams() -> dict[str, bytes]:
    """The recorded call: bodies by command."""
    lines = map(json.loads, DATAGRAMS.read_text().splitlines())
    return {
        line["command"]: base64.b64decode(line["data"]).partition(b" ")[2]
        for line in lines
        if line["call_id"] == CALL and line["dir"] == "rx"
    }
