# cython: annotation_typing=False
"""Where a session listens: two leases, two URIs, and the engine's listeners behind them."""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from .. import chance
from ..dataplane import DataPlane, LegOpen, OpenError, Session, Sources
from ..errors import PARALLEL_LIMIT, RAN_OUT, CommandError
from ..log import Log
from ..net.interfaces import Interface
from ..net.ports import PortPool
from ..net.uri import address, host_port
from ..words import Family, Policy, Side
from .ledger import Ledger
from .saved import SavedLeg, interface_of

log = Log()

SIDES: tuple[Side, Side] = ("a", "b")
# RFC 4975 section 14.1 wants 80 random bits in a session-id; this is 96.
SESSION_ID_BYTES = 12
# Out of descriptors or kernel memory: a load, not a fault of this port.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Ports that may be found taken for one offer: the calls that there are wait meanwhile.
ATTEMPTS = 64


def new_session_id() -> str:
    """A session-id that cannot be guessed."""
    return chance.octets(SESSION_ID_BYTES).hex()


@dataclass(frozen=True)
class Leg:
    """One side of a session as the control plane knows it.

    ``host`` and ``port`` are what that peer is told to dial, port 0 before one is leased;
    ``peer_path`` what it wrote into its own a=path, empty while it has not spoken; ``sources``
    where its connections may come from.
    """

    interface: Interface
    host: str
    port: int
    session_id: str
    peer_path: tuple[str, ...]
    sources: Sources

    @property
    def family(self) -> Family:
        """How ``host`` is told: an advertised name may stand for any address of its socket."""
        told = address(self.host)
        if told is None:
            return self.interface.family
        return "IP4" if isinstance(told, IPv4Address) else "IP6"

    def uri(self) -> str:
        """The URI this peer is given for the other one (U_side), RFC 4975 section 6."""
        return f"msrp://{host_port(self.host, self.port)}/{self.session_id};tcp"

    def at(self, port: int) -> Leg:
        """The same leg on a leased port."""
        return Leg(self.interface, self.host, port, self.session_id, self.peer_path, self.sources)

    def told(self, host: str) -> Leg:
        """The same leg for a peer that is told to dial ``host``."""
        return Leg(self.interface, host, self.port, self.session_id, self.peer_path, self.sources)

    def facing(self, path: tuple[str, ...], sources: Sources) -> Leg:
        """The same leg for a peer that has spoken."""
        return Leg(self.interface, self.host, self.port, self.session_id, path, sources)

    def listen(self) -> LegOpen:
        """What the engine needs to listen for this peer."""
        path = octets(self.peer_path)
        return LegOpen(self.interface.host, self.port, self.uri().encode(), path, self.sources)


Legs = dict[Side, Leg]


class Ports:
    """The port pools of all local addresses, and the opening of listeners on their ports.

    A port is an address's: interfaces that differ in name or advertised address share its pool.
    """

    def __init__(
        self,
        dataplane: DataPlane,
        interfaces: Iterable[Interface],
        new_pool: Callable[[], PortPool],
        clock: Callable[[], float],
        ledger: Ledger | None = None,
    ) -> None:
        """``ledger`` hears of ports that rest."""
        self._dataplane = dataplane
        self._interfaces = tuple(interfaces)
        self._new_pool = new_pool
        # By local address; also those where only calls of a process before this one listen.
        addresses = dict.fromkeys(each.host for each in self._interfaces)
        self._pools = {address: new_pool() for address in addresses}
        self._clock = clock
        self._ledger = ledger or Ledger()

    def open(
        self, policy: Policy, legs: Legs, *, tos: int | None, idle_seconds: float | None
    ) -> tuple[Session, Legs]:
        """Lease a port per leg and listen on both.

        A port that somebody else has goes to quarantine and another is tried, a bounded number of
        times. Raises CommandError ``Ran out of ports``, also where the address cannot be listened
        on at all (the log says why), or ``Parallel session limit reached`` where descriptors are
        short; nothing stays leased then.
        """
        leased: Legs = {}
        try:
            for side in SIDES:
                leased[side] = self._lease(legs[side])
            return self._listen_somewhere(policy, leased, tos, idle_seconds), leased
        except CommandError:
            # No reply has named them.
            for leg in leased.values():
                self._pool(leg).put_back(leg.port)
            raise

    def reopen(
        self, policy: Policy, legs: Legs, *, tos: int | None, idle_seconds: float | None
    ) -> Session:
        """Listen again on ports that are still leased. Raises CommandError naming the port."""
        try:
            return self._listen(policy, legs, tos, idle_seconds)
        except OpenError as refused:
            if refused.errno in EXHAUSTED:
                raise CommandError(PARALLEL_LIMIT) from refused
            port = legs[_side(refused)].port
            raise CommandError(f"port {port} cannot be reopened: {refused.strerror}") from refused

    def free(self, legs: Legs) -> None:
        """End the leases of these legs."""
        now = self._clock()
        until = 0.0
        for leg in legs.values():
            until = self._pool(leg).free(leg.port, now)
        self._ledger.rest(legs.values(), until)

    def restore(
        self, leased: Iterable[Leg], resting: Iterable[tuple[float, Interface, int]]
    ) -> None:
        """Go on with another process's leases and quarantine, the latter as (until when, ...).

        That process may have listened on other addresses, or have told them otherwise.
        """
        ports: defaultdict[str, list[int]] = defaultdict(list)
        rests: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for leg in leased:
            ports[leg.interface.host].append(leg.port)
        for until, interface, port in resting:
            rests[interface.host].append((until, port))
        for host in (*ports, *rests):
            if host not in self._pools:
                self._pools[host] = self._new_pool()
        for host, pool in self._pools.items():
            pool.restore(ports[host], rests[host])

    def figures(self) -> list[dict[str, object]]:
        """Per address: its interfaces, how many ports there are, in use and at rest.

        An address that is no interface's has no ports to give, and is told of while it has calls.
        """
        return [
            {
                "interface": ", ".join(names),
                "address": address,
                "ports": pool.size if names else 0,
                "in-use": pool.leased,
                "quarantined": pool.resting,
            }
            for address, pool in self._pools.items()
            if (names := self._names(address)) or pool.leased
        ]

    def _names(self, address: str) -> list[str]:
        return list(dict.fromkeys(each.name for each in self._interfaces if each.host == address))

    def _lease(self, leg: Leg) -> Leg:
        return leg.at(self._pool(leg).lease(self._clock()))

    def _pool(self, leg: Leg) -> PortPool:
        return self._pools[leg.interface.host]

    def _listen_somewhere(
        self, policy: Policy, leased: Legs, tos: int | None, idle_seconds: float | None
    ) -> Session:
        """Listen on the ports of ``leased``, in which others replace those that are taken."""
        for _ in range(ATTEMPTS):
            try:
                return self._listen(policy, leased, tos, idle_seconds)
            except OpenError as error:
                refused = error
            side = _side(refused)
            if refused.errno != errno.EADDRINUSE:
                break
            taken = leased.pop(side)
            self.free({side: taken})
            leased[side] = self._lease(taken)
        raise _refusal(leased[side], refused) from refused

    def _listen(
        self, policy: Policy, legs: Legs, tos: int | None, idle_seconds: float | None
    ) -> Session:
        a, b = legs["a"], legs["b"]
        return self._dataplane.open(
            policy, a.listen(), b.listen(), tos=tos, idle_seconds=idle_seconds
        )


def octets(path: tuple[str, ...]) -> list[bytes]:
    """A path as it stood in the SDP."""
    found: list[bytes] = []
    for uri in path:
        found.append(uri.encode("utf-8", "surrogateescape"))
    return found


def saved_leg(leg: Leg, expected: Sources) -> SavedLeg:
    """A leg as plain data; ``expected`` are its sources from the next answer on."""
    return SavedLeg(
        leg.interface.text,
        leg.host,
        leg.port,
        leg.session_id,
        octets(leg.peer_path),
        leg.sources,
        expected,
    )


def restored_leg(saved: SavedLeg) -> Leg:
    """The leg that was saved. Raises ConfigError."""
    return Leg(
        interface_of(saved.interface),
        saved.host,
        saved.port,
        saved.session_id,
        tuple(uri.decode("utf-8", "surrogateescape") for uri in saved.peer_path),
        saved.sources,
    )


def _refusal(leg: Leg, refused: OpenError) -> CommandError:
    if refused.errno in EXHAUSTED:
        return CommandError(PARALLEL_LIMIT)
    # The SIP server is to ask another relay, whatever is wrong with this one's address.
    log.error("cannot listen", interface=leg.interface.text, reason=refused.strerror)
    return CommandError(RAN_OUT)


def _side(refused: OpenError) -> Side:
    return "a" if refused.side == "a" else "b"
