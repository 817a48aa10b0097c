"""A Python module with every hot module of the package read from its .py file.

``python -m bench.uncompiled MODULE ARGUMENT…``, as ``python -m MODULE ARGUMENT…``.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


class SourceFinder(MetaPathFinder):
    """Finds modules of the package by their source, before anybody finds what is compiled of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for other packages, for packages, and for what has no source."""
        source = ROOT.joinpath(*fullname.split(".")).with_suffix(".py")
        ours = fullname.startswith("msrprelay.") and source.exists()
        return spec_from_file_location(fullname, source) if ours else None


if __name__ == "__main__":
    sys.meta_path.insert(0, SourceFinder())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
