"""The two programs: what they say, and with which exit status."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket as socketlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
import structlog
from click.testing import CliRunner, Result

from msrprelay import config as configuration
from msrprelay.cli import ctl, daemon
from msrprelay.cli.lazy import LazyGroup, Place
from msrprelay.commands import Query
from msrprelay.config.options import known
from msrprelay.errors import CommandError
from msrprelay.log import configure
from msrprelay.process import run as relay_run
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.jsonrpc import JsonRpcResponder
from msrprelay.rpc.jsonrpc_server import JsonRpcServer

from .rpc_fakes import FakeCommands

CALLS = ["call-1", "call-2\x1b[2J"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The daemon's log is not the tool's output, although both are in one process here."""
    configure("error", io.StringIO())
    yield
    structlog.reset_defaults()


@pytest.fixture
def commands() -> FakeCommands:
    commands = FakeCommands()
    commands.calls = list(CALLS)
    return commands


@pytest.fixture
def socket(commands: FakeCommands, tmp_path: Path) -> Iterator[str]:
    """A control socket, served by another thread: the tool under test blocks."""
    path = tmp_path / "ctl.sock"
    loop = asyncio.new_event_loop()
    server = JsonRpcServer(JsonRpcResponder(Dispatcher(commands)), path)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield str(path)
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def operate(*arguments: str) -> Result:
    return CliRunner().invoke(ctl.main, arguments)


def test_ping(socket: str) -> None:
    result = operate("ping", "--control", socket)
    assert (result.exit_code, result.output) == (0, "pong\n")


def test_list_shows_each_call_in_a_line(socket: str) -> None:
    result = operate("list", "--control", socket)
    assert result.exit_code == 0
    head, *lines = result.output.splitlines()
    assert head.split()[:3] == ["CALL-ID", "STATE", "POLICY"]
    assert [line.split()[:3] for line in lines] == [
        ["call-1", "joined", "aware"],
        ["call-2\\x1b[2J", "joined", "aware"],
    ]
    assert "1.5 KiB" in lines[0]
    assert "70 B" in lines[0]


def test_a_listed_call_id_is_whole_however_long(socket: str, commands: FakeCommands) -> None:
    commands.calls = ["long-" + 1000 * "x"]
    (_, line) = operate("list", "--control", socket).output.splitlines()
    assert line.split()[0] == commands.calls[0]
    shown = operate("show", commands.calls[0], "--control", socket)
    assert shown.exit_code == 0
    assert commands.calls[0] in shown.output


def test_a_refusal_is_shown_whole(socket: str, commands: FakeCommands) -> None:
    reason = "names: " + ", ".join(f"event-{number}" for number in range(100))
    commands.fail = lambda: CommandError(reason)
    assert operate("ping", "--control", socket).stderr == f"msrprelay-ctl: {reason}\n"


def test_list_of_nothing_is_a_head(socket: str, commands: FakeCommands) -> None:
    commands.calls = []
    result = operate("list", "--control", socket)
    assert (result.exit_code, len(result.output.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        pytest.param(2, "the first 2 of 3 calls; --limit shows more\n", id="fewer"),
        pytest.param(3, "", id="all"),
    ],
)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_list_says_that_there_are_more(
    socket: str, commands: FakeCommands, as_json: list[str], limit: int, told: str
) -> None:
    commands.calls = ["a", "b", "c"]
    result = operate("list", "--limit", str(limit), *as_json, "--control", socket)
    assert (result.exit_code, result.stderr) == (0, told)


def test_a_limit_that_the_relay_does_not_read_is_refused_with_the_range() -> None:
    result = operate("list", "--limit", "2000000000")
    assert result.exit_code == 2
    assert "1<=x<=999999999" in result.stderr


def test_list_asks_for_many_calls_in_batches(socket: str, commands: FakeCommands) -> None:
    commands.calls = [f"call-{number}" for number in range(250)]
    result = operate("list", "--json", "--control", socket)
    assert [call["call-id"] for call in json.loads(result.output)["calls"]] == commands.calls


def test_list_asks_for_long_names_in_more_batches(socket: str, commands: FakeCommands) -> None:
    commands.calls = [f"{number:02}" + "x" * 40_000 for number in range(30)]
    result = operate("list", "--json", "--control", socket)
    assert result.exit_code == 0
    assert len(json.loads(result.output)["calls"]) == 30


def test_list_tells_why_a_batch_is_refused(socket: str, commands: FakeCommands) -> None:
    commands.calls = ["x" * (1 << 20)]
    result = operate("list", "--control", socket)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a line has at most 1048576 bytes" in result.stderr


@pytest.mark.parametrize("typed", ["caf\\xe9", "caf\udce9"], ids=["as-shown", "as-octet"])
def test_a_call_id_that_is_no_utf_8_is_listed_shown_and_ended(
    socket: str, commands: FakeCommands, typed: str
) -> None:
    commands.calls = ["caf\udce9"]
    _, line = operate("list", "--control", socket).output.splitlines()
    assert line.split()[:2] == ["caf\\xe9", "joined"]
    assert operate("show", typed, "--control", socket).exit_code == 0
    assert operate("terminate", typed, "--control", socket).output == "1 ended\n"


def test_show_has_the_legs(socket: str) -> None:
    result = operate("show", "call-1", "--control", socket)
    assert result.exit_code == 0
    *_, head, a, b = result.output.splitlines()
    assert head.split()[:3] == ["LEG", "ROLE", "STATE"]
    assert a.split() == [
        *("a", "accept", "joined", "192.0.2.10:20001", "198.51.100.7:51000"),
        *("1536", "70", "4", "-"),
    ]
    assert b.split()[0] == "b"


def test_show_draws_the_ladder(socket: str) -> None:
    plain = operate("show", "call-1", "--control", socket).output
    drawn = operate("show", "call-1", "--ladder", "--control", socket).output
    assert drawn.startswith(plain)
    assert "joined" in drawn.removeprefix(plain)


def test_show_also_finds_a_call_that_has_ended(socket: str, commands: FakeCommands) -> None:
    operate("show", "call-1", "--control", socket)
    (asked,) = commands.asked
    assert isinstance(asked, Query)
    assert asked.ended


def test_show_of_an_unknown_call_is_refused(socket: str) -> None:
    result = operate("show", "nothing", "--control", socket)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "msrprelay-ctl: Unknown call-id\n"


def test_terminate_ends_one_call_or_all(socket: str, commands: FakeCommands) -> None:
    assert operate("terminate", "call-1", "--control", socket).output == "1 ended\n"
    assert commands.calls == CALLS[1:]
    assert operate("terminate", "call-1", "--control", socket).exit_code == 1
    assert operate("terminate", "--all", "--control", socket).output == "1 ended\n"
    assert commands.calls == []


@pytest.mark.parametrize(
    ("option", "told", "said"),
    [((), False, "draining, 2 calls\n"), (("--off",), True, "serving, 2 calls\n")],
    ids=["on", "off"],
)
def test_drain(
    socket: str, commands: FakeCommands, option: tuple[str, ...], told: bool, said: str
) -> None:
    assert operate("drain", *option, "--control", socket).output == said
    assert [request.off for request in commands.asked] == [told]  # type: ignore[attr-defined]


def test_events_are_followed_until_the_daemon_ends(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    script = [
        {"jsonrpc": "2.0", "id": 1, "result": {"result": "ok"}},
        notified("event", event="joined", time=3661.25, **{"call-id": "c\n1", "section": 0}),
        notified("events-lost", lost=7),
        notified("event", event="draining", time=3662.0),
    ]
    with scripted(path, script):
        result = operate("events", "--control", str(path))
    assert result.stdout.splitlines() == [
        "01:01:01.250 joined c\\x0a1 section=0",
        "-- 7 events were lost: this terminal is too slow",
        "01:01:02.000 draining -",
    ]
    # Calls go on without the relay process that told of them: silence would be misread.
    assert result.exit_code == 3
    assert "the daemon closed the connection" in result.stderr


def test_events_can_be_chosen_and_come_as_json(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    told = notified("event", event="joined", time=1.0)
    with scripted(path, [{"jsonrpc": "2.0", "id": 1, "result": {}}, told]) as heard:
        arguments = ("events", "joined", "--call-id", "c", "--json", "--control", str(path))
        lines = operate(*arguments).stdout.splitlines()
    assert json.loads(lines[0]) == told
    assert json.loads(lines[1])["error"]["message"].endswith("the daemon closed the connection")
    assert json.loads(heard[0])["params"] == {"events": ["joined"], "call-id": "c"}


def notified(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"[]\n",
        b"3\n",
        b'{"id": 1}\n',
        b'{"error": "x"}\n',
        b"\xff\n",
    ],
    ids=["http", "list", "number", "neither", "error", "noise"],
)
def test_a_socket_of_another_program_is_told_in_a_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "other.sock"
    with scripted(path, [line]):
        result = operate("ping", "--control", str(path))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"msrprelay-ctl: the daemon is not reached: {path}: no answer")


def test_an_output_that_is_full_is_told_in_a_line(socket: str) -> None:
    for more in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "msrprelay.cli.ctl",
                    "statistics",
                    "--control",
                    socket,
                    *more,
                ],
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
            )
        told = b"msrprelay-ctl: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, told)


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(ctl.main, ["check-host"], color=True).output
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[" in CliRunner().invoke(ctl.main, ["check-host"], color=True).output


def test_a_reader_that_has_read_enough_is_no_error(socket: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "msrprelay.cli.ctl", "statistics", "--control", socket],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(writing)
    assert done.stderr == b""


@contextmanager
def scripted(path: Path, lines: Sequence[dict[str, object] | bytes]) -> Iterator[list[bytes]]:
    """A daemon that says these lines, whatever it is asked, and ends."""
    heard: list[bytes] = []
    with socketlib.socket(socketlib.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                heard.append(connection.recv(65536))
                for line in lines:
                    said = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                    connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)


def test_statistics_are_flat(socket: str) -> None:
    lines = operate("statistics", "--control", socket).output.splitlines()
    assert [line.split() for line in lines] == [
        ["COUNTER", "VALUE"],
        ["sessions.calls", "2"],
        ["sessions.joined", "2"],
        ["sessions.ended.deleted", "1"],
        ["ports.0.leased", "4"],
        ["offers", "3"],
    ]


def test_limits_have_value_unit_and_refusals(socket: str) -> None:
    lines = operate("limits", "--control", socket).output.splitlines()
    rows = {line.split("  ")[0]: line.split() for line in lines}
    assert rows["timers.join"][:4] == ["timers.join", "30", "s", "0"]
    assert rows["limits.sessions"][:3] == ["limits.sessions", "500", "3"]
    assert rows["limits.sdp"][:4] == ["limits.sdp", "64", "KiB", "0"]


def test_what_a_limit_is_about_is_told_whole(socket: str) -> None:
    lines = operate("limits", "--control", socket).output.splitlines()
    assert [line for line in lines if line.endswith("…")] == []


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["ping"], "result"),
        (["list"], "calls"),
        (["show", "call-1"], "msrp"),
        (["statistics"], "sessions"),
        (["limits"], "limits"),
        (["terminate", "--all"], "terminated"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_subcommand_can_print_json(socket: str, arguments: list[str], key: str) -> None:
    result = operate(*arguments, "--json", "--control", socket)
    assert result.exit_code == 0
    assert key in json.loads(result.stdout)


def test_json_has_nothing_in_it_that_acts_on_a_terminal(
    socket: str, commands: FakeCommands
) -> None:
    commands.calls = ["a\x9b31m", "b\u202ec", "d\U000e0001e", "caf\xe9"]
    result = operate("list", "--json", "--control", socket)
    assert result.stdout.removesuffix("\n").isprintable()
    assert "caf\xe9" in result.stdout
    assert [call["call-id"] for call in json.loads(result.stdout)["calls"]] == commands.calls


def test_a_refusal_in_json_is_an_error_object(socket: str) -> None:
    result = operate("show", "nothing", "--json", "--control", socket)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": {"code": -32000, "message": "Unknown call-id"}}


@pytest.mark.parametrize(
    "arguments",
    [["ping"], ["list"], ["show", "c"], ["terminate", "c"], ["statistics"], ["limits"]],
    ids=lambda arguments: arguments[0],
)
def test_without_a_daemon_the_status_is_3(tmp_path: Path, arguments: list[str]) -> None:
    result = operate(*arguments, "--control", str(tmp_path / "nobody"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "the daemon is not reached" in result.stderr
    result = operate(*arguments, "--json", "--control", str(tmp_path / "nobody"))
    assert (result.exit_code, list(json.loads(result.stdout))) == (3, ["error"])


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["show"], ["terminate"], ["terminate", "c", "--all"], ["list", "--limit", "0"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    assert operate(*arguments).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_a_shell(shell: str) -> None:
    result = operate("completion", shell)
    assert result.exit_code == 0
    assert "_MSRPRELAY_CTL_COMPLETE" in result.output


def completed(words: str) -> list[bytes]:
    """What bash is offered for the word behind these."""
    env = {
        "_MSRPRELAY_CTL_COMPLETE": "bash_complete",
        "COMP_WORDS": f"msrprelay-ctl {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    done = subprocess.run(
        [sys.executable, "-m", "msrprelay.cli.ctl"], env=env, capture_output=True, timeout=60
    )
    assert done.stderr == b""
    return [line.partition(b",")[2] for line in done.stdout.splitlines()]


def test_call_ids_are_completed(socket: str) -> None:
    assert completed(f"show --control {socket} call-") == [b"call-1"]


def test_no_call_id_is_offered_that_a_shell_could_carry_out(
    socket: str, commands: FakeCommands
) -> None:
    commands.calls = [
        "a;reboot",
        "$(reboot)",
        "`reboot`",
        "a b",
        "*",
        "~",
        "a'b",
        "--all",
        "a&b",
        "é",
    ]
    commands.calls += ["843d2a@192.0.2.1:5060", "a-b_c.d"]
    assert completed(f"terminate --control {socket} ") == [b"843d2a@192.0.2.1:5060", b"a-b_c.d"]


def test_completion_does_not_wait_long_for_a_daemon_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    def connected(_path: str, patience: float) -> socketlib.socket:
        waits.append(patience)
        raise TimeoutError

    monkeypatch.setattr("msrprelay.cli.client.connected", connected)
    show = ctl.main.get_command(click.Context(ctl.main), "show")
    assert show is not None
    assert show.params[0].shell_complete(click.Context(show), "") == []
    assert waits == [1.0]


def test_help_lists_what_is_installed() -> None:
    output = operate("--help").output
    for name, place in ctl.Ctl.places.items():
        assert (f"\n  {name} " in output) == place.exists()
        assert place.exists() == (operate(name, "--help").exit_code == 0)


def test_a_subcommand_that_is_not_installed_is_not_offered() -> None:
    class Group(LazyGroup):
        places = {"far": Place("msrprelay.no.such", "far", "Not here.")}  # noqa: RUF012

    group = Group("group")
    assert group.list_commands(click.Context(group)) == []
    assert CliRunner().invoke(group, ["far"]).exit_code == 2


def test_ping_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    """It starts fast because it imports little: no event loop, no log, no relay, no demo."""
    script = (
        "import sys\n"
        "from msrprelay.cli.ctl import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, "ping", "--control", str(tmp_path / "nobody")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = set(run.stdout.split())
    assert "msrprelay.cli.operate" in loaded
    ours = {name for name in loaded if name.startswith("msrprelay.")}
    assert {name for name in ours if not name.startswith("msrprelay.cli")} == {
        "msrprelay.compiled",
        "msrprelay.printable",
    }
    assert loaded & {"asyncio", "structlog", "uvloop", "importlib.metadata", "tomllib"} == set()


# --- the daemon --------------------------------------------------------------------------------


def start(*arguments: str) -> Result:
    return CliRunner().invoke(daemon.main, arguments)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[configuration.Config, object]]:
    """What the relay was started with, instead of starting it."""
    started: list[tuple[configuration.Config, object]] = []

    def run_(config: configuration.Config, reread: object) -> int:
        started.append((config, reread))
        return 0

    monkeypatch.setattr(relay_run, "run", run_)
    return started


def test_check_accepts_the_shipped_example() -> None:
    example = Path(__file__).resolve().parents[2] / "deploy" / "msrprelayd.toml"
    result = start("--config", str(example), "--check")
    assert result.exit_code == 0
    assert result.stdout == f"{example}: configuration is good\n"
    (warning,) = result.stderr.splitlines()
    assert warning.startswith("warning: interface pub/192.0.2.10 cannot be bound on this machine")


def test_check_has_nothing_to_say_of_an_address_of_this_machine() -> None:
    result = start("--interface=lo/127.0.0.1!192.0.2.10", "--check")
    assert (result.exit_code, result.stderr) == (0, "")


def test_check_tells_every_mistake_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text("listn-ng = 1\n")
    result = start("--config", str(path), "--check", "--port-min=0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{path}:1: listn-ng: unknown key; did you mean listen-ng?",
        "--port-min: a port from 1 to 65535 expected",
    ]


def test_a_usual_configuration_that_cannot_be_looked_at_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = tmp_path / ("x" * 300)
    monkeypatch.setattr(daemon, "DEFAULT_CONFIG", there)
    result = start("--interface=127.0.0.1", "--check")
    assert (result.exit_code, result.stderr) == (1, f"{there}: File name too long\n")


def test_a_bad_configuration_starts_nothing(run: list[object]) -> None:
    assert start("--port-min=3").exit_code == 1
    assert run == []


def test_every_option_reaches_the_configuration(
    run: list[tuple[configuration.Config, object]], tmp_path: Path
) -> None:
    path = tmp_path / "m.toml"
    path.write_text('port-min = 1000\nport-max = 1001\ninterface = "192.0.2.1"\n')
    options = (
        "--interface=pub/127.0.0.1!203.0.113.9 --interface=priv/127.0.0.2 --port-max=1100 "
        "--listen-ng=127.0.0.1:0 --listen-ng=127.0.0.2:5 --control=/x --threads=3 "
        "--dial-allow=127.0.0.0/8 --dial-deny=10.0.0.0/8 --no-keeper --log-level=error "
        "--no-event-ring --splice-bodies --delete-pending=delete "
        "--set timers.join=0.2 --set limits.sdp=1KiB"
    )
    assert start(*options.split(), "--config", str(path)).exit_code == 0
    ((config, _),) = run
    assert [interface.name for interface in config.interface] == ["pub", "priv"]
    assert (config.port_min, config.port_max) == (1000, 1100)
    assert [str(where) for where in config.listen_ng] == ["127.0.0.1:0", "127.0.0.2:5"]
    assert (config.control, config.threads, config.keeper) == ("/x", 3, False)
    assert [str(cidr) for cidr in (*config.dial_allow, *config.dial_deny)] == [
        "127.0.0.0/8",
        "10.0.0.0/8",
    ]
    assert (config.log_level, config.event_ring) == ("error", False)
    assert config.splice_bodies
    assert config.delete_pending == "delete"
    assert (config.timers.join, config.limits.sdp) == (0.2, 1024)


def test_every_key_outside_the_tables_is_an_option() -> None:
    spelled = {word for option in daemon.main.params for word in option.opts}
    keys = {option.key for option in known() if not option.table}
    assert {f"--{key}" for key in keys} <= spelled


@pytest.mark.parametrize(
    ("options", "policies"),
    [
        (["--msrp-path=pub=cema"], {"pub": "cema", "my_lan": "aware"}),
        (["--set=msrp-path.pub=sessmatch"], {"pub": "sessmatch", "my_lan": "aware"}),
        (["--set", "msrp_path.my_lan=cema"], {"pub": "aware", "my_lan": "cema"}),
        (["--set", 'msrp-path={pub="cema"}'], {"pub": "cema"}),
    ],
    ids=["option", "set", "underscores", "table"],
)
def test_a_path_policy_may_come_from_the_command_line(
    run: list[tuple[configuration.Config, object]],
    tmp_path: Path,
    options: list[str],
    policies: dict[str, str],
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'interface = ["pub/192.0.2.1", "my_lan/192.0.2.2"]\n'
        '[msrp-path]\npub = "aware"\nmy_lan = "aware"\n'
    )
    assert start("--config", str(path), "--no-keeper", *options).exit_code == 0
    assert dict(run[0][0].msrp_path) == policies


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("pub=both", "--msrp-path: pub = 'both': aware, cema or sessmatch expected"),
        ("priv=cema", "--msrp-path: no interface is called 'priv'"),
    ],
)
def test_a_wrong_path_policy_is_named_as_the_option(option: str, told: str) -> None:
    for options in (["--msrp-path", option], ["--set", f"msrp-path.{option}"]):
        result = start("--interface=pub/192.0.2.1", *options, "--check")
        assert (result.exit_code, result.stderr) == (1, f"{told}\n")


def test_reading_again_sees_the_file_of_then_and_the_options_of_the_start(
    run: list[tuple[configuration.Config, object]], tmp_path: Path
) -> None:
    path = tmp_path / "m.toml"
    path.write_text('interface = "192.0.2.1"\n')
    assert start("--config", str(path), "--port-max=20100", "--no-keeper").exit_code == 0
    ((config, reread),) = run
    assert callable(reread)
    path.write_text('interface = "192.0.2.1"\ntimers.offer = 7\n')
    assert configuration.changes(config, reread()) == (["timers.offer"], [], [])


def test_without_another_word_it_becomes_the_keeper(
    run: list[object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, command: became.append(command))
    path = tmp_path / "m.toml"
    path.write_text('interface = "192.0.2.1"\n[timers]\nupgrade = 3\n')
    start("--config", str(path), "--port-max=20100")
    (command,) = became
    keeper, entry = (next(i for i in command if i.endswith(n)) for n in ("keeper.py", "entry.py"))
    assert json.loads(command[command.index(keeper) + 1]) == {"prepare": 3.0}
    assert json.loads(command[command.index(entry) + 1]) == {
        "path": str(path),
        "overrides": {"port-max": 20100},
        "prepare": 3.0,
    }


@pytest.mark.parametrize("setting", ["timers.join", "=3"])
def test_a_setting_without_a_value_is_wrong_usage(setting: str) -> None:
    assert start("--interface=127.0.0.1", "--set", setting).exit_code == 2


def test_an_ng_address_for_strangers_is_warned_of(run: list[object]) -> None:
    result = start("--interface=127.0.0.1", "--listen-ng=192.0.2.1:2224", "--no-keeper")
    assert "warning: listen-ng 192.0.2.1:2224" in result.stderr
