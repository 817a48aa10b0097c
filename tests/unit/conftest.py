"""Hot modules run both as Cython compiled them and as they are written: test them both ways."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from msrprelay.log import Log

from .session_fakes import Lab


@pytest.fixture(autouse=True)
def _logs_follow_the_configuration() -> None:
    """Another test may have configured structlog since the modules' logs were made."""
    Log.renew_all()


@pytest.fixture(params=["living", "killed"])
def lives(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as it is, once with the process killed and another one started after each step."""
    one_life = request.node.get_closest_marker("one_life") is not None
    monkeypatch.setattr(Lab, "mortal", request.param == "killed" and not one_life)


PACKAGE = Path(__file__).resolve().parents[2] / "msrprelay"
# The whole package again under another name, every module read from its .py file. Its classes are
# not those of msrprelay: take all that a test needs from the same `load`.
UNCOMPILED = "msrprelay_uncompiled"


class SourceFinder(MetaPathFinder):
    """Finds the modules of the package by path, never a compiled one beside it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        root, *rest = fullname.split(".")
        place = PACKAGE.joinpath(*rest)
        if root != UNCOMPILED:
            return None
        if place.is_dir():
            init = place / "__init__.py"
            return spec_from_file_location(fullname, init, submodule_search_locations=[str(place)])
        source = place.with_suffix(".py")
        return spec_from_file_location(fullname, source) if source.exists() else None


def hot_modules(name: str) -> list[str]:
    """The modules of a room that are meant to be compiled: itself, or all but its __init__."""
    place = PACKAGE.joinpath(*name.split("."))
    if not place.is_dir():
        return [name]
    return [f"{name}.{path.stem}" for path in sorted(place.glob("*.py")) if path.stem[0] != "_"]


def load_uncompiled(name: str) -> ModuleType:
    return importlib.import_module(f"{UNCOMPILED}.{name}")


def load_compiled(name: str) -> ModuleType:
    for hot in hot_modules(name):
        file = importlib.import_module(f"msrprelay.{hot}").__file__ or ""
        if not file.endswith(tuple(EXTENSION_SUFFIXES)):
            complaint = f"msrprelay.{hot} is not compiled: run `make setup`"
            if "CI" in os.environ:
                pytest.fail(complaint)
            pytest.skip(complaint)
    return importlib.import_module(f"msrprelay.{name}")


@pytest.fixture(scope="session", params=["uncompiled", "compiled"])
def load(request: pytest.FixtureRequest) -> Callable[[str], ModuleType]:
    """`load("sdp")` is the hot module (or package of hot modules) in the way under test."""
    if request.param == "compiled":
        return load_compiled
    if not any(isinstance(finder, SourceFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SourceFinder())
    return load_uncompiled
