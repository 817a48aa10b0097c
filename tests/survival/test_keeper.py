"""The keeper with a fake relay process: what it holds is there for the next one, whoever dies."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from msrprelay.keeping import wire
from msrprelay.keeping.wire import pack

from .kept import Kept, end, halt

GENERATIONS = 50


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Kept(tmp_path) as kept:
        yield kept


def test_the_first_one_finds_nothing(kept: Kept) -> None:
    left = kept.ask("state")["left"]
    assert (left["cold"], left["restarts"], left["keeper"]) == (True, 0, kept.pid)


def test_the_next_one_finds_socket_memory_and_pipe_as_they_were(kept: Kept) -> None:
    kept.ask("write", "what was said")
    first = kept.kill_relay()
    second = kept.ask("state")
    assert second["pid"] != first
    assert second["memory"] == "what was said"
    assert kept.ask("read", 100) == "what was said"
    left = second["left"]
    assert (left["ended"], left["cold"]) == ({"signal": 9, "status": None}, False)
    assert (left["restarts"], left["last-end"]) == (1, "killed by signal 9")


def test_what_comes_meanwhile_waits(kept: Kept) -> None:
    kept.ask("state")
    halt(kept.pid)
    end(kept.eldest())
    kept.tell("write", "meanwhile")
    os.kill(kept.pid, signal.SIGCONT)
    assert kept.ask("read", 9) == "meanwhile"


def test_what_was_said_before_the_death_counts(tmp_path: Path) -> None:
    """A keeper that reads one message at a time sees the death before it has read them all."""
    script = (
        "import sys; from msrprelay.keeping import keeper as k;"
        "k.TURN = 1; sys.exit(k.main(sys.argv[1:]))"
    )
    with Kept(tmp_path, "-c", script) as kept:
        kept.ask("hold_more", 100)
        halt(kept.pid)
        kept.ask("drop", 100)
        end(kept.eldest())
        os.kill(kept.pid, signal.SIGCONT)
        assert kept.ask("state")["labels"] == 4


def test_an_inventory_may_be_larger_than_a_socket_buffer(kept: Kept) -> None:
    assert kept.ask("hold_more", 5000) == 5004
    kept.kill_relay()
    assert kept.ask("state")["labels"] == 5004
    kept.ask("drop", 5000)
    kept.kill_relay()
    assert kept.ask("state")["labels"] == 4


def test_generations_leave_nothing_behind(kept: Kept) -> None:
    kept.kill_relay()
    first, outside = kept.ask("state"), kept.descriptors()
    for generation in range(GENERATIONS):
        if generation % 2:
            kept.kill_relay()
        else:
            kept.tell("upgrade")
    last = kept.ask("state")
    assert (kept.descriptors(), last["open"]) == (outside, first["open"])
    assert last["left"]["restarts"] == 1 + GENERATIONS // 2
    assert last["left"]["upgrades"] == GENERATIONS // 2


def test_an_upgrade_is_no_crash(kept: Kept) -> None:
    first = kept.ask("state")
    kept.ask("write", "kept")
    kept.tell("upgrade")
    second = kept.ask("state")
    assert second["pid"] != first["pid"]
    assert second["memory"] == "kept"
    assert (second["left"]["upgrades"], second["left"]["restarts"]) == (1, 0)
    assert second["left"]["last-end"] == ""


def test_a_signal_asks_for_an_upgrade(kept: Kept) -> None:
    kept.ask("state")
    kept.misbehave("refuse")
    os.kill(kept.pid, signal.SIGUSR2)
    assert kept.event("upgrade failed")["reason"] == "not like this"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        pytest.param("exit", "the successor ended with status 3", id="ends"),
        pytest.param("hang", "the successor is not prepared within 0.5 s", id="hangs"),
        pytest.param("refuse", "not like this", id="refuses"),
    ],
)
def test_a_successor_that_is_none_changes_nothing(tmp_path: Path, how: str, reason: str) -> None:
    with Kept(tmp_path, prepare=0.5) as kept:
        before = kept.ask("state")
        kept.misbehave(how)
        assert kept.ask("upgrade") == reason
        descriptors = kept.descriptors()
        assert kept.ask("upgrade") == reason
        assert kept.ask("state") == before
        assert kept.descriptors() == descriptors
        kept.misbehave("")
        kept.tell("upgrade")
        assert kept.ask("state")["left"]["upgrades"] == 1


def test_a_crash_ends_an_upgrade_that_is_not_prepared(kept: Kept) -> None:
    kept.ask("state")
    kept.misbehave("hang")
    kept.tell("upgrade")
    os.kill(kept.pid, signal.SIGUSR2)
    assert kept.event("upgrade failed")["reason"] == "another upgrade is under way"
    kept.misbehave("")
    end(kept.eldest())
    assert kept.event("upgrade failed")["reason"] == "the relay process died meanwhile"
    assert kept.ask("state")["left"]["restarts"] == 1


def test_it_ends_with_the_status_of_one_that_says_goodbye(kept: Kept) -> None:
    kept.tell("bye", 5)
    assert kept.wait() == 5


def test_a_first_one_that_never_served_is_not_started_again(tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("fail")
    with Kept(tmp_path) as kept:
        assert kept.wait() == 7


def test_a_program_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with Kept(tmp_path, relay=("/nowhere",)) as kept:
        assert kept.event("relay process died")["how"].startswith("cannot be started: ")
        assert kept.wait() == 1


def test_one_that_dies_again_and_again_is_started_with_longer_pauses(kept: Kept) -> None:
    kept.ask("state")
    kept.misbehave("fail")
    end(kept.eldest())
    pauses = [kept.event("relay process dies again and again")["seconds"] for _ in range(3)]
    assert pauses == [0.25, 0.5, 1.0]
    kept.misbehave("")
    assert kept.ask("state")["labels"] == 4


def test_what_cannot_be_continued_is_given_up_at_last(tmp_path: Path) -> None:
    script = (
        "import sys; from msrprelay.keeping import keeper as k;"
        "k.SHORTEST_PAUSE, k.HOPELESS = 0.01, 6; sys.exit(k.main(sys.argv[1:]))"
    )
    with Kept(tmp_path, "-c", script) as kept:
        kept.ask("state")
        kept.misbehave("fail")
        end(kept.eldest())
        assert kept.event("what was held is given up")["held"] == 4
        kept.misbehave("")
        del kept.port
        assert kept.ask("state")["left"]["cold"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(kept: Kept, number: signal.Signals) -> None:
    kept.ask("state")
    os.kill(kept.pid, number)
    while not (heard := kept.ask("state")["heard"]):
        pass
    assert heard == [number.name]


def test_signals_wait_for_one_that_serves(kept: Kept) -> None:
    kept.ask("state")
    kept.misbehave("slow")
    kept.kill_relay()
    kept.ask("state")
    os.kill(kept.pid, signal.SIGHUP)
    os.kill(kept.pid, signal.SIGTERM)
    kept.ask("say", pack(wire.READY).hex())
    while len(heard := kept.ask("state")["heard"]) < 2:
        pass
    assert sorted(heard) == ["SIGHUP", "SIGTERM"]


def test_a_sighup_waits_for_the_first_one_to_serve(tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("unready")
    with Kept(tmp_path) as kept:
        kept.ask("state")
        os.kill(kept.pid, signal.SIGHUP)
        kept.ask("say", pack(wire.READY).hex())
        while not (heard := kept.ask("state")["heard"]):
            pass
        assert heard == ["SIGHUP"]


def test_a_second_sigterm_ends_what_does_not_serve(kept: Kept) -> None:
    kept.ask("state")
    kept.misbehave("slow")
    kept.kill_relay()
    pid = kept.ask("state")["pid"]
    while kept.process.poll() is None:
        os.kill(kept.pid, signal.SIGTERM)
    assert kept.wait() == -signal.SIGTERM
    assert not Path(f"/proc/{pid}").exists()


def test_a_crash_while_it_drains_does_not_make_it_stay(kept: Kept) -> None:
    kept.ask("state")
    os.kill(kept.pid, signal.SIGTERM)
    while not kept.ask("state")["heard"]:
        pass
    kept.kill_relay()
    while not (heard := kept.ask("state")["heard"]):
        pass
    assert heard == ["SIGTERM"]


def test_one_that_is_to_end_by_itself_has_a_successor_that_is_to_end(kept: Kept) -> None:
    kept.ask("say", pack(wire.STOPPING).hex())
    assert kept.ask("upgrade") == "the relay process is not serving"
    kept.kill_relay()
    while not (heard := kept.ask("state")["heard"]):
        pass
    assert heard == ["SIGTERM"]


def test_it_does_not_wait_for_whoever_reads_its_log(kept: Kept) -> None:
    first = kept.ask("state")["pid"]
    log = os.open(f"/proc/{kept.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(log, bytes(1))
    os.close(log)
    kept.kill_relay()
    assert kept.ask("state")["pid"] != first


def test_garbage_is_reported_once_and_harms_nothing(kept: Kept) -> None:
    for garbage in ("00", "ff" * 100, pack(99).hex(), pack(wire.HELD).hex(), "01020000"):
        kept.ask("say", garbage)
    kept.ask("hold_more", 10)
    assert kept.event("garbled message")["pid"] == kept.ask("state")["pid"]
    kept.kill_relay()
    assert kept.ask("state")["labels"] == 14


def test_it_imports_nothing_after_its_start(tmp_path: Path) -> None:
    """What is on disk may change: crashes, upgrades and the end load nothing."""
    script = """
import sys
from msrprelay.keeping import keeper
def loud(event, arguments):
    if event == "import":
        keeper.log("error", "imported", name=arguments[0])
sys.addaudithook(loud)
sys.exit(keeper.main(sys.argv[1:]))
"""
    with Kept(tmp_path, "-c", script) as kept:
        kept.ask("say", "00")
        kept.kill_relay()
        kept.tell("upgrade")
        kept.ask("state")
        kept.misbehave("exit")
        kept.ask("upgrade")
        kept.tell("bye", 0)
        assert kept.wait() == 0
        assert [line for line in kept.rest() if "imported" in line] == []
