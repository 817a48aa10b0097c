"""From the configuration to what each part of the relay process needs of it."""

from __future__ import annotations

import hashlib
import os
import resource
from dataclasses import asdict
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

from .. import config as configuration
from ..config import Config
from ..dataplane import VERSION, EngineConfig
from ..net.dial import DialPolicy
from ..net.interfaces import Interfaces
from ..sessions import Room, Rules
from ..strain import Read, read_file

# Control sockets, epoll and eventfds, the log, resolver sockets.
SPARE_DESCRIPTORS = 128
# What the kernel gives an ordinary user at most.
PIPE_BYTES = 1024 * 1024


def room(config: Config) -> Room:
    """How many sessions there may be: as configured, and as the descriptors allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limits = config.limits
    spare = SPARE_DESCRIPTORS + limits.ng_connections + limits.control_connections
    return Room(
        limits.sessions,
        max(0, hard - spare),
        limits.offers_per_second,
        limits.load,
        limits.load_emergency,
    )


def rules(config: Config) -> Rules:
    """What the configuration says about every call."""
    return Rules(
        interfaces=Interfaces(config.interface),
        dialling=DialPolicy(config.dial_allow, config.dial_deny, own_addresses(config)),
        policies=dict(config.msrp_path),
        offer_timeout=config.timers.offer,
        delete_delay=config.timers.delete_delay,
        reconnect_window=config.timers.reconnect,
        idle=config.timers.idle or None,
        final=config.timers.final or None,
        delete_pending=config.delete_pending,
        mark=mark(config),
        sections_per_call=config.limits.sessions_per_call,
        sdp_size=config.limits.sdp,
        sdp_sections=config.limits.sdp_sections,
    )


def own_addresses(config: Config) -> frozenset[IPv4Address | IPv6Address]:
    """Where the relay listens, for legs and for commands: nobody may have it talk to itself."""
    commands = (*config.listen_ng, *config.listen_ng_tcp, *config.listen_http)
    legs = (interface.address for interface in config.interface)
    return frozenset((*legs, *(ip_address(where.host) for where in commands)))


def mark(config: Config) -> str:
    """What tells this relay from others, and is the same after a restart."""
    where = " ".join(f"{each.name}/{each.address}" for each in config.interface)
    return hashlib.blake2b(f"{where} {config.port_min}".encode(), digest_size=6).hexdigest()


def buffer_budget(config: Config, read: Read = read_file) -> int:
    """Bytes that stalled legs may hold together: as configured, or half of what makes TCP save.

    The mark is the second number of tcp_mem, in pages. Network namespaces do not show it: there it
    is what the kernel makes of it by default, a sixteenth of the memory.
    """
    if config.limits.buffer_budget:
        return config.limits.buffer_budget
    marks = read("/proc/sys/net/ipv4/tcp_mem").split()
    pages = int(marks[1]) if len(marks) == 3 else os.sysconf("SC_PHYS_PAGES") // 16
    return pages * os.sysconf("SC_PAGE_SIZE") // 2


def engine_config(config: Config) -> EngineConfig:
    """What the engine's threads need of the configuration."""
    timers, limits = config.timers, config.limits
    return EngineConfig(
        threads=config.threads or len(os.sched_getaffinity(0)),
        gate_seconds=timers.gate,
        join_seconds=timers.join,
        own_bind_seconds=timers.own_bind,
        half_closed_seconds=timers.grace,
        reconnect_seconds=timers.reconnect,
        stalled_chunk_seconds=timers.chunk_stall,
        keepalive_idle_seconds=timers.keepalive_idle,
        keepalive_interval_seconds=timers.keepalive_interval,
        keepalive_count=timers.keepalive_count,
        unacknowledged_seconds=timers.unacknowledged,
        closed_window_seconds=timers.closed_window,
        leg_buffer_bytes=limits.leg_buffer,
        buffer_budget_bytes=buffer_budget(config),
        unbound_per_port=limits.unbound_per_port,
        half_open=limits.half_open,
        session_bytes=limits.session_bytes,
        session_rate=limits.session_rate,
        header_line_bytes=limits.header_line,
        header_block_bytes=limits.header_block,
        header_count=limits.header_count,
        pipe_bytes=PIPE_BYTES,
        splice_bodies=config.splice_bodies,
        event_ring=config.event_ring,
    )


def remembrance(config: Config) -> bytes:
    """The configuration for a process that goes on when this one has died, as JSON.

    The engine's part stands by itself: the engine goes on before the rest can be read.
    """
    engine = asdict(engine_config(config))
    plain = configuration.plain(config)
    return msgspec.json.encode({"version": VERSION, "engine": engine, "config": plain})
