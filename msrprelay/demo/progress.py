"""Progress bars of the demo, on a terminal only."""

from __future__ import annotations

import sys
from typing import TextIO

BAR = 20
_WAYS = {"a": "a > b", "b": "b > a"}


class Bars:
    """One line that is rewritten: a bar per direction. Silent where ``out`` is no terminal."""

    def __init__(self, out: TextIO = sys.stdout, *, quiet: bool = False) -> None:
        self._out = out
        self._silent = quiet or not out.isatty()
        self._task = ""
        self._parts: dict[str, str] = {}

    def show(self, side: str, what: str, done: int, of: int) -> None:
        """Note that ``side`` has done ``done`` of ``of`` of ``what``."""
        if self._silent:
            return
        if what != self._task:
            self.finish()
            self._task = what
        filled = BAR * done // max(of, 1)
        bar = "#" * filled + "." * (BAR - filled)
        self._parts[side] = f"{_WAYS[side]} [{bar}] {100 * done // max(of, 1):3}%"
        line = "   ".join(self._parts[key] for key in sorted(self._parts))
        self._out.write(f"\r{what:5} {line}\x1b[K")
        self._out.flush()

    def finish(self) -> None:
        """Leave the line of the last task as it is and begin a new one. Safe to repeat."""
        if self._task and not self._silent:
            self._out.write("\n")
            self._out.flush()
        self._task = ""
        self._parts.clear()
