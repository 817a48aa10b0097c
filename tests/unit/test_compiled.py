"""The hot modules and the library that has them."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import msrprelay
from msrprelay.compiled import CompiledFinder, names

PACKAGE = Path(msrprelay.__file__).parent


def test_no_two_modules_have_the_same_last_name() -> None:
    last = [name.rpartition(".")[2] for name in names()]
    assert sorted(set(last)) == sorted(last)


@pytest.mark.parametrize("name", names())
def test_every_module_has_a_source_that_runs_without_the_library(name: str) -> None:
    assert PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py").is_file()


@pytest.mark.parametrize("name", names())
def test_the_library_is_asked_for_its_modules(name: str) -> None:
    spec = CompiledFinder("/nowhere/_compiled.so").find_spec(name)
    assert spec is not None
    assert (spec.name, spec.origin, spec.has_location) == (name, "/nowhere/_compiled.so", True)


@pytest.mark.parametrize("name", ["msrprelay", "msrprelay.sdp", "msrprelay.log", "json"])
def test_nothing_else_is_found_in_the_library(name: str) -> None:
    assert CompiledFinder("/nowhere/_compiled.so").find_spec(name) is None


def test_the_library_is_laid_out_by_the_profile_that_was_recorded() -> None:
    """What a recorded call did not execute of a function stands elsewhere, in a part of its own."""
    if not list(PACKAGE.parent.glob("build/objects-*/**/*.gcda")):
        pytest.skip("no profile was recorded: this is not what `make setup` has built")
    (library,) = PACKAGE.glob("_compiled*.so")
    assert re.search(rb"Sessions_offer[.\w]*\.cold\0", library.read_bytes())


def test_the_library_comes_before_sources() -> None:
    """Also before libraries that an earlier build has left beside them."""
    finders = [type(finder) for finder in sys.meta_path]
    if CompiledFinder not in finders:
        assert not list(PACKAGE.glob("_compiled*.so"))
        return
    assert finders.index(CompiledFinder) < sys.meta_path.index(PathFinder)
    assert len({import_module(name).__file__ for name in names()}) == 1
