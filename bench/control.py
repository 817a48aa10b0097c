"""The control planes: what a call costs them, from offer to delete."""

from __future__ import annotations

import sys

from .place import Place
from .processes import Lines, Service

__all__ = ["DAEMONS", "Daemon"]

# Everything that belongs to a call happens while it is measured; ports are free again soon.
OURS = (
    "--interface=bench/@HOST@",
    "--listen-ng=@HOST@:@PORT@",
    "--control=",
    "--no-keeper",
    "--log-level=warning",
    *("--port-min=10000", "--port-max=31999"),
    *("--set=timers.delete-delay=0", "--set=timers.port-quarantine=1"),
)
RTPENGINE = (
    "rtpengine",
    "--foreground",
    *("--log-stderr", "--log-level=4"),
    "--table=-1",
    "--interface=@HOST@",
    "--listen-ng=@HOST@:@PORT@",
    *("--port-min=10000", "--port-max=31999"),
    "--pidfile=@DIRECTORY@/pid",
    "--delete-delay=0",
    "--num-threads=1",
)
# Command and ng port.
DAEMON = ("msrprelay.cli.daemon", *OURS)
DAEMONS = {
    "msrprelayd": ((sys.executable, "-m", *DAEMON), 2224),
    "msrprelayd-uncompiled": ((sys.executable, "-m", "bench.uncompiled", *DAEMON), 2225),
    "rtpengine": (RTPENGINE, 2226),
}


class Daemon:
    """A running control plane, and the client that makes calls on it."""

    def __init__(self, place: Place, name: str) -> None:
        command, port = DAEMONS[name]
        host = place.systems.address
        self._service = Service(place, command, port, {"HOST": host}, protocol="udp")
        client = [sys.executable, "-m", "bench.ng_client", host, str(port)]
        self._client = Lines(place.generator.command(client))
        self._client.read()
        self.cpu_seconds = self._service.cpu_seconds
        self.pids = self._service.pids

    def run(self, calls: int, workers: int) -> dict[str, float]:
        """Make and end so many calls, one after the other in each of so many workers."""
        outcome: dict[str, float] = self._client.ask(f"run {calls} {workers}")
        return outcome

    def ping(self, calls: int, workers: int) -> dict[str, float]:
        """The same with pings beside it; the times are theirs."""
        outcome: dict[str, float] = self._client.ask(f"ping {calls} {workers}")
        return outcome

    def stop(self) -> None:
        """End it."""
        self._client.stop()
        self._service.stop()
