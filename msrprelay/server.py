"""The relay process: builds the parts from a configuration, starts and stops them in order."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from . import config as configuration
from . import log as logging
from .commands import Answer, Delete, List, Offer, Query, Reply, Terminate
from .config import Config
from .dataplane import DataPlane, EngineConfig
from .dial import DialPolicy, resolve
from .errors import ConfigError
from .interfaces import Interfaces
from .ports import PortPool
from .rpc.dispatcher import Dispatcher
from .rpc.jsonrpc import JsonRpcResponder
from .rpc.jsonrpc_server import JsonRpcServer
from .rpc.ng import NgResponder, NgUdpServer
from .rpc.reply_cache import ReplyCache
from .sessions import Ports, Rules, Sessions

log = structlog.get_logger(__name__)

# A session waits with two listeners and may hold an accepted connection on each.
DESCRIPTORS_PER_SESSION = 4
# Control sockets, epoll and eventfds, the log, resolver sockets.
SPARE_DESCRIPTORS = 128

Reread = Callable[[], Config]


def run(config: Config, reread: Reread) -> int:
    """Serve until a signal ends it; gives the exit status.

    SIGTERM and SIGINT drain and then stop, a second one stops at once; SIGHUP calls ``reread`` and
    applies what can be changed while running.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(config, reread))
    except OSError as error:
        log.error("cannot start", reason=str(error))
        return 1


async def serve(config: Config, reread: Reread) -> int:
    """Start, wait for the end, stop."""
    relay = RelayProcess(config, reread)
    await relay.start()
    try:
        await relay.ended.wait()
    finally:
        await relay.stop()
    return 0


class LoopScheduler:
    """The running event loop, as the sessions use it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A task nobody holds may be collected before it is done.
        self._tasks: set[asyncio.Task[None]] = set()

    def time(self) -> float:
        """Seconds of the loop's monotonic clock."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``when``; gives what cancels it."""
        return self._loop.call_at(when, callback).cancel

    def spawn(self, work: Awaitable[None]) -> None:
        """Run ``work`` beside everything else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class RelayProcess:
    """Engine, calls and control sockets of one process. Implements the commands of all of them."""

    def __init__(self, config: Config, reread: Reread) -> None:
        """Build everything; only the engine's threads run. Raises OSError."""
        self.config = config
        self._reread = reread
        self.ended = asyncio.Event()
        self._scheduler = LoopScheduler()
        self._started = time.time()
        self.max_sessions = session_limit(config)
        self.dataplane = DataPlane(engine_config(config))
        ports = range(config.port_min, config.port_max + 1)
        rest = config.timers.port_quarantine
        pools = {interface: PortPool(ports, quarantine=rest) for interface in config.interface}
        self.sessions = Sessions(
            rules(config),
            Ports(self.dataplane, pools, self._scheduler.time),
            self._scheduler,
            resolve,
            max_sessions=self.max_sessions,
        )
        self.dispatcher = Dispatcher(self)
        self.cache = ReplyCache(
            lifetime=config.timers.reply_cache, capacity=config.limits.reply_cache
        )
        self.responder = NgResponder(self.dispatcher, self.cache, longest=config.limits.ng_datagram)
        self.ng = NgUdpServer(self.responder, config.listen_ng)
        self.jsonrpc = JsonRpcResponder(self.dispatcher)
        self.control = control_server(self.jsonrpc, config)

    async def start(self) -> None:
        """Open the control sockets, the last thing: whoever asks finds everything there."""
        self.dataplane.start(self.sessions.notice)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        loop.add_signal_handler(signal.SIGINT, self.drain)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        try:
            if self.control is not None:
                await self.control.start()
        except OSError as error:
            await self.stop()
            raise OSError(f"control {self.config.control}: {error}") from error
        try:
            await self.ng.start()
        except OSError:
            await self.stop()
            raise
        where = ", ".join(f"{host}:{port}" for host, port in self.ng.bound)
        log.info("serving", ng=where, control=self.config.control, sessions=self.max_sessions)

    async def stop(self) -> None:
        """Close the control sockets, end what is left, join the threads."""
        self.ng.close()
        if self.control is not None:
            await self.control.close()
        self.sessions.end_all("drained")
        self.dataplane.stop()
        log.info("stopped")

    def drain(self) -> None:
        """Take no new calls; end when the last one has ended, or at the deadline.

        Called again, ends at once.
        """
        if self.sessions.draining:
            self.ended.set()
            return
        deadline = self.config.timers.drain
        log.info("draining", calls=self.sessions.live, seconds=deadline)
        self.sessions.drain(self.ended.set)
        self._scheduler.call_at(self._scheduler.time() + deadline, self.ended.set)

    def reload(self) -> None:
        """Read the configuration again; apply what can be applied, name what cannot."""
        try:
            new = self._reread()
        except ConfigError as error:
            log.error("configuration refused, the old one stays", reason=str(error))
            return
        live, restart = configuration.changes(self.config, new)
        self.config = configuration.reloaded(self.config, new)
        self.max_sessions = session_limit(self.config)
        self.sessions.reload(rules(self.config), self.max_sessions)
        logging.configure(self.config.log_level)
        log.info("configuration reloaded", changed=live, needs_restart=restart)

    # The commands.

    def offer(self, request: Offer) -> Reply:
        """See :class:`Sessions`."""
        self.dataplane.catch_up()
        return self.sessions.offer(request)

    def answer(self, request: Answer) -> Reply:
        """See :class:`Sessions`."""
        self.dataplane.catch_up()
        return self.sessions.answer(request)

    def delete(self, request: Delete) -> Reply:
        """See :class:`Sessions`."""
        return self.sessions.delete(request)

    def query(self, request: Query) -> Reply:
        """See :class:`Sessions`."""
        return self.sessions.query(request)

    def list(self, request: List) -> Reply:
        """See :class:`Sessions`."""
        return self.sessions.list(request)

    def terminate(self, request: Terminate) -> Reply:
        """See :class:`Sessions`."""
        return self.sessions.terminate(request)

    def ping(self) -> Reply:
        """The relay is there."""
        return {"result": "pong"}

    def statistics(self) -> Reply:
        """Counters of every part; the engine's are totals of all threads."""
        commands = {f"{name}-{result}": n for (name, result), n in self.dispatcher.counts.items()}
        return {
            "uptime": int(time.time() - self._started),
            "sessions": self.sessions.figures(),
            "engine": self.dataplane.counters(),
            "commands": commands,
            "ng": dict(self.responder.counts),
            "jsonrpc": {str(code): n for code, n in self.jsonrpc.counts.items()},
            "reply-cache": {
                "bytes": self.cache.size,
                "hits": self.cache.hits,
                "dropped-early": self.cache.dropped_early,
            },
        }

    def limits(self) -> Reply:
        """Every limit and timer with its value and how often it refused something."""
        counters = self.dataplane.counters()
        refused, control = self.sessions.counts, self.control
        refusals = {
            "limits.control-connections": control.refused_connections if control else 0,
            "limits.jsonrpc-line": control.refused_lines if control else 0,
            "limits.ng-datagram": self.responder.counts["too-long"],
            "limits.reply-cache": self.cache.dropped_early,
            "limits.sdp": refused["refused-sdp_too_large"],
            "limits.sdp-sections": refused["refused-too_many_sections"],
            "limits.sessions": refused["refused-sessions"],
            "limits.sessions-per-call": refused["refused-sessions-per-call"],
            "limits.unbound-per-port": counters.get("refused-crowded", 0),
            "timers.gate": counters.get("refused-gate-timeout", 0),
            "timers.join": counters.get("closed-join-timeout", 0)
            + counters.get("closed-leg-missing", 0),
        }
        effective = {"limits.sessions": float(self.max_sessions)}
        return {"limits": list(configuration.limit_rows(self.config, effective, refusals))}


def session_limit(config: Config) -> int:
    """How many sessions fit into the descriptors of this process, or fewer if so configured."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fitting = max(1, (hard - SPARE_DESCRIPTORS) // DESCRIPTORS_PER_SESSION)
    return min(config.limits.sessions, fitting) if config.limits.sessions else fitting


def rules(config: Config) -> Rules:
    """What the configuration says about every call."""
    return Rules(
        interfaces=Interfaces(config.interface),
        dialling=DialPolicy(
            config.dial_allow,
            config.dial_deny,
            frozenset(interface.address for interface in config.interface),
        ),
        policies=dict(config.msrp_path),
        offer_timeout=config.timers.offer,
        delete_delay=config.timers.delete_delay,
        reconnect_window=config.timers.reconnect,
        idle=config.timers.idle or None,
        final=config.timers.final or None,
        sections_per_call=config.limits.sessions_per_call,
        sdp_size=config.limits.sdp,
        sdp_sections=config.limits.sdp_sections,
    )


def engine_config(config: Config) -> EngineConfig:
    """What the engine's threads need of the configuration."""
    timers, limits = config.timers, config.limits
    return EngineConfig(
        threads=config.threads or len(os.sched_getaffinity(0)),
        gate_seconds=timers.gate,
        join_seconds=timers.join,
        own_bind_seconds=timers.own_bind,
        half_closed_seconds=timers.grace,
        stalled_chunk_seconds=timers.chunk_stall,
        keepalive_idle_seconds=timers.keepalive_idle,
        keepalive_interval_seconds=timers.keepalive_interval,
        keepalive_count=timers.keepalive_count,
        unacknowledged_seconds=timers.unacknowledged,
        leg_buffer_bytes=limits.leg_buffer,
        unbound_per_port=limits.unbound_per_port,
        header_line_bytes=limits.header_line,
        header_block_bytes=limits.header_block,
        header_count=limits.header_count,
        event_ring=config.event_ring,
    )


def control_server(responder: JsonRpcResponder, config: Config) -> JsonRpcServer | None:
    """The operator's socket, if there is to be one."""
    if not config.control:
        return None
    return JsonRpcServer(
        responder,
        Path(config.control),
        longest_line=config.limits.jsonrpc_line,
        most_connections=config.limits.control_connections,
    )
