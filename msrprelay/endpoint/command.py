"""``msrprelay-ctl endpoint``: an MSRP endpoint on the command line."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import click

from ..errors import UriError
from ..net.uri import Uri, host_port
from ..printable import printable
from .address import Address
from .connection import Connection, Listener, dial
from .faults import ConnectionLost, EndpointFault
from .protocol import Endpoint, Manner
from .terminal import Terminal, send_path

NO_ADDRESS = "msrp://endpoint.invalid:9/{};tcp"
"""What an end that only dials calls itself: nobody connects to it (RFC 4145 §4.1, port 9)."""


class _UriType(click.ParamType[Uri]):
    name = "uri"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Uri:
        try:
            uri = value if isinstance(value, Uri) else Uri.parse(str(value))
        except UriError as error:
            self.fail(f"{value}: {error}", param, ctx)
        if uri.tls or uri.port is None:
            self.fail(f"{value}: msrp: with a port is needed", param, ctx)
        return uri


class _OnPath(click.ParamType[str]):
    name = "uri"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            Uri.parse(str(value))
        except UriError as error:
            self.fail(f"{value}: {error}", param, ctx)
        return str(value)


@click.command()
@click.option("--listen", type=Address(), help="Wait for one connection here; port 0: any.")
@click.option("--dial", "target", type=_UriType(), help="Connect to the peer with this URI.")
@click.option("--connect", type=Address(), help="Dial here, whatever the URI says (CEMA).")
@click.option("--own", type=_OnPath(), help="This end's own URI; made up if not given.")
@click.option(
    "--peer",
    type=_OnPath(),
    multiple=True,
    help="The peer's path, a URI each; learnt from its bind if not given.",
)
@click.option("--blink", is_flag=True, help="Behave as Blink does: match session-ids only.")
@click.option(
    "--send",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Send this file once the session is bound.",
)
@click.option(
    "--save",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Keep files that come in this folder; without it they are only hashed.",
)
def endpoint(
    listen: tuple[str, int] | None,
    target: Uri | None,
    connect: tuple[str, int] | None,
    own: str | None,
    peer: tuple[str, ...],
    blink: bool,
    file: Path | None,
    folder: Path | None,
) -> None:
    """Be one end of an MSRP session: chat on the terminal, send and take files.

    Lines of standard input are sent as messages. The end that dialled hangs up at the end of its
    input; the one that listened stays until it is hung up on.
    """
    if (listen is None) == (target is None):
        raise click.UsageError("exactly one of --listen and --dial is needed")
    manner = Manner.BLINK if blink else Manner.STRICT
    terminal = Terminal(folder)
    try:
        if listen is not None:
            asyncio.run(_listen(listen, own, peer, manner, terminal, file))
        elif target is not None:
            where = connect or (target.host, target.port or 0)
            end = _dialling(own, peer or (str(target),), manner)
            asyncio.run(_dial(end, where, terminal, file))
    except (EndpointFault, OSError) as error:
        click.echo(f"endpoint: {printable(str(error))}", err=True)
        sys.exit(1)
    finally:
        terminal.close()


def _dialling(own: str | None, peer: tuple[str, ...], manner: Manner) -> Endpoint:
    uri = own or NO_ADDRESS.format(_session_id())
    return Endpoint(uri, peer, active=True, manner=manner)


async def _dial(
    end: Endpoint, where: tuple[str, int], terminal: Terminal, file: Path | None
) -> None:
    connection = await dial(end, *where, terminal.show)
    await _talk(connection, terminal, file)
    await connection.close()


async def _listen(
    where: tuple[str, int],
    own: str | None,
    peer: tuple[str, ...],
    manner: Manner,
    terminal: Terminal,
    file: Path | None,
) -> None:
    listener = Listener(*where)
    uri = own or f"msrp://{host_port(listener.host, listener.port)}/{_session_id()};tcp"
    click.echo(uri)
    end = Endpoint(uri, peer, active=False, manner=manner)
    connection = await listener.accept(end, terminal.show)
    try:
        await _talk(connection, terminal, file)
        await connection.until(lambda: connection.closed)
    except ConnectionLost:
        if connection.fault is not None:
            raise


async def _talk(connection: Connection, terminal: Terminal, file: Path | None) -> None:
    await connection.bound()
    click.echo("* bound", err=True)
    if file is not None:
        await send_path(connection, file)
    await terminal.chat(connection)


def _session_id() -> str:
    """80 random bits (RFC 4975 §14.1)."""
    return secrets.token_hex(10)
