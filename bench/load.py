"""The load generator: a Rust program that plays both ends of every session of a plan."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .ends import End
from .place import Place
from .processes import ROOT, Lines

__all__ = ["Generator", "build", "generating"]

PROGRAM = ROOT / "bench" / "target" / "release" / "generator"


def build() -> None:
    """Compile it; does nothing where nothing changed."""
    manifest = str(ROOT / "bench" / "Cargo.toml")
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest],
        check=True,
    )


class Generator:
    """The running program; its sessions are joined."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.pid = lines.process.pid

    def run(self, work: int) -> dict[str, float]:
        """Do so much work: bytes per stream, messages per session, or sessions.

        Says what arrived: ``seconds``, ``bytes``, ``messages``, ``sessions``, ``p50_us`` and
        ``p99_us``.
        """
        outcome: dict[str, float] = self._lines.ask(f"run {work}")
        return outcome


@contextmanager
def generating(
    place: Place,
    sessions: list[tuple[End, End]],
    load: dict[str, Any],
    *,
    sink: str | None,
    answers_itself: bool,
) -> Iterator[Generator]:
    """A generator whose sessions have met; they end with the block."""
    plan = {
        "listen": sink,
        "answers_itself": answers_itself,
        "sessions": [{"left": endpoint(a), "right": endpoint(b)} for a, b in sessions],
        "load": load,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(plan, file)
        file.flush()
        lines = Lines(place.generator.command([str(PROGRAM), file.name]))
        try:
            lines.read()
            yield Generator(lines)
        finally:
            lines.stop()


def endpoint(end: End) -> dict[str, str | None]:
    """An end in the words of the plan."""
    return {"to": end.to_path, "from": end.from_path, "connect": end.connect}
