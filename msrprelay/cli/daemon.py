"""``msrprelayd``: read the options and the configuration, then run the relay."""

from __future__ import annotations

import os
import socket
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from .. import config as configuration
from ..errors import ConfigError
from ..keeping.link import keeper_command
from ..log import LEVELS, configure
from ..net.interfaces import Interface

DEFAULT_CONFIG = Path("/etc/msrprelayd/msrprelayd.toml")
Setting = tuple[str, object]
F = TypeVar("F", bound=Callable[..., Any])


def setting(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Any:
    """``KEY=VALUE`` pairs, the values as TOML has them; what is no TOML is a string."""
    return [one_setting(value) for value in values]


def one_setting(text: str) -> Setting:
    """One ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise click.BadParameter(f"{text!r}: KEY=VALUE expected")
    try:
        return spelled(key), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return spelled(key), value.strip()


def spelled(key: str) -> str:
    """A key with dashes; the name of an interface in it stays as it is."""
    table, dot, name = key.strip().partition(".")
    table = table.replace("_", "-")
    return f"{table}{dot}{name if table == 'msrp-path' else name.replace('_', '-')}"


def policies(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Any:
    """``NAME=POLICY`` pairs, as ``--set msrp-path.NAME=POLICY`` has them."""
    return [one_setting(f"msrp-path.{value}") for value in values]


def many(name: str, metavar: str, text: str) -> Callable[[F], F]:
    """An option that may be repeated."""
    return click.option(name, multiple=True, metavar=metavar, help=text)


@click.command("msrprelayd", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="msrprelay", prog_name="msrprelayd")
@many("--interface", "NAME/ADDR[!ADVERTISED]", "A local address; the first is the default.")
@click.option("--port-min", type=int, metavar="PORT", help="Lowest port for legs.")
@click.option("--port-max", type=int, metavar="PORT", help="Highest port for legs.")
@many("--listen-ng", "ADDR:PORT", "Serve ng over UDP here.  [default: 127.0.0.1:2224]")
@many("--listen-ng-tcp", "ADDR:PORT", "Serve ng over TCP here.")
@click.option("--listen-ng-unix", metavar="PATH", help="Serve ng on this unix socket.")
@many("--listen-http", "ADDR:PORT", "Serve HTTP here.")
@click.option("--control", metavar="PATH", help="Serve JSON-RPC on this unix socket.")
@click.option("--threads", type=int, metavar="N", help="Threads that move bytes; 0: one per core.")
@many("--dial-allow", "CIDR", "May be dialled although loopback, link-local or our own.")
@many("--dial-deny", "CIDR", "Is never dialled, whatever is allowed.")
@click.option(
    "--msrp-path",
    "by_name",
    multiple=True,
    callback=policies,
    metavar="NAME=POLICY",
    help="The path policy of an interface: aware, cema or sessmatch.",
)
@click.option(
    "--delete-pending",
    type=click.Choice(("rollback", "delete")),
    help="What a delete means while a re-offer is pending.",
)
@click.option("--state-dir", metavar="PATH", help="Keep state for a cold start here.")
@click.option(
    "--keeper/--no-keeper",
    default=None,
    help="Let a second process hold the sockets, so that calls outlive a crash.",
)
@click.option(
    "--splice-bodies/--no-splice-bodies",
    default=None,
    help="Aware: pass large bodies whose Byte-Range has an end unread.",
)
@click.option(
    "--event-ring/--no-event-ring", default=None, help="Keep the last events of each session."
)
@click.option("--log-level", type=click.Choice(LEVELS), help="What is logged.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=setting,
    metavar="KEY=VALUE",
    help='Any key of the configuration, such as timers.join="20 s".',
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The configuration.  [default: {DEFAULT_CONFIG}, if it is there]",
)
@click.option("--check", is_flag=True, help="Check the configuration and exit.")
def main(
    path: Path | None,
    check: bool,
    settings: list[Setting],
    by_name: list[Setting],
    **options: Any,
) -> None:
    """Relay MSRP sessions: SDP offers and answers in, joined TCP legs out.

    Options win over the configuration file. Not an RFC 4976 AUTH relay.
    """
    path = path or usual_config()
    overrides = {**given(options), **dict(by_name), **dict(settings)}

    def reread() -> configuration.Config:
        return configuration.load_file(path, overrides)

    try:
        config = reread()
    except ConfigError as error:
        click.echo(error, err=True)
        sys.exit(1)
    for warning in configuration.warnings(config):
        click.echo(f"warning: {warning}", err=True)
    if check:
        for warning in elsewhere(config.interface):
            click.echo(f"warning: {warning}", err=True)
        click.echo(f"{path or 'command line'}: configuration is good")
        return
    if config.keeper:
        become_keeper(path, overrides, config.timers.upgrade)
    configure(config.log_level)
    # Only now: --check and --help need no engine.
    from ..process.run import run

    sys.exit(run(config, reread))


def usual_config() -> Path | None:
    """The configuration where nothing else is said; None if there is none.

    One that cannot be looked at is there: a relay without its file would be another one.
    """
    try:
        DEFAULT_CONFIG.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # whoever reads it says why it cannot be read
    return DEFAULT_CONFIG


def elsewhere(interfaces: Iterable[Interface]) -> Iterator[str]:
    """Interfaces at which a start on this machine would fail; the file may be another one's."""
    for interface in interfaces:
        family = socket.AF_INET if interface.family == "IP4" else socket.AF_INET6
        try:
            with socket.socket(family) as sock:
                sock.bind((interface.host, 0))
        except OSError as error:
            why = f"cannot be bound on this machine, on which it would not start: {error.strerror}"
            yield f"interface {interface.name}/{interface.host} {why}"


def become_keeper(path: Path | None, overrides: Mapping[str, object], prepare: float) -> NoReturn:
    """Let the keeper run in this process; it starts the relay process."""
    place = None if path is None else str(path.absolute())
    command = keeper_command({"path": place, "overrides": overrides, "prepare": prepare}, {})
    sys.stdout.flush()
    os.execv(command[0], command)


def given(options: Mapping[str, Any]) -> dict[str, object]:
    """The options that were on the command line, by key."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return {key: value for key, value in named.items() if value is not None and value != ()}


if __name__ == "__main__":
    main(prog_name="msrprelayd")
