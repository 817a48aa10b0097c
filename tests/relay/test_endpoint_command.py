"""Two endpoints on the command line: one listens, one dials, chats and sends a file."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

ENDPOINT = [sys.executable, "-m", "msrprelay.cli.ctl", "endpoint"]


async def start(*options: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *ENDPOINT, *options, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip("\n")


@pytest.mark.parametrize("manner", [[], ["--blink"]], ids=["strict", "blink"])
async def test_they_chat_and_pass_a_file(tmp_path: Path, manner: list[str]) -> None:
    file, folder = tmp_path / "file", tmp_path / "in"
    file.write_bytes(bytes(range(256)) * 1000)
    folder.mkdir()
    listening = await start("--listen", "127.0.0.1:0", "--save", str(folder), *manner)
    dialling = await start("--dial", await line(listening), "--send", str(file), *manner)
    assert listening.stdin is not None
    listening.stdin.write(b"who is there?\n")
    assert await line(dialling) == "< who is there?"
    out, err = await dialling.communicate(b"it is \x1b[31mme\n")
    assert (dialling.returncode, out) == (0, b"")
    assert await line(listening) == r"< it is \x1b[31mme"
    _, heard = await listening.communicate()
    assert listening.returncode == 0
    (saved,) = folder.iterdir()
    assert saved.read_bytes() == file.read_bytes()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert digest in err.decode()
    assert digest in heard.decode()


async def test_nobody_there_is_a_failure() -> None:
    dialling = await start("--dial", "msrp://127.0.0.1:1/abc;tcp")
    _, err = await dialling.communicate()
    assert dialling.returncode == 1
    assert b"endpoint: " in err


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="neither"),
        pytest.param(["--listen", "127.0.0.1:0", "--dial", "msrp://x:1/y;tcp"], id="both"),
        pytest.param(["--dial", "msrp://x/y;tcp"], id="no-port"),
        pytest.param(["--dial", "msrps://x:1/y;tcp"], id="tls"),
        pytest.param(["--listen", "5000"], id="no-host"),
        pytest.param(["--listen", "127.0.0.1:²"], id="no-digit"),
        pytest.param(["--listen", "127.0.0.1:0", "--own", "me"], id="own-no-uri"),
        pytest.param(["--listen", "127.0.0.1:0", "--peer", "you"], id="peer-no-uri"),
    ],
)
async def test_wrong_usage_is_told_apart(options: list[str]) -> None:
    process = await start(*options)
    _, err = await process.communicate()
    assert process.returncode == 2
    if not options or "--dial" in options[1:]:
        assert b"exactly one of --listen and --dial" in err
