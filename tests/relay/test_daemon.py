"""The daemon as an operator meets it: signals, reloads, sockets, and strangers' bytes on them."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msrprelay import config
from msrprelay.process import server
from msrprelay.rpc import bencode

from ..chaos.relay import wait_until
from ..survival.kept import end_all

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=message 9 TCP/MSRP *\r\na=accept-types:*\r\n"
    b"a=path:msrp://127.0.0.1:9/aliceid;tcp\r\na=setup:active\r\n"
)


class Daemon:
    """A running ``msrprelayd``; its log is read line by line."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.config = folder / "msrprelayd.toml"
        self.control = folder / "ctl.sock"
        self.write(port_min=21000)
        command = [sys.executable, "-m", "msrprelay.cli.daemon", f"--config={self.config}"]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE)
        ng = self.event("serving")["ng"]
        self.ng = (str(ng).rpartition(":")[0], int(str(ng).rpartition(":")[2]))

    def write(self, **settings: object) -> None:
        """The configuration file: the defaults of these tests, and ``settings``."""
        pairs = {
            "interface": ["lo/127.0.0.1"],
            "listen-ng": ["127.0.0.1:0"],
            "control": str(self.control),
            "port-max": 21099,
            **{key.replace("_", "-"): value for key, value in settings.items()},
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in pairs.items()]
        self.config.write_text("\n".join(sorted(lines, key=lambda line: "." in line)))

    def event(self, name: str) -> dict[str, Any]:
        """The next log line with this event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            entry: dict[str, Any] = json.loads(line)
            if entry["event"] == name:
                return entry
        raise AssertionError(f"the daemon ended without {name!r}")

    def ask(self, method: str, **params: object) -> Any:
        """One JSON-RPC call."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10.0)
            client.connect(str(self.control))
            keys = {key.replace("_", "-"): value for key, value in params.items()}
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": keys}
            client.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(client.makefile("rb").readline())
        return reply.get("result", reply.get("error"))

    def offer(self, call_id: str) -> Any:
        return self.ask("offer", call_id=call_id, from_tag="a", sdp=OFFER.decode())

    def end(self) -> None:
        end_all(self.config.parent)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def daemon(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    options = getattr(request, "param", ())
    daemon = Daemon(tmp_path, *options)
    yield daemon
    daemon.end()


def test_without_calls_sigterm_ends_it_at_once(daemon: Daemon) -> None:
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(10.0) == 0
    assert not daemon.control.exists()


def test_sigterm_lets_live_calls_go_on_and_refuses_new_ones(daemon: Daemon) -> None:
    daemon.offer("live")
    daemon.signal(signal.SIGTERM)
    assert daemon.event("draining")["calls"] == 1
    assert "sdp" in daemon.offer("live")
    assert daemon.offer("new")["message"] == "Parallel session limit reached"
    daemon.ask("delete", call_id="live", from_tag="a", delete_delay=0)
    assert daemon.process.wait(10.0) == 0


@pytest.mark.parametrize("daemon", [("--set", "timers.drain=0.2")], indirect=True)
def test_a_subscriber_hears_of_a_drain_and_of_every_end(daemon: Daemon) -> None:
    daemon.offer("live")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        client.connect(str(daemon.control))
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"subscribe"}\n')
        lines = client.makefile("rb")
        assert b'"ok"' in lines.readline()
        daemon.signal(signal.SIGTERM)
        told = [json.loads(line)["params"] for line in lines]
    assert [(each["event"], each.get("reason")) for each in told] == [
        ("draining", None),
        ("call-ended", "drained"),
    ]


@pytest.mark.parametrize("daemon", [("--set", "timers.drain=0.2")], indirect=True)
def test_a_drain_has_a_deadline(daemon: Daemon) -> None:
    daemon.offer("live")
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(10.0) == 0


def test_a_second_sigterm_does_not_wait(daemon: Daemon) -> None:
    daemon.offer("live")
    daemon.signal(signal.SIGTERM)
    daemon.event("draining")
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(10.0) == 0


def test_sighup_applies_what_it_can_and_names_what_needs_an_upgrade(daemon: Daemon) -> None:
    daemon.write(port_min=21010, **{"limits.sessions": 1})
    daemon.signal(signal.SIGHUP)
    event = daemon.event("configuration reloaded")
    assert event["changed"] == ["limits.sessions"]
    assert (event["needs_upgrade"], event["needs_restart"]) == (["port-min"], [])
    daemon.offer("one")
    assert daemon.offer("two")["message"] == "Parallel session limit reached"


def test_a_broken_file_leaves_the_old_configuration(daemon: Daemon) -> None:
    daemon.config.write_text("prot-min = 1\n")
    daemon.signal(signal.SIGHUP)
    refused = daemon.event("configuration refused, the old one stays")
    assert "prot-min" in refused["reason"]
    assert "port-min" in refused["reason"]
    assert daemon.ask("ping") == {"result": "pong"}


# The state directory.


def test_after_a_kill_the_copy_on_disk_brings_the_calls_back_on_their_ports(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    daemon = Daemon(tmp_path, f"--state-dir={state}", "--no-keeper")
    try:
        sdp = daemon.offer("call")["sdp"]
        wait_until(
            "the copy, which is behind by a second",
            lambda: any(sdp.encode() in file.read_bytes() for file in state.glob("journal")),
        )
        daemon.end()
        daemon = Daemon(tmp_path, f"--state-dir={state}", "--no-keeper")
        assert daemon.ask("list") == {"calls": ["call"], "result": "ok"}
        assert daemon.offer("call")["sdp"] == sdp
        with socket.create_connection(("127.0.0.1", port_of(sdp)), timeout=10.0):
            pass
    finally:
        daemon.end()


def test_a_journal_that_cannot_be_read_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    newer = b"msrprelay journal 9\n" + bytes(5000)
    (state / "journal").write_bytes(newer)
    daemon = Daemon(tmp_path, f"--state-dir={state}")
    try:
        said = str(state / "journal.unreadable")
        assert daemon.ask("statistics")["sessions"]["calls"] == 0
        assert Path(said).read_bytes() == newer
    finally:
        daemon.end()


@pytest.mark.parametrize("daemon", [("--state-dir=/proc/none/state",)], indirect=True)
def test_without_its_directory_it_serves_and_says_so(daemon: Daemon) -> None:
    assert "sdp" in daemon.offer("call")
    state = daemon.ask("statistics")["state"]
    assert (state["degraded"], state["disk-bytes"]) == (1, 0)
    assert state["reason"].startswith("state-dir: ")


def test_a_directory_that_another_process_has_is_refused(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, f"--state-dir={tmp_path / 'state'}")
    try:
        second = [sys.executable, "-m", "msrprelay.cli.daemon", f"--config={daemon.config}"]
        refused = subprocess.run(
            [*second, f"--state-dir={tmp_path / 'state'}", "--control="],
            stderr=subprocess.PIPE,
            timeout=30.0,
            check=False,
        )
        assert refused.returncode == 1
        assert b"another process uses it" in refused.stderr
    finally:
        daemon.end()


def port_of(sdp: str) -> int:
    (line,) = [line for line in sdp.splitlines() if line.startswith("m=message")]
    return int(line.split()[1])


def ask_again(client: socket.socket, datagram: bytes) -> bytes:
    """The reply to a datagram that may be lost: the noise before it can fill the socket."""
    for _ in range(10):
        client.send(datagram)
        with contextlib.suppress(TimeoutError):
            return client.recv(2000)
    raise AssertionError("no reply")


def test_any_bytes_on_the_control_sockets_leave_it_serving(daemon: Daemon) -> None:
    strange = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(daemon.ng)
        for _ in range(300):
            client.send(strange.randbytes(strange.randrange(600)))
            client.send(b"c %b" % strange.randbytes(strange.randrange(600)))
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.control))
            client.sendall(strange.randbytes(strange.randrange(5000)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        client.connect(daemon.ng)
        reply = ask_again(client, b"cookie " + bencode.encode({"command": "ping"}))
        assert reply == b"cookie d6:result4:ponge"
    assert daemon.ask("statistics")["ng"]["malformed"] > 0


def test_a_port_that_is_taken_is_a_named_failure(daemon: Daemon, tmp_path: Path) -> None:
    host, port = daemon.ng
    second = [sys.executable, "-m", "msrprelay.cli.daemon", f"--listen-ng={host}:{port}"]
    options = ["--interface=127.0.0.1", f"--control={tmp_path}/second.sock"]
    done = subprocess.run([*second, *options], capture_output=True, timeout=20.0, check=False)
    assert done.returncode == 1
    assert b"cannot start" in done.stderr
    assert b"listen-ng: " in done.stderr
    assert str(port).encode() in done.stderr


def test_an_interface_that_is_not_on_this_machine_is_a_named_failure(tmp_path: Path) -> None:
    """Where --check runs, it may be another one: there that is no mistake."""
    daemon = [sys.executable, "-m", "msrprelay.cli.daemon", "--interface=lo/127.0.0.1"]
    sockets = ["--listen-ng=127.0.0.1:0", f"--control={tmp_path}/ctl.sock", "--config=/dev/null"]
    command = [*daemon, "--interface=pub/192.0.2.10!203.0.113.9", *sockets]
    for keeping in ("--keeper", "--no-keeper"):
        done = subprocess.run(
            [*command, keeping], capture_output=True, timeout=20.0, check=False, text=True
        )
        assert done.returncode == 1
        assert "cannot start" in done.stderr
        assert "interface pub/192.0.2.10!203.0.113.9: [Errno 99] Cannot assign" in done.stderr
    assert subprocess.run([*command, "--check"], timeout=20.0, check=False).returncode == 0


@pytest.mark.parametrize(
    ("daemon", "unread"),
    [
        pytest.param(("--splice-bodies",), True, id="on"),
        pytest.param((), False, id="by default"),
    ],
    indirect=["daemon"],
)
def test_large_ranged_bodies_pass_unread_where_that_is_wanted(daemon: Daemon, unread: bool) -> None:
    answer = OFFER.replace(b"aliceid", b"bobid").decode()
    to_bob = path_of(daemon.offer("call")["sdp"])
    reply = daemon.ask("answer", call_id="call", from_tag="a", to_tag="b", sdp=answer)
    to_alice = path_of(reply["sdp"])
    body = random.Random(8).randbytes(1 << 20)
    with dialled(to_alice) as alice, dialled(to_bob) as bob:
        bob.sendall(chunk(to_bob, path_of(answer), b""))
        sender = threading.Thread(
            target=alice.sendall, args=[chunk(to_alice, path_of(OFFER.decode()), body)]
        )
        sender.start()
        arrived = chunk(path_of(answer), to_bob, body)
        assert bob.makefile("rb").read(len(arrived)) == arrived
        sender.join()
    spliced = daemon.ask("statistics")["engine"]["spliced"]
    assert (spliced > len(body) // 2) if unread else spliced == 0


def test_both_peers_call_the_media_addresses_that_they_were_told(daemon: Daemon) -> None:
    answer = OFFER.replace(b"aliceid", b"bobid").decode()
    offered = daemon.ask(
        "offer", call_id="c", from_tag="a", sdp=OFFER.decode(), media_address="bob.test"
    )
    to_bob = path_of(offered["sdp"])
    reply = daemon.ask(
        "answer", call_id="c", from_tag="a", to_tag="b", sdp=answer, media_address="alice.test"
    )
    to_alice = path_of(reply["sdp"])
    assert to_alice.startswith("msrp://alice.test:")
    with dialled(to_alice) as alice, dialled(to_bob) as bob:
        alice.sendall(chunk(to_alice, path_of(OFFER.decode()), b"hello"))
        bob.sendall(chunk(to_bob, path_of(answer), b"hi"))
        for peer, arrived in (
            (bob, chunk(path_of(answer), to_bob, b"hello")),
            (alice, chunk(path_of(OFFER.decode()), to_alice, b"hi")),
        ):
            assert peer.makefile("rb").read(len(arrived)) == arrived


def path_of(sdp: str) -> str:
    (path,) = re.findall(r"(?m)^a=path:(\S+)", sdp)
    return str(path)


def dialled(uri: str) -> socket.socket:
    """A connection to the port in it: only a peer's resolver knows the names of this test."""
    host, port = re.findall(r"//([^:]+):(\d+)/", uri)[0]
    address = "127.0.0.1" if host.endswith(".test") else host
    return socket.create_connection((address, int(port)), timeout=20.0)


def chunk(to: str, sender: str, body: bytes) -> bytes:
    """A whole message in one chunk, whose range says where it ends."""
    head = (
        f"MSRP chunkchunk SEND\r\nTo-Path: {to}\r\nFrom-Path: {sender}\r\n"
        f"Message-ID: 1\r\nByte-Range: 1-{len(body)}/{len(body)}\r\n"
    )
    content = b"Content-Type: application/octet-stream\r\n\r\n" + body + b"\r\n" if body else b""
    return head.encode() + content + b"-------chunkchunk$\r\n"


async def test_a_clock_that_is_set_does_not_change_the_uptime(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = config.load('interface = "127.0.0.1"\nlisten-ng = []\ncontrol = ""')
    process = server.RelayProcess(settings, lambda: settings)
    monkeypatch.setattr("time.time", lambda: 0.0)
    uptime = process.statistics()["uptime"]
    await process.stop()
    assert isinstance(uptime, int)
    assert 0 <= uptime < 3600


def test_it_imports_nothing_after_it_has_started(tmp_path: Path) -> None:
    """An upgrade on disk must not mix old and new code: a whole call loads no module."""
    script = """
import asyncio, os, signal, sys
from msrprelay import config, log
from msrprelay.process import run, server
log.configure("error")
from msrprelay.commands import Answer, Delete, Offer, Origin, Query
from msrprelay.metrics.exposition import Exposition
from msrprelay.rpc.requests import parse_answer, parse_delete, parse_offer, parse_query

OFFER = sys.argv[2].encode()
FIELDS = {"call-id": b"c", "from-tag": b"a", "to-tag": b"b", "sdp": OFFER}
ORIGIN = Origin("test", "", 0)

async def main():
    text = f'interface = "127.0.0.1"\\ncontrol = "{sys.argv[1]}"\\nlisten-ng = "127.0.0.1:0"'
    process = server.RelayProcess(config.load(text), lambda: config.load(text))
    await process.start()
    before = set(sys.modules)
    first = {k: v for k, v in FIELDS.items() if k != "to-tag"}
    process.sessions.offer(parse_offer(first, ORIGIN))
    answer = OFFER.replace(b"127.0.0.1:9", b"localhost:2")
    answer = answer.replace(b"active", b"passive").replace(b"message 9", b"message 2")
    process.sessions.answer(parse_answer({**FIELDS, "sdp": answer}, ORIGIN))
    process.sessions.query(parse_query(FIELDS, ORIGIN))
    process.statistics(), process.limits()
    for accept in ("*/*", "application/openmetrics-text"):
        Exposition(process.snapshot).write(accept)
    await asyncio.sleep(0.1)
    process.reload()
    process.sessions.delete(parse_delete({**first, "delete-delay": b"0"}, ORIGIN))
    await process.stop()
    print(*sorted(set(sys.modules) - before))

asyncio.run(main())
"""
    command = [sys.executable, "-c", script, str(tmp_path / "ctl.sock"), OFFER.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=True)
    assert done.stdout.split() == []
