"""Every option of the daemon: its key, default, unit, and whether a reload can change it.

One table, from which the file is read, ``--check`` complains and ``limits`` is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, NamedTuple

from ..net.interfaces import Interface
from ..words import Policy
from . import values
from .units import seconds, size


class Option(NamedTuple):
    """What is known of an option besides its name and value."""

    what: str
    read: Callable[[Any], Any]
    # Of a limit or timer, for ``limits``; empty for everything else.
    unit: str
    # Whether SIGHUP can change it: new sessions and new decisions follow the new value.
    live: bool


def option(
    default: object, what: str, read: Callable[[Any], Any], *, unit: str = "", live: bool = False
) -> Any:
    """A dataclass field that carries its :class:`Option`."""
    return field(default=default, metadata={"option": Option(what, read, unit, live)})


def timer(default: float, what: str, *, live: bool = False) -> Any:
    """A duration in seconds; 0 is off where ``what`` says so."""
    return option(default, what, seconds, unit="s", live=live)


def count(default: int, what: str, *, unit: str = "count", live: bool = False) -> Any:
    """A number of things."""
    return option(default, what, values.count, unit=unit, live=live)


def octets(default: int, what: str, *, unit: str = "bytes", live: bool = False) -> Any:
    """A number of bytes."""
    return option(default, what, size, unit=unit, live=live)


_LOAD = "of sessions, descriptors or memory taken: no new call from here on"


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds. ``[timers]`` of the file."""

    offer: float = timer(200.0, "an offer, first or pending, waits for its answer", live=True)
    gate: float = timer(10.0, "an accepted connection may take to its first frame")
    join: float = timer(30.0, "an answered session waits for a leg that is not bound")
    own_bind: float = timer(10.0, "the relay's own bind SEND waits for its 200")
    reconnect: float = timer(30.0, "ports and URIs stay after a lost leg")
    grace: float = timer(5.0, "the other direction may finish after a FIN")
    chunk_stall: float = timer(60.0, "a chunk may stand still while the relay would read on")
    idle: float = timer(0.0, "a session may be idle; 0: for ever", live=True)
    final: float = timer(0.0, "a session may live; 0: for ever", live=True)
    delete_delay: float = timer(5.0, "bytes in flight may drain after a delete", live=True)
    keepalive_idle: float = timer(60.0, "until a silent leg is probed by TCP")
    keepalive_interval: float = timer(10.0, "between TCP probes")
    keepalive_count: int = count(3, "TCP probes until the peer is dead, if unacknowledged is 0")
    unacknowledged: float = timer(
        60.0, "sent bytes may stay unacknowledged, the window open; 0: as the kernel decides"
    )
    closed_window: float = timer(900.0, "a peer may read nothing at all of what is for it")
    drain: float = timer(30.0, "sessions may go on after SIGTERM", live=True)
    upgrade: float = timer(10.0, "a successor may take to be prepared")
    reply_cache: float = timer(60.0, "an ng reply is kept for repeated requests")
    port_quarantine: float = timer(60.0, "a freed port rests")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what peers and SIP servers can cause. ``[limits]`` of the file."""

    header_line: int = octets(16 << 10, "one header line of a chunk")
    header_block: int = octets(64 << 10, "all header lines of a chunk")
    header_count: int = count(128, "header lines of a chunk")
    sdp: int = octets(64 << 10, "one SDP", live=True)
    sdp_sections: int = count(64, "media sections of an SDP", live=True)
    ng_datagram: int = octets(64 << 10, "one ng datagram")
    ng_message: int = octets(1 << 20, "one ng message on a stream")
    jsonrpc_line: int = octets(1 << 20, "one JSON-RPC line")
    # SIP servers make some dozens; one query asks about each, and each call keeps its own.
    identifier: int = octets(1 << 10, "a Call-ID, a tag or a via-branch")
    ng_connections: int = count(256, "connections to an ng stream or HTTP socket at a time")
    control_connections: int = count(64, "connections to the control socket at a time")
    event_queue: int = count(1000, "events that wait for a slow subscriber or web hook")
    reply_cache: int = octets(64 << 20, "ng replies kept for repeated requests")
    unbound_per_port: int = count(4, "connections on a port that no frame has bound yet")
    half_open: int = count(10_000, "connections of all ports that no frame has bound yet")
    sessions: int = count(0, "sessions; 0: what the file descriptor limit allows", live=True)
    sessions_per_call: int = count(16, "sessions of one call-id", live=True)
    offers_per_second: int = count(
        0, "offers of new calls; 0: no limit", unit="per second", live=True
    )
    load: int = count(80, _LOAD, unit="%", live=True)
    load_emergency: int = count(95, "the same for emergency calls", unit="%", live=True)
    cpu: int = count(0, "of the processors' time may be busy; 0: no limit", unit="%", live=True)
    free_memory: int = octets(64 << 20, "memory that must be free for a new call", live=True)
    session_bytes: int = octets(0, "bytes of one session, both ways together; 0: no limit")
    session_rate: int = octets(
        0, "speed of one session, both ways together; 0: no limit", unit="bytes/s"
    )
    leg_buffer: int = octets(512 << 10, "socket buffer of a leg and direction, effective")
    buffer_budget: int = octets(
        0, "bytes that stalled legs hold together; 0: half of tcp_mem's pressure mark"
    )


@dataclass(frozen=True, slots=True)
class EventPosts:
    """Where events are posted. ``[events]`` of the file."""

    webhook: str = option("", "HTTP URL that gets every event as JSON; empty: none", values.url)
    kamailio: str = option(
        "",
        "Kamailio's jsonrpcs URL, for dlg.terminate_dlg when a call ends by itself; empty: none",
        values.url,
    )
    timeout: float = timer(5.0, "a web server may take to answer")
    retry: float = timer(1.0, "until a failed post is tried again; doubled each time")
    attempts: int = count(5, "times that a post may fail until its event is dropped")


@dataclass(frozen=True, slots=True)
class Config:
    """What the daemon runs by; read by :func:`msrprelay.config.load`, which checks it."""

    interface: tuple[Interface, ...] = option(
        (), "local addresses as NAME/ADDR[!ADVERTISED]; the first is the default", values.interfaces
    )
    port_min: int = option(20000, "lowest port for legs", values.port)
    # Above lies the kernel's ephemeral range (from 32768): a dial of ours cannot take our port.
    port_max: int = option(29999, "highest port for legs", values.port)
    listen_ng: tuple[values.HostPort, ...] = option(
        (values.HostPort("127.0.0.1", 2224),), "ng over UDP, ADDR:PORT each", values.host_ports
    )
    listen_ng_tcp: tuple[values.HostPort, ...] = option(
        (), "ng over TCP, ADDR:PORT each", values.host_ports
    )
    listen_ng_unix: str = option("", "ng on a unix stream socket", values.path)
    listen_http: tuple[values.HostPort, ...] = option((), "HTTP, ADDR:PORT each", values.host_ports)
    control: str = option(
        "/run/msrprelayd/ctl.sock", "JSON-RPC on a unix socket; empty: none", values.path
    )
    threads: int = option(0, "threads that move bytes; 0: one per core", values.threads)
    dial_allow: tuple[values.Network, ...] = option(
        (),
        "CIDRs that may be dialled although loopback, link-local or the relay's own",
        values.networks,
        live=True,
    )
    dial_deny: tuple[values.Network, ...] = option(
        (), "CIDRs that are never dialled, whatever is allowed", values.networks, live=True
    )
    msrp_path: Mapping[str, Policy] = field(
        default_factory=dict,
        metadata={
            "option": Option("path policy by interface name", values.policies, "", True),
        },
    )
    delete_pending: Literal["rollback", "delete"] = option(
        "rollback",
        "what a delete means while a re-offer is pending: rollback or delete",
        values.pending,
        live=True,
    )
    state_dir: str = option(
        "", "directory where state is kept for a cold start; empty: in memory only", values.path
    )
    keeper: bool = option(
        True,
        "a small second process holds the sockets, so that calls outlive the relay process",
        values.flag,
    )
    splice_bodies: bool = option(
        False, "aware: large bodies whose Byte-Range has an end pass unread", values.flag
    )
    event_ring: bool = option(
        True, "keep the last events of each session, for its ladder", values.flag
    )
    log_level: str = option("info", "debug, info, warning or error", values.level, live=True)
    timers: Timers = field(default_factory=Timers)
    limits: Limits = field(default_factory=Limits)
    events: EventPosts = field(default_factory=EventPosts)


# What the keeper goes by, which stays as it is through upgrades.
OF_THE_KEEPER = frozenset({"keeper", "timers.upgrade"})
# The tables of the file, "" is its top level.
TABLES: Mapping[str, type] = {"": Config, "timers": Timers, "limits": Limits, "events": EventPosts}


class Known(NamedTuple):
    """An option with its full key, such as ``timers.delete-delay``."""

    key: str
    table: str
    name: str
    option: Option

    @property
    def changed_by(self) -> Literal["SIGHUP", "upgrade", "restart"]:
        """What a running relay needs to take up another value."""
        if self.key in OF_THE_KEEPER:
            return "restart"
        return "SIGHUP" if self.option.live else "upgrade"

    def value(self, config: Config) -> Any:
        """What ``config`` says."""
        holder = getattr(config, self.table) if self.table else config
        return getattr(holder, self.name)


def known() -> Iterator[Known]:
    """Every option, in the order of the tables above."""
    for table, owner in TABLES.items():
        for described in fields(owner):
            if "option" in described.metadata:
                yield _known(table, described)


def _known(table: str, described: Field[Any]) -> Known:
    key = described.name.replace("_", "-")
    full = f"{table}.{key}" if table else key
    return Known(full, table, described.name, described.metadata["option"])
