"""The daemon, when its relay process, its keeper or both are killed, and when it is upgraded."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conformance.call import Call, uri
from ..conformance.cases.a_framer import goes_on
from ..conformance.relay import NgRelay
from ..peers.daemon import HOST, free_range
from ..peers.msrp import message
from ..peers.ng import Ng
from .daemon import KeptDaemon, MuteDaemon, is_running, send_until
from .kept import PATIENCE_SECONDS, end, halt

PING = b"cookie d7:command4:pinge"
PONG = b"cookie d6:result4:ponge"


@pytest.fixture
def daemon(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[KeptDaemon]:
    with KeptDaemon(tmp_path, *getattr(request, "param", ())) as daemon:
        yield daemon


def test_another_relay_process_answers_what_was_asked_meanwhile(daemon: KeptDaemon) -> None:
    before = daemon.processes()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_SECONDS)
        client.connect(daemon.ng_address)
        halt(before["keeper"])
        end(before["relay"])
        client.send(PING)
        os.kill(before["keeper"], signal.SIGCONT)
        assert client.recv(1000) == PONG
    after = daemon.processes()
    assert after["relay"] != before["relay"]
    assert after["keeper"] == before["keeper"] == daemon.pid
    assert (after["restarts"], after["last-end"]) == (1, "killed by signal 9")


def test_what_the_last_relay_process_has_done_the_next_one_does_not_repeat(
    daemon: KeptDaemon,
) -> None:
    with (
        NgRelay(daemon.ng_address).call("aware") as ended,
        NgRelay(daemon.ng_address).call("aware") as begun_since,
    ):
        ended.offer()
        assert daemon.call("terminate", all=1, cookie="1_1")["result"]["terminated"] == 1
        end(daemon.relay)
        begun_since.offer()
        assert daemon.call("terminate", all=1, cookie="1_1")["result"]["terminated"] == 1
        assert daemon.call("list")["result"]["calls"] == [begun_since.call_id]


def test_every_listening_socket_stays(tmp_path: Path) -> None:
    tcp, http = free_range(2), free_range(2)
    stream = tmp_path / "ng.sock"
    options = (
        f"--listen-ng-tcp={HOST}:{tcp}", f"--listen-http={HOST}:{http}",
        f"--listen-ng-unix={stream}",
    )  # fmt: skip
    with KeptDaemon(tmp_path, *options) as daemon:
        inodes = listening(daemon.relay)
        end(daemon.relay)
        with socket.create_connection((HOST, tcp), PATIENCE_SECONDS) as client:
            client.sendall(PING)
            assert client.recv(1000) == PONG
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_SECONDS)
            client.connect(str(stream))
            client.sendall(PING.partition(b" ")[2])
            assert client.recv(1000) == PONG.partition(b" ")[2]
        with urllib.request.urlopen(f"http://{HOST}:{http}/ping", timeout=PATIENCE_SECONDS) as page:
            assert page.read() == b"pong"
        assert listening(daemon.relay) == inodes


def listening(pid: int) -> set[str]:
    """The sockets of a process that are control sockets, by inode: UDP, and those that listen."""
    mine = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.exists()}
    listed = {
        f"socket:[{line.split()[9]}]"
        for table in ("udp", "tcp")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        if table == "udp" or line.split()[3] == "0A"
    }
    return mine & listed


def test_bytes_pass_when_the_relay_process_has_died(daemon: KeptDaemon) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        goes_on(a, b)
        end(daemon.relay)
        goes_on(a, b)


def test_a_call_whose_traffic_is_dropped_waits_through_the_death(daemon: KeptDaemon) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        call.reoffer(**{"drop-traffic": "start"})
        call.answer()
        while "paused" not in (event["what"] for event in session(call)["events"]):
            pass
        before = session(call)["legs"][0]["bytes-in"]
        a.send(waits := message(b"wait for it"))
        end(daemon.relay)
        assert session(call)["legs"][0]["bytes-in"] == before
        call.reoffer(**{"drop-traffic": "stop"})
        call.answer()
        b.expect(waits)
        goes_on(a, b)


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_who_dials_before_its_answer_to_a_re_offer_is_joined_by_it(
    daemon: KeptDaemon, dies: bool
) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        call.reoffer()
        if dies:
            end(daemon.relay)
        b.path = (uri(b.host, b.port),)
        b.dial(retry=True)
        b.send(early := message(b"early"))
        call.answer()
        a.expect(early)
        goes_on(a, b)


def session(call: Call) -> dict[str, Any]:
    """What the relay says of its only session."""
    found: list[dict[str, Any]] = call.query()["msrp"]["sessions"]
    (only,) = found
    return only


def test_the_relay_process_replaces_its_keeper(daemon: KeptDaemon) -> None:
    relay = daemon.relay
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        for _ in range(2):
            end(old := daemon.keeper)
            new = daemon.new_keeper(old)
            assert daemon.relay == relay
            goes_on(a, b)
        # The new one holds everything, and can do what the old one could.
        os.kill(new, signal.SIGUSR2)
        while (successor := daemon.relay) == relay:
            pass
        goes_on(a, b)
        end(successor)
        goes_on(a, b)
    after = daemon.processes()
    assert (after["keeper"], after["restarts"], after["upgrades"]) == (new, 1, 1)
    send_until(new, signal.SIGTERM, ended=after["relay"])


def test_a_keeper_that_hangs_holds_nobody_up_and_is_replaced(daemon: KeptDaemon) -> None:
    relay = daemon.relay
    ng = NgRelay(daemon.ng_address)
    with ng.call("aware") as call, ng.call("aware") as other:
        a, b = call.join()
        other.agree()
        halt(old := daemon.keeper)
        for _ in range(2000):
            # Each is held, and let go of.
            socket.create_connection(other.b.where.address).close()
            if not is_running(old):
                break
        new = daemon.new_keeper(old)
        assert daemon.relay == relay
        goes_on(a, b)
        # The new one has everything.
        end(relay)
        goes_on(a, b)
        goes_on(*other.connect())
    after = daemon.processes()
    assert (after["keeper"], after["restarts"]) == (new, 1)
    send_until(new, signal.SIGTERM, ended=after["relay"])


def test_a_keeper_that_has_ended_is_not_left_behind(daemon: KeptDaemon) -> None:
    end(daemon.keeper)
    end(second := daemon.new_keeper(daemon.pid))
    daemon.new_keeper(second)
    # It is a child of the relay process, which looks after it in a while.
    while os.path.exists(f"/proc/{second}"):
        daemon.ask("ping")


def test_when_both_are_dead_everything_is_free(daemon: KeptDaemon, tmp_path: Path) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        call.join()
        keeper, relay = daemon.keeper, daemon.relay
        halt(keeper)
        end(relay)
        end(keeper)
    again = f"--listen-ng={HOST}:{daemon.ng_address[1]}"
    other = tmp_path / "again"
    other.mkdir()
    with KeptDaemon(other, again, first_port=daemon.first_port) as second:
        assert second.processes()["restarts"] == 0
        assert second.ask("statistics")["sessions"]["sessions"] == 0
        with NgRelay(second.ng_address).call("aware") as call:
            goes_on(*call.join())


def test_an_upgrade_takes_over_calls_and_sockets(daemon: KeptDaemon) -> None:
    before = daemon.processes()
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        done = daemon.ctl("upgrade")
        after = daemon.processes()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"upgraded, the relay process is {after['relay']}\n"
        assert after["relay"] != before["relay"]
        assert (after["keeper"], after["restarts"], after["upgrades"]) == (daemon.pid, 0, 1)
        assert not is_running(before["relay"])
        goes_on(a, b)


def test_an_upgrade_finds_sockets_whose_addresses_are_listed_otherwise(
    daemon: KeptDaemon,
) -> None:
    one, other = (free_range(1) for _ in range(2))
    for ports in ([one, other], [other, one], [one]):
        places = ", ".join(f'"{HOST}:{port}"' for port in ports)
        daemon.file.write_text(f"listen-ng-tcp = [{places}]\n")
        done = daemon.ctl("upgrade")
        assert (done.returncode, done.stderr) == (0, "")
        for port in ports:
            with socket.create_connection((HOST, port), PATIENCE_SECONDS) as client:
                client.sendall(PING)
                assert client.recv(1000) == PONG
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, other), PATIENCE_SECONDS)


def test_an_upgrade_applies_what_a_reload_cannot(daemon: KeptDaemon) -> None:
    other = free_range(1)
    daemon.file.write_text(f'listen-http = ["{HOST}:{other}"]\n[timers]\ngate = 3\n')
    assert daemon.ctl("upgrade").returncode == 0
    with urllib.request.urlopen(f"http://{HOST}:{other}/ping", timeout=PATIENCE_SECONDS) as page:
        assert page.read() == b"pong"
    assert limits(daemon)["timers.gate"] == 3
    daemon.file.write_text("")
    assert daemon.ctl("upgrade").returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, other)) != 0


def test_an_upgrade_may_move_the_control_socket(tmp_path: Path) -> None:
    """The old one is gone with it, so that nobody waits there."""
    other = tmp_path / "run" / "other.sock"
    with KeptDaemon(tmp_path, control_in_file=True) as daemon:
        assert daemon.control.exists()
        daemon.file.write_text(f'control = "{other}"\n')
        done = daemon.ctl("upgrade")
        said = f"upgraded, {daemon.control} is not its control socket any more\n"
        assert (done.returncode, done.stderr, done.stdout) == (0, "", said)
        assert not daemon.control.exists()
        command = [sys.executable, "-m", "msrprelay.cli.ctl", "ping", f"--control={other}"]
        assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_a_configuration_with_a_mistake_changes_nothing(daemon: KeptDaemon) -> None:
    before = daemon.processes()
    daemon.file.write_text("prot-min = 1\n")
    done = daemon.ctl("upgrade")
    assert done.returncode == 1
    assert "configuration refused" in done.stderr
    assert "did you mean port-min" in done.stderr
    after = daemon.processes()
    assert (after["relay"], after["upgrades"], after["failed-upgrades"]) == (before["relay"], 0, 1)


def test_a_library_that_is_missing_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found before the old process is gone: what only the new configuration needs is loaded too."""
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not here')\n")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), before])))
    with KeptDaemon(tmp_path) as daemon:
        relay = daemon.relay
        daemon.file.write_text(f'listen-http = ["{HOST}:{free_range(1)}"]\n')
        done = daemon.ctl("upgrade")
        assert (done.returncode, "not here" in done.stderr) == (1, True)
        after = daemon.processes()
        assert (after["relay"], after["restarts"], after["failed-upgrades"]) == (relay, 0, 1)


def test_an_address_that_is_taken_leaves_the_old_configuration(daemon: KeptDaemon) -> None:
    """The old process is gone when the new one listens: another one follows with the old file."""
    with socket.create_server((HOST, 0)) as taken:
        daemon.file.write_text(f'listen-http = ["{HOST}:{taken.getsockname()[1]}"]\n')
        with NgRelay(daemon.ng_address).call("aware") as call:
            a, b = call.join()
            done = daemon.ctl("upgrade")
            assert daemon.ask("ping")["result"] == "pong"
            goes_on(a, b)
    assert done.returncode == 1
    assert "ended with status 1" in done.stderr


def test_an_upgrade_warns_of_an_interface_that_is_not_on_this_machine(tmp_path: Path) -> None:
    """It has taken over calls: those go on, and new ones are served where that is possible."""
    with KeptDaemon(tmp_path, interface_in_file=True) as daemon:
        with NgRelay(daemon.ng_address).call("aware") as call:
            a, b = call.join()
            daemon.file.write_text(f'interface = ["test/{HOST}", "pub/192.0.2.10"]\n')
            done = daemon.ctl("upgrade")
            assert (done.returncode, done.stderr) == (0, "")
            goes_on(a, b)
        with NgRelay(daemon.ng_address).call("aware") as call:
            goes_on(*call.join())
        daemon.said('"no such interface"', "interface pub/192.0.2.10!192.0.2.10: [Errno 99]")


def test_calls_go_on_where_the_control_socket_cannot_be_made_again(daemon: KeptDaemon) -> None:
    """Its directory is gone, and somebody has put a file there."""
    relay, place = daemon.relay, daemon.control.parent
    away = place.with_name(f"{place.name}-away")
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        place.rename(away)
        place.write_text("")
        os.kill(relay, signal.SIGKILL)
        goes_on(a, b)
        assert daemon.ask("ping")["result"] == "pong"
        assert str(daemon.control) in daemon.said("out of reach")
        place.unlink()
        away.rename(place)
        after = daemon.processes()
        assert (after["relay"] != relay, after["restarts"]) == (True, 1)
        goes_on(a, b)


def test_a_crash_keeps_the_configuration_that_was_in_force(daemon: KeptDaemon) -> None:
    daemon.file.write_text("[timers]\noffer = 77\ngate = 3\n")
    os.kill(daemon.pid, signal.SIGHUP)
    while limits(daemon)["timers.offer"] != 77:
        pass
    daemon.file.write_text("nonsense")
    end(daemon.relay)
    assert (limits(daemon)["timers.offer"], limits(daemon)["timers.gate"]) == (77, 10)


def limits(daemon: KeptDaemon) -> dict[str, object]:
    return {row["key"]: row["value"] for row in daemon.call("limits")["result"]["limits"]}


def test_sigterm_drains_through_the_keeper(daemon: KeptDaemon) -> None:
    relay = daemon.relay
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        os.kill(daemon.pid, signal.SIGTERM)
        while not any('"draining"' in line for line in daemon.log):
            goes_on(a, b)
        assert daemon.call("upgrade")["error"]["message"] == "The relay is stopping"
        call.delete()
        assert daemon.wait() == 0
    assert not is_running(relay)
    assert not daemon.control.exists()


@pytest.mark.parametrize("upgraded", [False, True], ids=["crash", "upgrade"])
def test_who_is_to_stop_stops_though_both_processes_were_replaced(
    daemon: KeptDaemon, upgraded: bool
) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        relay = daemon.relay
        os.kill(relay, signal.SIGTERM)
        while not any('"draining"' in line for line in daemon.log):
            goes_on(a, b)
        end(old := daemon.keeper)
        new = daemon.new_keeper(old)
        # It holds everything.
        goes_on(a, b)
        if upgraded:
            os.kill(new, signal.SIGUSR2)
        else:
            end(relay)
        goes_on(a, b)
        while daemon.call("statistics")["result"]["sessions"]["draining"] != 1:
            pass
        last = daemon.relay
        assert (last == relay) == upgraded
        call.delete()
        while is_running(last) or is_running(new):
            pass


def test_an_upgrade_that_is_lost_with_the_keeper_has_failed(daemon: KeptDaemon) -> None:
    before = daemon.processes()
    halt(keeper := before["keeper"])
    with daemon.popen_ctl("upgrade") as asked:
        while not daemon.call("statistics")["result"]["commands"].get("upgrade-ok"):
            pass
        assert daemon.call("upgrade")["error"]["message"] == "Another upgrade is under way"
        end(keeper)
        assert asked.wait(PATIENCE_SECONDS) == 1
        assert asked.stderr is not None
        assert "the keeper has died meanwhile" in asked.stderr.read()
    assert daemon.new_keeper(keeper) != keeper
    assert daemon.ctl("upgrade").returncode == 0


def test_a_keeper_is_found_when_there_are_descriptors_again(daemon: KeptDaemon) -> None:
    before = daemon.processes()
    relay = before["relay"]
    limits = resource.prlimit(relay, resource.RLIMIT_NOFILE)
    # None is free but the one over which the relay is asked.
    taken = max(map(int, os.listdir(f"/proc/{relay}/fd"))) + 1
    resource.prlimit(relay, resource.RLIMIT_NOFILE, (taken, limits[1]))
    end(before["keeper"])
    with contextlib.closing(Ng(*daemon.ng_address)) as ng:
        while ng.ask("statistics")["processes"]["keeper"]:
            pass
    resource.prlimit(relay, resource.RLIMIT_NOFILE, limits)
    assert is_running(daemon.new_keeper(before["keeper"]))


def test_what_fails_on_the_way_to_serving_may_work_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is missing for a moment, say, while the package is installed anew."""
    broken = tmp_path / "broken"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, sys\n"
        f"if os.path.exists({str(broken)!r}): sys.modules['msrprelay.process.server'] = None\n"
    )
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), before])))
    with KeptDaemon(tmp_path) as daemon, NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        broken.touch()
        end(daemon.relay)
        daemon.said("ended with status 1")
        broken.unlink()
        goes_on(a, b)
        assert daemon.processes()["restarts"] >= 2


def memfds(pid: int, name: str) -> list[Path]:
    """Descriptors of memory with this in its name; others may be closed meanwhile."""
    found: list[Path] = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(each)
            found += [each] if "memfd" in target and name in target else []
    return found


def test_a_journal_in_memory_that_cannot_be_read_is_replaced_by_the_one_on_disk(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    with (
        KeptDaemon(tmp_path, f"--state-dir={state}") as daemon,
        NgRelay(daemon.ng_address).call("aware") as call,
    ):
        a, b = call.join()
        copy = state / "journal"
        while session(call)["state"] != "joined" or not copy.exists():
            pass
        # What comes later than the join is written behind it.
        before = copy.stat().st_size
        call.reoffer()
        call.answer()
        while copy.stat().st_size <= before:
            pass
        relay = daemon.relay
        (memory,) = memfds(relay, "journal")
        with memory.open("r+b", buffering=0) as journal:
            journal.write(b"msrprelay journal 9\n")
        for _ in range(2):
            end(daemon.relay)
            goes_on(a, b)
            assert daemon.statistic("sessions", "calls") == 1
            goes_on(a, b)
        daemon.said('"journal not read"')


def test_without_a_log_calls_come_go_on_and_go(tmp_path: Path) -> None:
    with MuteDaemon(tmp_path) as daemon:
        ng = NgRelay(daemon.ng_address)
        for _ in range(2):
            with ng.call("aware") as call:
                a, b = call.join()
                goes_on(a, b)
                end(daemon.relay)
                goes_on(a, b)
                assert daemon.ctl("upgrade").returncode == 0
                goes_on(a, b)
            while daemon.statistic("sessions", "calls"):
                pass
        assert daemon.statistic("log", "lost") > 0


def test_without_a_keeper_an_upgrade_is_refused(tmp_path: Path) -> None:
    with KeptDaemon(tmp_path, "--no-keeper") as daemon:
        assert daemon.processes() == {"relay": daemon.pid}
        done = daemon.ctl("upgrade")
        assert (done.returncode, "No keeper" in done.stderr) == (1, True)
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.said('"no upgrade"')


def test_offers_during_an_upgrade_are_answered(daemon: KeptDaemon) -> None:
    """One request after the other: each is answered, at the second asking at the latest."""
    with subprocess.Popen(
        [sys.executable, "-m", "msrprelay.cli.ctl", "upgrade", f"--control={daemon.control}"]
    ) as upgrade:
        ng = Ng(*daemon.ng_address, patience=1.0)
        asked = 0
        while upgrade.poll() is None:
            ng.ask("ping")
            asked += 1
        ng.close()
    assert (upgrade.returncode, asked > 0) == (0, True)
    assert daemon.processes()["upgrades"] == 1


def test_the_relay_process_imports_nothing_after_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload, an upgrade that fails, another keeper and an end load no module."""
    served = tmp_path / "served"
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def loud(event, arguments):\n"
        f"    if event == 'import' and os.path.exists({str(served)!r}):\n"
        "        os.write(2, f'imported {arguments[0]}\\n'.encode())\n"
        "if '--successor' not in sys.argv:\n"
        "    sys.addaudithook(loud)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with KeptDaemon(tmp_path) as daemon:
        # Once, for what a first connection to a control socket may load.
        relay = daemon.relay
        served.touch()
        daemon.file.write_text("nonsense")
        os.kill(daemon.pid, signal.SIGHUP)
        daemon.call("upgrade")
        while not daemon.processes()["failed-upgrades"]:
            pass
        end(daemon.pid)
        keeper = daemon.new_keeper(daemon.pid)
        with NgRelay(daemon.ng_address).call("aware") as call:
            goes_on(*call.join())
            call.delete()
        send_until(keeper, signal.SIGTERM, ended=relay)
    assert [line for line in daemon.log if line.startswith("imported")] == []
