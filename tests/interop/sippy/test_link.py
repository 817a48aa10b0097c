"""What goes wrong on the link's thread reaches Sippy's."""

from __future__ import annotations

from pathlib import Path

from sippy.Core.EventDispatcher import ED2

from msrprelay.client import Relay, RelayError
from msrprelay.sippy import RelayLink

PATIENCE_SECONDS = 30.0


def test_a_command_that_breaks_is_told_like_one_that_is_refused(tmp_path: Path) -> None:
    """Whoever waits for it answers an INVITE then."""
    outcomes: list[object] = []

    async def broken(relay: Relay) -> None:
        raise KeyError("sdp")

    def told(outcome: object) -> None:
        outcomes.append(outcome)
        ED2.breakLoop()

    link = RelayLink(f"unix:{tmp_path}/nobody.sock")
    try:
        link.run(broken, told)
        ED2.loop(PATIENCE_SECONDS)
    finally:
        link.close()
    (outcome,) = outcomes
    assert isinstance(outcome, RelayError)
    assert str(outcome) == "KeyError: 'sdp'"
