"""The relay process: builds the parts from a configuration, starts and stops them in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .. import config as configuration
from .. import log as logging
from ..commands import Reply
from ..config import Config
from ..dataplane import VERSION, DataPlane, Engine, Kept
from ..errors import STOPPING, CommandError, ConfigError
from ..events import Event, Feed
from ..keeping.link import Link
from ..log import Log
from ..loop.scheduler import LoopScheduler
from ..metrics.snapshot import Snapshot
from ..net.dial import resolve
from ..net.ports import PortPool
from ..rpc.dispatcher import Dispatcher
from ..rpc.jsonrpc import JsonRpcResponder
from ..rpc.jsonrpc_server import JsonRpcServer
from ..rpc.ng import NgResponder, NgUdpServer
from ..rpc.ng_stream_server import NgStreamServer
from ..rpc.reply_cache import ReplyCache
from ..rpc.sockets import Sockets
from ..sessions import Admission, Ledger, Ports, Sessions
from ..strain import Strain
from .figures import rtpengine_statistics, session_refusals
from .notify import Notifier
from .optional import http_server, webhooks
from .settings import buffer_budget, engine_config, remembrance, room, rules
from .state import State
from .surface import Surface

log = Log()

# New objects until the collector looks for cycles.
GARBAGE = 50_000
# Seconds between looks at the host.
SAMPLING = 1.0

Reread = Callable[[], Config]


class RelayProcess:
    """Engine, calls and control sockets of one process."""

    def __init__(
        self,
        config: Config,
        reread: Reread,
        link: Link | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Build everything; only the engine's threads run. Raises OSError."""
        self.config = config
        self.link = link
        self._reread = reread
        self._started = time.time()
        self._ending = False
        self.ended = asyncio.Event()
        self._scheduler = LoopScheduler()
        clock = self._scheduler.time
        self._began = clock()
        self.systemd = Notifier()
        self.feed = Feed()
        kept = None if link is None else Kept(link.fileno(), engine)
        self.dataplane = DataPlane(engine_config(config), kept)
        self.strain = Strain(cpu=config.limits.cpu, free_memory=config.limits.free_memory)
        self.admission = Admission(room(config), clock, self.strain.reason, self.strain.taken)
        ports = range(config.port_min, config.port_max + 1)
        new_pool = partial(PortPool, ports, quarantine=config.timers.port_quarantine)
        directory = Path(config.state_dir) if config.state_dir else None
        self.state = State(directory, link, adopted=engine is not None)
        ledger = Ledger(self.state.journal)
        self.sessions = Sessions(
            rules(config),
            Ports(self.dataplane, config.interface, new_pool, clock, ledger),
            self._scheduler,
            resolve,
            self.admission,
            self.feed,
            ledger,
        )
        surface = Surface(self.sessions, self.statistics, self.limits, self.upgrade)
        limits = config.limits
        self.dispatcher = Dispatcher(surface, longest_identifier=limits.identifier)
        self.cache = ReplyCache(
            lifetime=config.timers.reply_cache,
            capacity=limits.reply_cache,
            journal=self.state.journal,
        )
        self.responder = NgResponder(
            self.dispatcher, self.cache, longest=limits.ng_datagram, flush=self.state.flush
        )
        self.sockets = Sockets(link)
        self.ng = NgUdpServer(self.responder, config.listen_ng, self.sockets)
        self.ng_streams = NgStreamServer(
            self.responder,
            longest=limits.ng_message,
            most_connections=limits.ng_connections,
            clock=clock,
            sockets=self.sockets,
        )
        self.jsonrpc = JsonRpcResponder(
            self.dispatcher, self.cache, clock=clock, flush=self.state.flush
        )
        self.control = control_server(self.jsonrpc, self.feed, config, self.sockets)
        self.http = http_server(self.responder, config, self.snapshot, self.sockets)
        self.webhooks = webhooks(self.feed, config, self.state.journal)

    async def start(self) -> None:
        """Open the control sockets, the last thing: whoever asks finds everything there."""
        self.state.restore(self.sessions, self.cache, self.dataplane, self.webhooks)
        self.dataplane.start(self.sessions.notice)
        self._sample()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        loop.add_signal_handler(signal.SIGINT, self.drain)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGUSR2, self.upgrade_by_signal)
        try:
            await self._listen()
        except OSError:
            if self.link is None:
                await self.stop()
            raise
        # What there is now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A call leaves no cycles behind: the default would look for them every few calls.
        gc.set_threshold(GARBAGE)
        where = ", ".join(f"{host}:{port}" for host, port in self.ng.bound)
        sessions = self.admission.room.most_sessions
        log.info("serving", ng=where, control=self.config.control, sessions=sessions)
        if self.link is not None:
            self.link.remember("config", remembrance(self.config))
            self.link.watch(loop, self._kept_by)
            self.link.ready()
        self.systemd.ready()

    async def stop(self) -> None:
        """Close the control sockets, end what is left, join the threads."""
        if self.link is not None:
            # First: a socket of which there is a duplicate does not close.
            self.link.bye()
        self.ng.close()
        await self.ng_streams.close()
        if self.http is not None:
            await self.http.close()
        self.sessions.end_all("drained")
        await asyncio.gather(*(hook.close() for hook in self.webhooks.values()))
        if self.control is not None:
            await self.control.close()
        self.dataplane.stop()
        self.state.close()
        log.info("stopped")

    def drain(self) -> None:
        """Take no new calls; end when the last one has ended, or at the deadline.

        Called again, ends at once.
        """
        if self._ending:
            self.ended.set()
            return
        self._ending = True
        if self.link is not None:
            self.link.stopping()
        deadline = self.config.timers.drain
        self.systemd.stopping(deadline)
        log.info("draining", calls=self.sessions.live, seconds=deadline)
        if not self.sessions.draining:
            self.feed.tell(Event(event="draining", time=time.time()))
        self.sessions.run_dry(self.ended.set)
        self._scheduler.call_at(self._scheduler.time() + deadline, self.ended.set)

    def reload(self) -> None:
        """Read the configuration again; apply what can be applied, name what cannot."""
        self.systemd.reloading()
        try:
            new = self._reread()
        except ConfigError as error:
            log.error("configuration refused, the old one stays", reason=str(error))
        else:
            self._apply(new)
        self.systemd.ready()

    def _apply(self, new: Config) -> None:
        changed, upgrade, restart = configuration.changes(self.config, new)
        if self.link is None:
            # Nobody could take over.
            upgrade, restart = [], [*upgrade, *restart]
        self.config = configuration.reloaded(self.config, new)
        self.sessions.reload(rules(self.config), room(self.config))
        self.strain.cpu = self.config.limits.cpu
        self.strain.free_memory = self.config.limits.free_memory
        logging.configure(self.config.log_level)
        if self.link is not None:
            self.link.remember("config", remembrance(self.config))
        log.info(
            "configuration reloaded",
            changed=changed,
            needs_upgrade=upgrade,
            needs_restart=restart,
        )

    def upgrade(self) -> Reply:
        """Have a successor started, which takes over when it is prepared.

        Gives ``processes`` of :meth:`statistics`, from which its coming or failing is seen.
        """
        if self.link is None:
            raise CommandError("No keeper holds the calls: restart the relay, which ends them")
        if self._ending:
            raise CommandError(STOPPING)
        if self.link.unable:
            raise CommandError(self.link.unable)
        self.link.upgrade()
        return self.link.report()

    def upgrade_by_signal(self) -> None:
        """As :meth:`upgrade`."""
        try:
            self.upgrade()
        except CommandError as error:
            log.warning("no upgrade", reason=error.reason)

    def _kept_by(self, keeper: int, pid: int) -> None:
        """Another keeper has taken the place of one that died."""
        self.systemd.main_process(pid)
        log.warning("keeper replaced", pid=pid)
        self.dataplane.register(keeper)

    def statistics(self) -> Reply:
        """Counters of every part; the engine's are totals of all threads."""
        # By a clock that nobody sets.
        uptime = int(self._scheduler.time() - self._began)
        engine = self.dataplane.counters()
        commands = self.dispatcher.counts
        sessions = self.sessions
        return {
            "uptime": uptime,
            "processes": {"relay": os.getpid()} if self.link is None else self.link.report(),
            "sessions": sessions.figures(),
            "engine": engine,
            "commands": {f"{name}-{result}": n for (name, result), n in commands.items()},
            "ng": dict(self.responder.counts),
            "jsonrpc": {str(code): n for code, n in self.jsonrpc.counts.items()},
            "reply-cache": {
                "bytes": self.cache.size,
                "hits": self.cache.hits,
                "dropped-early": self.cache.dropped_early,
            },
            "state": self.state.figures(),
            "log": {"lost": logging.Lines.lost},
            "webhooks": {name: dict(hook.counts) for name, hook in self.webhooks.items()},
            "statistics": rtpengine_statistics(
                uptime, sessions.live, sessions.counts, sessions.call_seconds, engine, commands
            ),
        }

    def limits(self) -> Reply:
        """Every limit and timer with its value and how often it refused something."""
        effective = {
            "limits.buffer-budget": float(buffer_budget(self.config)),
            "limits.sessions": float(self.admission.room.most_sessions),
        }
        return {"limits": list(configuration.limit_rows(self.config, effective, self._refusals()))}

    def snapshot(self) -> Snapshot:
        """What the metrics are made of."""
        return Snapshot(
            version=VERSION,
            started=self._started,
            statistics=self.statistics(),
            refusals=self._refusals(),
            load=self.sessions.load(),
        )

    def _refusals(self) -> dict[str, int]:
        control, http = self.control, self.http
        return {
            **session_refusals(self.sessions.counts, self.dataplane.counters()),
            "limits.control-connections": control.refused_connections if control else 0,
            "limits.jsonrpc-line": control.refused_lines if control else 0,
            "limits.identifier": self.dispatcher.long_identifiers,
            "limits.ng-connections": self.ng_streams.refused_connections
            + (http.refused_connections if http else 0),
            "limits.ng-datagram": self.responder.counts.get("too-long", 0),
            "limits.ng-message": self.responder.counts.get("message-too-long", 0),
            "limits.reply-cache": self.cache.dropped_early,
        }

    async def _listen(self) -> None:
        config = self.config
        if config.listen_ng_unix:
            with named(f"listen-ng-unix {config.listen_ng_unix}"):
                await self.ng_streams.listen_unix(Path(config.listen_ng_unix))
        with named("listen-ng-tcp"):
            await self.ng_streams.listen_tcp(config.listen_ng_tcp)
        if self.http is not None:
            with named("listen-http"):
                await self.http.start(config.listen_http)
        with named("listen-ng"):
            await self.ng.start()
        if self.control is not None:
            # The last: whoever waits for an upgrade asks here whether it has succeeded.
            with named(f"control {config.control}"):
                await self.control.start()
        self.sockets.settle()

    def _sample(self) -> None:
        self.strain.sample()
        self.state.tick()
        self.systemd.status(f"{self.sessions.live} calls")
        self._scheduler.call_at(self._scheduler.time() + SAMPLING, self._sample)


@contextmanager
def named(what: str) -> Iterator[None]:
    """An OSError inside says which option it is about."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{what}: {error}") from error


def control_server(
    responder: JsonRpcResponder, feed: Feed, config: Config, sockets: Sockets
) -> JsonRpcServer | None:
    """The operator's socket, if there is to be one."""
    if not config.control:
        return None
    return JsonRpcServer(
        responder,
        Path(config.control),
        feed=feed,
        longest_line=config.limits.jsonrpc_line,
        most_connections=config.limits.control_connections,
        event_queue=config.limits.event_queue,
        sockets=sockets,
    )
