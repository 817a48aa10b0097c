"""The daemon under chaos: its processes, told apart from outside, and what befalls them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ..hostile.process import descriptors
from ..peers.daemon import Daemon, free_range
from .signalling import Address

PORTS = 600
PATIENCE = 20.0
POLL_SECONDS = 0.001
# A little above keeper.SOON: after a few that die sooner the keeper pauses before the next one.
SETTLED_SECONDS = 1.05
# Short calls may end a direction long before the other; see kinds.
SETTINGS = {"timers.grace": 60.0, "timers.port-quarantine": 10.0}
OPTIONS = ("--dial-allow=127.0.0.0/8",)


class ChaosRelay:
    """A relay in processes of a session of their own; started again by its keeper, or by us."""

    def __init__(
        self,
        *,
        keeper: bool,
        ports: int = PORTS,
        options: Sequence[str] = (),
        package: Path | None = None,
    ) -> None:
        self.keeper = keeper
        # An address of its own: who else runs tests here takes none of its ports.
        here = f"127.{os.getpid() % 250 + 2}.0.1"
        self._daemon = Daemon(
            SETTINGS,
            ports=ports,
            first_port=free_range(ports, here),
            options=(*OPTIONS, *options),
            interfaces=(f"chaos/{here}",),
            keeper=keeper,
            package=package,
        )

    def __enter__(self) -> Self:
        self._daemon.__enter__()
        self._session = self._daemon.pid
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end()
        self._daemon.stop()

    @property
    def ng(self) -> Address:
        """Its control port."""
        return self._daemon.ng_address

    def complaints(self) -> Counter[str]:
        """Errors in its log, by what they are about."""
        lines = (json.loads(line) for line in self._daemon.log if line.startswith("{"))
        return Counter(f"log: {each['event']}" for each in lines if each.get("level") == "error")

    def relay_pid(self, *, but: int = 0) -> int:
        """The process that moves bytes; waits until there is one, another than `but`."""
        return self._await("no relay process", lambda pid: pid != but and not is_keeper(pid))

    def keeper_pid(self, *, but: int = 0) -> int:
        """The process that outlives it; waits until there is one, another than `but`."""
        return self._await("no keeper", lambda pid: pid != but and is_keeper(pid))

    def await_settled(self) -> None:
        """Wait until the relay process serves, and is as old as one that has recovered."""
        self.ask("ping")
        wait_until("no relay process lives long", lambda: age(self.relay_pid()) > SETTLED_SECONDS)

    def kill_relay(self) -> float:
        """SIGKILL; when it was."""
        return kill(self.relay_pid())

    def replace_keeper(self) -> float:
        """SIGKILL the keeper, and wait until another one holds as much; when it was."""
        old = self.keeper_pid()
        held = len(descriptors(old))
        at = kill(old)
        new = self.keeper_pid(but=old)
        wait_until("the new keeper holds less", lambda: len(descriptors(new)) >= held)
        return at

    def revive(self) -> None:
        """What systemd does for a daemon that has no keeper."""
        if not self.keeper:
            self.begin_again()

    def begin_again(self) -> None:
        """End what is left of it, and start it."""
        self._end()
        self._daemon.start()
        self._session = self._daemon.pid

    def _end(self) -> None:
        for pid in self._processes():
            os.kill(pid, signal.SIGTERM)
        self._daemon.end()
        for pid in self._processes():
            os.kill(pid, signal.SIGKILL)

    def ask(self, method: str, **params: object) -> Any:
        """One JSON-RPC call. Raises OSError, and RuntimeError for an error."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self._daemon.control))
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            client.sendall(json.dumps(request).encode() + b"\n")
            line = client.makefile("rb").readline()
        reply = json.loads(line or b'{"error": {"message": "no reply"}}')
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def upgrade(self) -> float:
        """Put a new process in the old one's place; when the old one ended."""
        old = self.relay_pid()
        self.ask("upgrade")
        wait_until("upgrade: the old process goes on", lambda: not is_alive(old))
        return time.monotonic()

    def _await(self, missing: str, wanted: Callable[[int], bool]) -> int:
        found: list[int] = []

        def look() -> bool:
            found[:] = [pid for pid in self._processes() if wanted(pid)]
            return bool(found)

        wait_until(missing, look)
        return found[0]

    def _processes(self) -> Iterator[int]:
        """The processes of the daemon's session, oldest first."""
        for pid in sorted(int(each.name) for each in Path("/proc").glob("[0-9]*")):
            fields = stat(pid)
            if fields and int(fields[3]) == self._session and fields[0] != "Z":
                yield pid


def wait_until(missing: str, condition: Callable[[], bool]) -> None:
    """Look again and again. Raises RuntimeError after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(missing)
        time.sleep(POLL_SECONDS)


def kill(pid: int) -> float:
    """SIGKILL; when it was."""
    now = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return now


def stat(pid: int) -> list[str]:
    """What /proc says of a process behind its name: state, parent, group, session, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def age(pid: int) -> float:
    """Seconds since it was started; 0 for one that has ended."""
    fields = stat(pid)
    if not fields:
        return 0.0
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def is_keeper(pid: int) -> bool:
    """Whether this is a keeper."""
    try:
        return b"keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def is_alive(pid: int) -> bool:
    """Whether it has not ended."""
    return stat(pid)[:1] not in ([], ["Z"])
