"""Sockets on the file system: the directory they stand in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from msrprelay.rpc import unix


def test_the_directory_of_a_socket_is_made(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ctl.sock"
    mask = os.umask(0o022)
    try:
        unix.listener(path).close()
    finally:
        os.umask(mask)
    assert path.is_socket()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("parent", ["none/run", "file"], ids=["none above", "a file"])
def test_one_that_cannot_be_made_is_told_with_the_options(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / parent / "ctl.sock"
    with pytest.raises(OSError, match=rf"{path.parent} is no directory .*--control=PATH"):
        unix.listener(path)
    assert not path.parent.parent.joinpath("none").exists()
