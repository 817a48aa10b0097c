"""The journal on disk: behind, never in the way, and whole again when the disk is."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from msrprelay.journal import DiskCopy, Journal
from msrprelay.journal import disk as module
from msrprelay.journal import journal as journal_module
from msrprelay.journal.disk import Taken

Write = Callable[[int, Any, int], int]


@pytest.fixture
def journal() -> Iterator[Journal]:
    made = Journal.create()
    yield made
    made.close()


@pytest.fixture
def copy(tmp_path: Path, journal: Journal) -> DiskCopy:
    """A copy that is made step by step, without its thread."""
    made = DiskCopy(tmp_path / "state")
    made.watch(journal)
    return made


def put(journal: Journal, key: bytes, value: bytes = b"value") -> None:
    journal.put(key, value)
    journal.flush()


def on_disk(copy: DiskCopy) -> set[bytes]:
    found = copy.read()
    assert found is not None
    assert found.torn == 0
    return {key for key in found.entries if key}


def test_what_is_new_is_added(copy: DiskCopy, journal: Journal, tmp_path: Path) -> None:
    put(journal, b"a")
    copy.step()
    file = (tmp_path / "state" / "journal").stat().st_ino
    put(journal, b"b")
    copy.step()
    assert on_disk(copy) == {b"a", b"b"}
    assert (tmp_path / "state" / "journal").stat().st_ino == file


def test_only_the_owner_may_read_it(copy: DiskCopy, journal: Journal, tmp_path: Path) -> None:
    copy.step()
    assert stat.S_IMODE((tmp_path / "state" / "journal").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_directory_has_one_owner(copy: DiskCopy, tmp_path: Path) -> None:
    with pytest.raises(Taken, match="another process uses it"):
        DiskCopy(tmp_path / "state")


def test_nothing_there_is_nothing_found(copy: DiskCopy) -> None:
    assert copy.read() is None


def test_the_file_is_made_anew_before_it_is_much_longer_than_what_counts(
    copy: DiskCopy, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (module, journal_module):
        monkeypatch.setattr(each, "SLACK", 4096)
    for number in range(300):
        put(journal, b"%d" % (number % 3), bytes(100))
        copy.step()
        assert copy.size < 30_000
    assert on_disk(copy) == {b"0", b"1", b"2"}


def test_a_copy_that_fell_behind_is_made_anew(
    copy: DiskCopy, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SLACK", 4096)
    copy.step()
    for number in range(300):
        put(journal, b"%d" % (number % 3), bytes(100))
    assert journal.span[0] > 4096
    copy.step()
    assert on_disk(copy) == {b"0", b"1", b"2"}


def failing(code: int, calls: int = 0) -> Write:
    """A pwrite that writes a part, and fails after so many calls."""
    left = calls
    pwrite = os.pwrite

    def write(fd: int, data: Any, at: int) -> int:
        nonlocal left
        if not left:
            raise OSError(code, os.strerror(code))
        left -= 1
        return pwrite(fd, data[: max(1, len(data) // 2)], at)

    return write


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        pytest.param(errno.ENOSPC, 0, id="disk-full"),
        pytest.param(errno.ENOSPC, 4, id="full-in-the-middle"),
        pytest.param(errno.EIO, 1, id="broken"),
    ],
)
def test_a_fault_is_told_and_over_when_the_disk_is_well(
    copy: DiskCopy, journal: Journal, monkeypatch: pytest.MonkeyPatch, code: int, calls: int
) -> None:
    put(journal, b"a")
    copy.step()
    put(journal, b"b")
    journal.put(b"c", bytes(10_000))
    journal.flush()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", failing(code, calls))
        with pytest.raises(OSError, match=os.strerror(code)):
            copy.step()
        with pytest.raises(OSError, match=os.strerror(code)):
            copy.step()
    assert copy.degraded == os.strerror(code)
    found = copy.read()
    assert found is not None
    assert b"a" in found.entries
    copy.step()
    assert copy.degraded is None
    assert on_disk(copy) == {b"a", b"b", b"c"}


def _remove(state: Path) -> None:
    (state / "journal").unlink()


def _remove_all(state: Path) -> None:
    _remove(state)
    state.rmdir()


def _move(state: Path) -> None:
    state.rename(state.with_name("elsewhere"))


@pytest.mark.parametrize("lose", [_remove, _remove_all, _move])
def test_what_is_no_longer_there_is_made_anew(
    copy: DiskCopy, journal: Journal, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    put(journal, b"a")
    copy.step()
    lose(tmp_path / "state")
    copy.step()
    assert on_disk(copy) == {b"a"}
    with pytest.raises(Taken):
        DiskCopy(tmp_path / "state")


def test_a_directory_that_cannot_be_made_is_made_later(tmp_path: Path, journal: Journal) -> None:
    in_the_way = tmp_path / "not-a-directory"
    in_the_way.touch()
    copy = DiskCopy(in_the_way / "state")
    copy.watch(journal)
    assert copy.degraded == "Not a directory"
    put(journal, b"a")
    with pytest.raises(NotADirectoryError):
        copy.step()
    in_the_way.unlink()
    in_the_way.mkdir()
    copy.step()
    assert copy.degraded is None
    assert on_disk(copy) == {b"a"}


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may write everywhere; as somebody else it may not."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    yield
    os.seteuid(mine)


def test_a_read_only_directory_is_told(journal: Journal, nobody: None) -> None:
    with tempfile.TemporaryDirectory() as own:
        state = Path(own) / "state"
        state.mkdir(mode=0o500)
        copy = DiskCopy(state)
        copy.watch(journal)
        with pytest.raises(PermissionError):
            copy.step()
        assert copy.degraded == "Permission denied"
        state.chmod(0o700)
        copy.step()
        assert copy.degraded is None


def test_a_slow_disk_keeps_nobody_waiting_and_is_told(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = DiskCopy(tmp_path / "state", slow=0.0)
    copy.watch(journal)
    begun, go_on = threading.Event(), threading.Event()
    fdatasync = os.fdatasync

    def slow(fd: int) -> None:
        begun.set()
        assert go_on.wait(30)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    put(journal, b"a")
    thread = threading.Thread(target=copy.step)
    thread.start()
    assert begun.wait(30)
    put(journal, b"b")
    assert str(copy.degraded).startswith("no copy for")
    go_on.set()
    thread.join()
    assert copy.degraded is None
    copy.step()
    assert on_disk(copy) == {b"a", b"b"}


def test_its_thread_copies_what_is_left_at_the_end(tmp_path: Path, journal: Journal) -> None:
    copy = DiskCopy(tmp_path / "state")
    copy.start(journal)
    put(journal, b"a")
    copy.stop(30.0)
    assert on_disk(copy) == {b"a"}
