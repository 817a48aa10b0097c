"""What must hold between options."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ..net.interfaces import Interface
from .options import Config, Limits, known
from .values import HostPort

# Limits and timers of which 0 is a sense: at once, off, or worked out at the start.
MAY_BE_ZERO = frozenset(
    {
        "limits.buffer-budget",
        "limits.cpu",
        "limits.free-memory",
        "limits.offers-per-second",
        "limits.reply-cache",
        "limits.session-bytes",
        "limits.session-rate",
        "limits.sessions",
        "timers.delete-delay",
        "timers.drain",
        "timers.final",
        "timers.grace",
        "timers.idle",
        "timers.port-quarantine",
        "timers.reconnect",
        "timers.reply-cache",
        "timers.unacknowledged",
    }
)
# What the engine has room for.
HEADER_BLOCK = 64 * 1024
UNBOUND_PER_PORT = 100

# What the kernel takes of a socket's options (tcp(7)); the rest it would refuse with each offer.
KERNEL_TAKES = {
    "limits.leg-buffer": (1, (1 << 32) - 1),
    "timers.keepalive-count": (1, 127),
    "timers.keepalive-idle": (1, 32767),
    "timers.keepalive-interval": (1, 32767),
    # Milliseconds there.
    "timers.unacknowledged": (0, ((1 << 31) - 1) // 1000),
}


def broken_rules(config: Config) -> Iterator[tuple[str, str]]:
    """Key and reason of everything that is wrong although each value can be read."""
    if not config.interface:
        yield "interface", "at least one is needed, such as --interface=pub/192.0.2.10"
    if config.port_min > config.port_max:
        yield "port-min", f"{config.port_min} is above port-max, {config.port_max}"
    if config.port_min == config.port_max and len(config.interface) == 1:
        yield "port-min", "one port is too few for the two legs of a session"
    names = {interface.name for interface in config.interface}
    for name in sorted(set(config.msrp_path) - names):
        yield "msrp-path", f"no interface is called {name!r}"
    yield from unreachable(config)
    if config.limits.header_line > config.limits.header_block:
        yield "limits.header-line", "is above limits.header-block"
    if config.limits.header_block > HEADER_BLOCK:
        yield "limits.header-block", "is above 64 KiB: an undecided one has no more room"
    if config.limits.unbound_per_port > UNBOUND_PER_PORT:
        yield "limits.unbound-per-port", f"is above {UNBOUND_PER_PORT}"
    for key, places in listening(config):
        if len(set(places)) < len(places):
            yield key, "an address is named twice"
    for where in config.listen_http:
        if where.port and where in config.listen_ng_tcp:
            yield "listen-http", f"{where} is an address of listen-ng-tcp"
    if config.listen_ng_unix and config.listen_ng_unix == config.control:
        yield "listen-ng-unix", "is the control socket: ng and JSON-RPC need a socket each"
    for key, share in shares(config.limits):
        if share > 100:
            yield key, "is above 100 per cent"
    if config.limits.load > config.limits.load_emergency:
        yield "limits.load", "is above limits.load-emergency"
    yield from out_of_bounds(config)


def out_of_bounds(config: Config) -> Iterator[tuple[str, str]]:
    """Limits and timers that cannot be obeyed."""
    for option in known():
        value = option.value(config)
        if option.option.unit and option.key not in MAY_BE_ZERO and not value:
            yield option.key, "must be above 0"
        elif option.key in KERNEL_TAKES:
            least, most = KERNEL_TAKES[option.key]
            if not least <= value <= most:
                yield option.key, f"the kernel takes {least} to {most}"


def unreachable(config: Config) -> Iterator[tuple[str, str]]:
    """Interfaces that nothing can choose: an earlier one of their name has their family."""
    first: dict[tuple[str, str], Interface] = {}
    for each in config.interface:
        other = first.setdefault((each.name, each.family), each)
        if other is not each:
            why = f"would never be used: {other.name!r} has an {each.family} address already"
            yield "interface", f"{each.name}/{each.host} {why}; give it another name"


def shares(limits: Limits) -> Iterator[tuple[str, int]]:
    """What is told in per cent."""
    yield "limits.cpu", limits.cpu
    yield "limits.load", limits.load
    yield "limits.load-emergency", limits.load_emergency


def listening(config: Config) -> Iterator[tuple[str, tuple[HostPort, ...]]]:
    """Each key that names addresses for ng, and the addresses."""
    yield "listen-ng", config.listen_ng
    yield "listen-ng-tcp", config.listen_ng_tcp
    yield "listen-http", config.listen_http


def warnings(config: Config) -> Iterator[str]:
    """What is allowed, but should be meant."""
    for key, places in listening(config):
        for where in places:
            if not ip_address(where.host).is_loopback:
                yield f"{key} {where}: ng has no authentication, whoever reaches it may command"
    if config.port_max >= 32768:
        yield "port-max: from 32768 the kernel takes ports for its own dials (ip_local_port_range)"
