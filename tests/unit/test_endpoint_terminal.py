"""Files on the terminal's endpoint: whatever their sender calls them, they stay in the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from msrprelay.endpoint import FilePiece, TransferFailed
from msrprelay.endpoint.terminal import Terminal

KIND = "application/octet-stream"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "outside" / "in"
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("message_id", "name"),
    [
        pytest.param("m.0+1%=-", "m.0+1%=-.msrp", id="an-ident"),
        pytest.param("../escaped", "file.msrp", id="parent"),
        pytest.param("/etc/escaped", "file.msrp", id="absolute"),
        pytest.param("..", "file.msrp", id="dots"),
        pytest.param(".hidden", "file.msrp", id="hidden"),
        pytest.param("x" * 300, "file.msrp", id="too-long"),
        pytest.param("a\nb\x00cd", "file.msrp", id="control-characters"),
        pytest.param("", "file.msrp", id="none"),
        pytest.param("-rf0", "file.msrp", id="an-option"),
        pytest.param("naïve", "file.msrp", id="not-ascii"),
    ],
)
def test_a_file_is_kept_in_the_folder_whatever_it_is_called(
    folder: Path, message_id: str, name: str
) -> None:
    Terminal(folder).show(FilePiece(message_id, KIND, 1, b"hello", True))
    assert names(folder.parent) == ["in", f"in/{name}"]
    assert (folder / name).read_bytes() == b"hello"


def test_a_repeated_name_replaces_nothing(folder: Path) -> None:
    terminal = Terminal(folder)
    for body in (b"one", b"two", b"three"):
        terminal.show(FilePiece("m0001", KIND, 1, body, True))
    assert names(folder) == ["m0001-2.msrp", "m0001-3.msrp", "m0001.msrp"]
    assert (folder / "m0001.msrp").read_bytes() == b"one"
    assert (folder / "m0001-3.msrp").read_bytes() == b"three"


def test_two_endpoints_share_a_folder(folder: Path) -> None:
    one, other = Terminal(folder), Terminal(folder)
    one.show(FilePiece("m0001", KIND, 1, b"on", False))
    other.show(FilePiece("m0001", KIND, 1, b"other", True))
    one.show(FilePiece("m0001", KIND, 3, b"e", True))
    assert (folder / "m0001.msrp").read_bytes() == b"one"
    assert (folder / "m0001-2.msrp").read_bytes() == b"other"


def test_a_file_that_is_not_whole_is_told_apart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(folder)
    terminal.show(FilePiece("m0001", KIND, 1, b"hel", False))
    terminal.close()
    assert "broken off after 3 octets" in capsys.readouterr().err
    assert names(folder) == ["m0001.msrp.part"]


def test_of_an_aborted_file_nothing_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(folder)
    terminal.show(FilePiece("m0001", KIND, 1, b"hel", False))
    terminal.show(FilePiece("m0001", KIND, 4, b"lo", False, aborted=True))
    assert names(folder) == []
    assert "given up by its sender after 3 octets" in capsys.readouterr().err
    terminal.show(FilePiece("m0001", KIND, 1, b"again", True))
    assert (folder / "m0001.msrp").read_bytes() == b"again"


def test_a_file_that_cannot_be_kept_is_a_fault(folder: Path) -> None:
    terminal = Terminal(folder)
    folder.rmdir()
    with pytest.raises(TransferFailed, match="cannot be kept"):
        terminal.show(FilePiece("m0001", KIND, 1, b"hello", True))
