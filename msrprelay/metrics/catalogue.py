"""Every metric: name, type, meaning, labels, and where its values are in a snapshot.

Names keep Prometheus' conventions: base units, ``_total`` for what only grows. Label values come
from the code and the configuration, never from a call or a peer, so that their number is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .snapshot import Snapshot

Kind = Literal["counter", "gauge"]
# Label values, in the order of the labels, and the value.
Value = tuple[tuple[str, ...], float]
Read = Callable[[Snapshot], Iterator[Value]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric. A counter's ``name`` is without the ``_total`` of its samples."""

    name: str
    kind: Kind
    what: str
    read: Read
    labels: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        """The name that queries use."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def counter(name: str, what: str, read: Read, *labels: str) -> Entry:
    """What only grows, as long as the process lives."""
    return Entry(f"msrprelay_{name}", "counter", what, read, labels)


def gauge(name: str, what: str, read: Read, *labels: str) -> Entry:
    """What is now."""
    return Entry(f"msrprelay_{name}", "gauge", what, read, labels)


# Where values are.


def group(snapshot: Snapshot, name: str) -> Mapping[str, Any]:
    """One part of the statistics."""
    found: Mapping[str, Any] = snapshot.statistics[name]
    return found


def figure(part: str, key: str) -> Read:
    """One number; 0 if it was never counted."""

    def read(snapshot: Snapshot) -> Iterator[Value]:
        yield (), group(snapshot, part).get(key, 0)

    return read


def kept(key: str) -> Read:
    """What is counted where there is a keeper."""

    def read(snapshot: Snapshot) -> Iterator[Value]:
        if key in group(snapshot, "processes"):
            yield (), group(snapshot, "processes")[key]

    return read


def each(part: str, prefix: str = "") -> Read:
    """The numbers whose key begins so; the rest of the key is their label."""

    def read(snapshot: Snapshot) -> Iterator[Value]:
        for key, n in group(snapshot, part).items():
            if key.startswith(prefix):
                yield (key.removeprefix(prefix),), n

    return read


def commands(snapshot: Snapshot) -> Iterator[Value]:
    """By name and outcome; no name has a hyphen."""
    for key, n in group(snapshot, "commands").items():
        name, _, outcome = key.partition("-")
        yield (name, outcome), n


def sessions(snapshot: Snapshot) -> Iterator[Value]:
    """Those that are joined, and the others."""
    figures = group(snapshot, "sessions")
    yield ("joined",), figures["sessions-joined"]
    yield ("waiting",), figures["sessions"] - figures["sessions-joined"]


def ports(snapshot: Snapshot) -> Iterator[Value]:
    """By interface; interfaces that share name and address are told together."""
    found: dict[tuple[str, ...], float] = {}
    for row in group(snapshot, "sessions")["ports"]:
        used, resting = row["in-use"], row["quarantined"]
        # A process before this one may have had other ports: more may be taken than there are.
        states = {
            "in_use": used,
            "quarantined": resting,
            "free": max(0, row["ports"] - used - resting),
        }
        for state, n in states.items():
            where = (row["interface"], row["address"], state)
            found[where] = found.get(where, 0) + n
    yield from found.items()


def ended_seconds(snapshot: Snapshot) -> Iterator[Value]:
    """rtpengine's figure, which is a string."""
    yield (), float(group(snapshot, "statistics")["totalstatistics"]["totalcallsduration"])


def webhooks(snapshot: Snapshot) -> Iterator[Value]:
    """By hook and outcome."""
    for name, counts in snapshot.statistics["webhooks"].items():
        for outcome, n in counts.items():
            yield (name, outcome), n


def refusals(snapshot: Snapshot) -> Iterator[Value]:
    """By the key of the limit or timer."""
    for key, n in snapshot.refusals.items():
        yield (key,), n


def load(snapshot: Snapshot) -> Iterator[Value]:
    """By what is taken."""
    for what, share in snapshot.load.items():
        yield (what,), share


CATALOGUE = (
    # The process.
    gauge("build_info", "The version that runs; always 1.",
          lambda s: iter([((s.version,), 1)]), "version"),
    Entry("process_start_time_seconds", "gauge",
          "When this relay process began, and its counters with it, in seconds of the epoch.",
          lambda s: iter([((), s.started)])),
    Entry("process_cpu_seconds", "counter",
          "Processor time of this relay process, all threads, in seconds.",
          lambda s: iter([((), s.cpu_seconds)])),
    Entry("process_resident_memory_bytes", "gauge", "Memory of this relay process.",
          lambda s: iter([((), s.resident_bytes)])),
    counter("process_restarts", "Relay processes that died and were followed by another one.",
            kept("restarts")),
    counter("upgrades", "Upgrades: a successor has taken over.", kept("upgrades")),
    counter("upgrades_failed", "Upgrades that left the process before in place.",
            kept("failed-upgrades")),
    # Calls and sessions.
    gauge("calls", "Calls now.", figure("sessions", "calls")),
    counter("calls_started", "Calls begun.", figure("sessions", "calls-begun")),
    counter("calls_ended", "Calls ended, by reason.", each("sessions", "ended-"), "reason"),
    counter("calls_ended_seconds", "How long the calls that have ended lasted, together.",
            ended_seconds),
    counter("offers_refused",
            "Offers refused, and answers whose SDP was; by what was short, or wrong with the SDP.",
            each("sessions", "refused-"), "reason"),
    gauge("sessions", "Sessions now; waiting: not joined yet, or not any more.", sessions, "state"),
    gauge("sessions_max", "How many sessions there may be.", figure("sessions", "sessions-max")),
    counter("sessions_opened", "Sessions opened.", figure("engine", "opened")),
    counter("sessions_joined", "Sessions joined.", figure("engine", "joined")),
    counter("sessions_closed", "Sessions closed, by the reasons of docs/states.md.",
            each("engine", "closed-"), "reason"),
    counter("sessions_resumed", "Sessions of a process before this one that went on.",
            figure("engine", "resumed")),
    gauge("draining", "1: new calls are refused whatever room there is.",
          figure("sessions", "draining")),
    # What can be short.
    gauge("load_ratio",
          "Which share of sessions, descriptors or memory is taken, 0 to 1; see limits.load.",
          load, "resource"),
    gauge("ports", "Ports for legs: in_use, quarantined or free.", ports,
          "interface", "address", "state"),
    counter("limit_refusals", "How often a limit or timer refused something, as `limits` tells.",
            refusals, "limit"),
    # Connections and bytes.
    counter("connections_accepted", "Connections of peers, and strangers, accepted.",
            figure("engine", "accepted")),
    counter("connections_dialled", "Addresses of peers dialled.", figure("engine", "dials")),
    counter("connections_refused", "Connections and chunks refused at the gate, by reason.",
            each("engine", "refused-"), "reason"),
    counter("accept_pauses", "Times accepting paused for want of descriptors or memory.",
            figure("engine", "accept-pauses")),
    counter("binds_sent", "Bind SENDs of the relay's own.", figure("engine", "own-binds")),
    counter("received_bytes", "Bytes read from bound legs.", figure("engine", "bytes-in")),
    counter("sent_bytes", "Bytes written to bound legs.", figure("engine", "bytes-out")),
    counter("spliced_bytes", "Bytes read that never entered the process (splice).",
            figure("engine", "spliced")),
    counter("chunks", "Complete chunks forwarded; aware sessions only.",
            figure("engine", "chunks")),
    counter("foreign_from_paths",
            "Requests forwarded although their From-Path was not the path in their sender's SDP.",
            figure("engine", "foreign-from-paths")),
    gauge("stalled_bytes", "Bytes that stalled legs hold, or may come to hold.",
          figure("engine", "stalled-bytes")),
    counter("buffers_shrunk", "Socket buffers made smaller for the sake of the budget.",
            figure("engine", "buffers-shrunk")),
    counter("panics", "Mistakes in the engine that ended a session each. Please report them.",
            figure("engine", "panics")),
    # The control side.
    counter("commands", "Commands over ng and JSON-RPC, by name and outcome.", commands,
            "command", "outcome"),
    counter("ng_odd_messages",
            "Messages over ng: malformed, too long, repeated or without a cookie; by kind.",
            each("ng"), "kind"),
    counter("jsonrpc_errors", "Error objects over JSON-RPC, by code.", each("jsonrpc"), "code"),
    gauge("reply_cache_bytes", "Bytes of replies kept for repeated requests.",
          figure("reply-cache", "bytes")),
    counter("reply_cache_hits", "Requests that were answered with the reply kept.",
            figure("reply-cache", "hits")),
    counter("reply_cache_dropped", "Replies dropped before their time: the cache is too small.",
            figure("reply-cache", "dropped-early")),
    counter("webhook_events",
            "Events posted, attempts failed and events dropped, by hook.", webhooks,
            "hook", "outcome"),
    counter("log_lines_lost", "Lines of the log that could not be written at once.",
            figure("log", "lost")),
    # What outlives the process.
    gauge("state_degraded", "1: not all is kept for a next process; `statistics` has the reason.",
          figure("state", "degraded")),
    gauge("state_memory_bytes", "Bytes of the journal in memory.", figure("state", "memory-bytes")),
    gauge("state_disk_bytes", "Bytes of the journal on disk.", figure("state", "disk-bytes")),
)  # fmt: skip
