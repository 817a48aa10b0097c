"""What a relay process does before it can import the rest."""

from __future__ import annotations

import os
from typing import Any

import pytest

from msrprelay.process import entry


class FakeLink:
    """A keeper that holds what one left that never served: its sockets, no configuration."""

    cold = False
    engine: tuple[object, ...] = ()

    def __init__(self) -> None:
        self.inherited = {"ng": os.dup(0)}

    def take(self) -> None:
        """There it is."""


def test_one_that_died_before_it_served_leaves_a_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Any, ...]] = []

    def serve(*parts: Any) -> int:
        served.append(parts)
        return 0

    monkeypatch.setattr(entry, "serve", serve)
    monkeypatch.setattr(entry, "import_packages", lambda: None)
    link = FakeLink()
    reread = "read anew"
    assert entry.start(link, lambda: reread) == 0  # type: ignore[arg-type, return-value]
    ((config, _, served_link, engine),) = served
    assert (config, served_link, engine) == (reread, link, None)
