"""What every subcommand that talks to the daemon has in common: options, and how it fails."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from .client import Client, NotReached, Refused
from .table import whole

DEFAULT_CONTROL = "/run/msrprelayd/ctl.sock"
# Somebody waits for it with a finger on the tab key.
COMPLETION_SECONDS = 1.0
# What every shell takes as it is, and click for no option.
HARMLESS = re.compile(r"[A-Za-z0-9_.+@:/%][A-Za-z0-9_.+@:/%-]*")
FAILED = 1
NOT_REACHED = 3


class Terminal:
    """Where a subcommand's findings go: a table for people, or JSON as the daemon gave it."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def give(self, result: object, people: Callable[[], str]) -> None:
        """Print ``result`` as JSON, or what ``people`` makes of it."""
        click.echo(document(result) if self.as_json else people())

    def fail(self, code: int, message: str, status: int) -> None:
        """Say why it did not work, and exit."""
        if self.as_json:
            click.echo(document({"error": {"code": code, "message": message}}))
        else:
            click.echo(f"msrprelay-ctl: {whole(message)}", err=True)
        sys.exit(status)


def document(value: object) -> str:
    """The value in JSON, on one line; what could act on a terminal is escaped in it."""
    text = msgspec.json.encode(value).decode()
    if text.isprintable():
        return text
    # Only in strings can there be anything that is not, and there JSON's escapes mean the same.
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def talks_to_the_daemon(function: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand ``--control`` and ``--json``, and call it with a Client and a Terminal."""

    @click.option(
        "--control",
        envvar="MSRPRELAY_CONTROL",
        default=DEFAULT_CONTROL,
        show_default=True,
        show_envvar=True,
        metavar="PATH",
        help="The daemon's unix socket.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def command(control: str, as_json: bool, **options: Any) -> None:
        terminal = Terminal(as_json=as_json)
        with failures_told(terminal), Client(control) as client:
            function(client, terminal, **options)

    return command


@contextmanager
def failures_told(terminal: Terminal) -> Iterator[None]:
    """Exit 1 for a refusal, 3 where no daemon answers."""
    try:
        yield
    except Refused as refused:
        terminal.fail(refused.code, str(refused), FAILED)
    except NotReached as error:
        terminal.fail(0, f"the daemon is not reached: {error}", NOT_REACHED)


def calls_at_hand(context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    """The call-ids that begin so, for completion in a shell; none if no daemon answers.

    One that a shell or click could misread is not offered: it is a stranger's text.
    """
    control = context.params.get("control") or DEFAULT_CONTROL
    try:
        with Client(control, COMPLETION_SECONDS) as client:
            calls: list[str] = client.call("list", {"limit": 1000})["calls"]
    except (NotReached, Refused):
        return []
    return [call for call in calls if call.startswith(begun) and HARMLESS.fullmatch(call)]
