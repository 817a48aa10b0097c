"""The socket on which JSON-RPC is served: lines, limits, its place on the file system."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from msrprelay.commands import Origin
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.jsonrpc import JsonRpcResponder
from msrprelay.rpc.jsonrpc_server import JsonRpcServer

from .rpc_fakes import FakeCommands

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@asynccontextmanager
async def serving(path: Path, **limits: Any) -> AsyncIterator[JsonRpcServer]:
    server = JsonRpcServer(JsonRpcResponder(Dispatcher(FakeCommands())), path, **limits)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def exchange(path: Path, sent: bytes, *, then_close: bool = True) -> bytes:
    """Everything the server says to ``sent``, until it closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(sent)
    if then_close:
        writer.write_eof()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


PING = b'{"jsonrpc":"2.0","method":"ping","id":%d}'
PONG = b'{"jsonrpc":"2.0","id":%d,"result":{"result":"pong"}}\n'


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(PING % 1 + b"\n", PONG % 1, id="one-line"),
        pytest.param(PING % 1 + b"\r\n" + PING % 2 + b"\n", PONG % 1 + PONG % 2, id="two-lines"),
        pytest.param(PING % 1, PONG % 1, id="last-line-without-its-end"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
def test_answers_each_line_in_order(run: Run, tmp_path: Path, sent: bytes, expected: bytes) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "ctl.sock"):
            assert await exchange(tmp_path / "ctl.sock", sent) == expected

    run(scenario())


def test_a_line_that_the_end_cuts_off_is_no_request(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        faults: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, fault: faults.append(fault))
        async with serving(tmp_path / "s") as server:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(PING % 1 + b"\n" + PING % 2)
            assert await reader.readline() == PONG % 1
            await server.close()
            assert await reader.read() == b""
            writer.close()
        assert not faults

    run(scenario())


def test_a_socket_that_another_process_has_put_in_its_place_stays(run: Run, tmp_path: Path) -> None:
    """As an operator does who does not wait for the end of a drain."""
    path = tmp_path / "ctl.sock"

    async def scenario() -> None:
        async with serving(path) as draining:
            path.unlink()
            async with serving(path):
                await draining.close()
                assert await exchange(path, PING % 1) == PONG % 1
            assert not path.exists()

    run(scenario())


def test_a_line_without_end_is_refused_and_the_connection_closed(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s", longest_line=1000) as server:
            reply = await exchange(tmp_path / "s", b"x" * 5000, then_close=False)
            assert json.loads(reply)["error"] == {
                "code": -32600,
                "message": "Invalid Request: a line has at most 1000 bytes",
            }
            assert await exchange(tmp_path / "s", PING % 1) == PONG % 1
            assert server.refused_lines == 1

    run(scenario())


def test_a_connection_too_many_is_closed_and_the_others_stay(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s", most_connections=2) as server:
            held = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(2)]
            for reader, writer in held:
                writer.write(PING % 1 + b"\n")
                assert await reader.readline() == PONG % 1
            assert await exchange(tmp_path / "s", b"", then_close=False) == b""
            assert server.refused_connections == 1
            for reader, writer in held:
                writer.write(PING % 2 + b"\n")
                assert await reader.readline() == PONG % 2
                writer.close()

    run(scenario())


def test_open_connections_end_with_the_server(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s") as server:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(PING % 1 + b"\n")
            assert await reader.readline() == PONG % 1
            await server.close()
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()
        assert not (tmp_path / "s").exists()

    run(scenario())


def test_who_connects_is_logged(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s"):
            await exchange(tmp_path / "s", PING % 1)

    with capture_logs() as lines:
        run(scenario())
    told = [(line["pid"], line["uid"]) for line in lines if line["event"] == "control connection"]
    assert told == [(os.getpid(), os.getuid())]


def test_the_socket_is_for_owner_and_group(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s"):
            assert stat.filemode((tmp_path / "s").stat().st_mode) == "srw-rw----"

    run(scenario())


def test_a_dead_processs_socket_is_replaced(run: Run, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(tmp_path / "s"))

    async def scenario() -> None:
        async with serving(tmp_path / "s"):
            assert await exchange(tmp_path / "s", PING % 1) == PONG % 1

    run(scenario())


def test_a_living_processs_socket_is_not_replaced(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path / "s"):
            with pytest.raises(FileExistsError, match="in use"):
                async with serving(tmp_path / "s"):
                    pass
            assert await exchange(tmp_path / "s", PING % 1) == PONG % 1

    run(scenario())


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_not_replaced(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")

    async def scenario() -> None:
        with pytest.raises(FileExistsError, match="not a socket"):
            async with serving(path):
                pass

    run(scenario())
    assert os.path.lexists(path)


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        (Origin("udp", "192.0.2.1", 5060), "udp:192.0.2.1:5060"),
        (Origin("tcp", "2001:db8::1", 5060), "tcp:[2001:db8::1]:5060"),
        (Origin("unix", "pid 1 uid 0 gid 0", 0), "unix pid 1 uid 0 gid 0"),
        (Origin("ng-unix", "", 0), "ng-unix"),
    ],
    ids=lambda value: value.transport if isinstance(value, Origin) else "",
)
def test_who_asked_is_shown_with_a_port_if_there_is_one(origin: Origin, shown: str) -> None:
    assert str(origin) == shown
