"""Strangers' text cannot act on a terminal or break a log line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.log import Lines, Throttle, configure
from msrprelay.printable import printable


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def logged(stream: TextIO, level: str = "info") -> structlog.typing.FilteringBoundLogger:
    configure(level, stream)
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger("test")
    return log


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    logged(stream).info("offer", call_id="c", session_id=7, share=0.5, why=None, ok=True)
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields.pop("ts").endswith("Z")
    assert fields == {
        "level": "info",
        "event": "offer",
        "call_id": "c",
        "session_id": 7,
        "share": 0.5,
        "why": None,
        "ok": True,
    }


def test_a_list_is_one() -> None:
    stream = io.StringIO()
    logged(stream).info("configuration reloaded", changed=["timers.idle", "a\nb"], needs_restart=[])
    fields = json.loads(stream.getvalue())
    assert (fields["changed"], fields["needs_restart"]) == (["timers.idle", "a\\x0ab"], [])


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_a_call_id_is_escaped(stream: io.StringIO) -> None:
    logged(stream).info(
        "offer", call_id="a\x1b[2J\nlevel=\x9berror", tag=b"\xff\x00", path=["\x07"]
    )
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.isascii()
    for shown in ("\\x1b[2J\\x0alevel=\\x9berror", "\\xff\\x00"):
        assert shown in text.replace("\\\\", "\\")
    assert "\x1b[2J" not in text
    assert "\x07" not in text


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for unwanted, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", unwanted)
        stream = Terminal()
        logged(stream).info("offer", call_id="c")
        assert ("\x1b[" in stream.getvalue()) is coloured


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_a_traceback_is_escaped_and_keeps_its_lines(stream: io.StringIO) -> None:
    log = logged(stream)
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        log.exception("command failed")
    text = stream.getvalue()
    assert "test_log.py" in text
    assert "\x1b[2J" not in text


def test_less_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log = logged(stream, "warning")
    log.info("a")
    log.warning("b")
    assert json.loads(stream.getvalue())["event"] == "b"


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, TextIO]]:
    exit_, entry = os.pipe()
    with open(entry, "w", encoding="utf-8") as stream:
        yield exit_, stream
    with suppress(OSError):
        os.close(exit_)


def test_a_line_that_nobody_will_read_is_lost_and_counted(pipe: tuple[int, TextIO]) -> None:
    exit_, stream = pipe
    log = logged(stream)
    log.info("heard")
    assert b'"heard"' in os.read(exit_, 1000)
    os.close(exit_)
    before = Lines.lost
    log.info("not heard")
    assert Lines.lost == before + 1


def test_nobody_waits_for_a_reader_that_stands_still(pipe: tuple[int, TextIO]) -> None:
    exit_, stream = pipe
    log, before = logged(stream), Lines.lost
    while Lines.lost == before:
        log.info("long", text="x" * 3000)
    os.set_blocking(exit_, False)
    with suppress(BlockingIOError):
        while True:
            os.read(exit_, 1 << 16)
    log.info("it reads again")
    assert Lines.lost == before + 1


def test_a_full_disk_is_no_error() -> None:
    before = Lines.lost
    with open("/dev/full", "w", encoding="utf-8") as stream:
        logged(stream).info("no room")
    assert Lines.lost == before + 1


def test_the_level_can_be_changed() -> None:
    stream = io.StringIO()
    log = structlog.get_logger("test")
    configure("error", stream)
    log.info("a")
    configure("debug", stream)
    log.debug("b")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("é漢", "é漢"),
        ("a\r\nb\t", "a\\x0d\\x0ab\\x09"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\x9b\u2028\u202e\U000e0001", "\\x9b\\u2028\\u202e\\U000e0001"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("x" * 300, "x" * 255 + "…"),
    ],
    ids=["plain", "letters", "lines", "terminal", "unicode", "byte", "surrogate", "long"],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(text=st.text(st.characters(exclude_categories=[]), max_size=300))
def test_anything_becomes_printable_and_encodable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.encode()) <= 256 * 10


def test_a_throttle_admits_once_in_an_interval_and_counts_the_rest() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0], interval=10.0)
    admitted = []
    for now[0] in (0.0, 1.0, 9.9, 10.0, 15.0, 20.0):
        admitted.append(throttle.admit("a"))
    assert admitted == [0, None, None, 2, None, 1]
    assert throttle.admit("b") == 0


def test_a_throttle_remembers_a_bounded_number_of_keys() -> None:
    throttle = Throttle(lambda: 0.0, size=3)
    assert [throttle.admit(str(number)) for number in range(5)] == [0] * 5
    assert throttle.admit("4") is None
    assert throttle.admit("0") == 0
