"""Imports point down: what a room may know of the others, in Python and in Rust."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "msrprelay"

# Bottom first; a room may import only rooms on lower floors (and itself).
FLOORS: list[set[str]] = [
    {"_native", "compiled", "words"},
    {"chance", "commands", "errors", "events", "keeping", "printable"},
    {"framing", "loop", "net"},
    {"sdp"},
    {"offer_answer"},
    {"journal", "log", "strain"},
    {"config", "dataplane"},
    {"sessions"},
    {"metrics", "rpc"},
    {"process"},
    {"client", "endpoint", "ladder"},
    {"demo", "doctor", "sippy"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# The engine and the framer each have one door, and the engine one that opens before all the rest;
# rpc takes bencode and sums.
NATIVE_DOORS = {"dataplane", "framing", "process", "rpc"}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def rooms_imported(path: Path) -> Iterator[str]:
    """The rooms of msrprelay that a file imports anywhere, also inside functions."""
    package = ("msrprelay", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[1] for name in node.names if "msrprelay." in name.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            full = (*base, *(node.module.split(".") if node.module else ()))
            if full[:1] != ("msrprelay",):
                continue
            # "from msrprelay import x" names a room, or an attribute such as __version__.
            found = full[1:2] or tuple(name.name for name in node.names if name.name in FLOOR)
            yield from found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    assert room in FLOOR, "give the new room a floor"
    above = {name for name in rooms_imported(path) if name != room and FLOOR[name] >= FLOOR[room]}
    assert above == set()


def test_the_native_module_has_few_doors() -> None:
    importers = {room_of(path) for path in FILES if "_native" in set(rooms_imported(path))}
    assert importers == NATIVE_DOORS


def test_the_log_has_one_door() -> None:
    importers = {path.name for path in FILES if "import structlog" in path.read_text("utf-8")}
    assert importers == {"log.py"}


def test_unsafe_code_is_under_sys_only() -> None:
    rust = [path for path in (ROOT / "native").rglob("*.rs") if "target" not in path.parts]
    unsafe = {path for path in rust if re.search(r"\bunsafe\b\s*[{fie]", path.read_text("utf-8"))}
    outside = {path for path in unsafe if not path.is_relative_to(ROOT / "native/relay/src/sys")}
    assert {path for path in outside if "fuzz" not in path.parts} == set()


@pytest.mark.parametrize(
    ("crate", "forbidden"),
    [
        pytest.param(
            "proto",
            r"net::(Tcp|Udp|Socket|ToSocket)|std::(os|fs|io|thread)|Instant::now|SystemTime",
            id="proto",
        ),
        pytest.param("relay", r"pyo3", id="relay"),
        pytest.param("py", r"memchr|To-Path|From-Path|libc::|rustix::", id="py"),
    ],
)
def test_a_crate_stays_in_its_layer(crate: str, forbidden: str) -> None:
    sources = (ROOT / "native" / crate / "src").rglob("*.rs")
    code = {
        path.name: "\n".join(
            line
            for line in path.read_text("utf-8").split("#[cfg(test)]")[0].splitlines()
            if not line.strip().startswith("//")
        )
        for path in sources
        if path.name != "tests.rs"
    }
    assert [name for name, text in code.items() if re.search(forbidden, text)] == []


def test_the_control_plane_imports_nothing_after_start() -> None:
    """An upgrade on disk must not mix old and new code: no import inside a function."""
    lazy = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in FILES
        if FLOOR[room_of(path)] <= FLOOR["process"] and path.name != "entry.py"
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert lazy == []
