"""``msrprelay-ctl``: the operator's tool."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from .lazy import LazyGroup, Place

OPERATE = "msrprelay.cli.operate"
SHOW = "msrprelay.cli.show"


class Ctl(LazyGroup):
    """The subcommands, and what is the same for all of them."""

    places = {  # noqa: RUF012 (click reads it as it is)
        "ping": Place(OPERATE, "ping", "Ask whether the daemon answers."),
        "list": Place(SHOW, "list_calls", "List the calls."),
        "show": Place(SHOW, "show", "Show one call: legs, addresses, bytes, reasons."),
        "terminate": Place(OPERATE, "terminate", "End a call, or all calls, at once."),
        "drain": Place(OPERATE, "drain", "Take no new calls, or take them again."),
        "upgrade": Place(OPERATE, "upgrade", "Let a new process take over, calls go on."),
        "events": Place(OPERATE, "events", "Follow what happens."),
        "statistics": Place(SHOW, "statistics", "Show the relay's counters."),
        "limits": Place(SHOW, "limits", "Show every limit and timer, and what it refused."),
        "demo": Place(
            "msrprelay.demo.command", "demo", "Watch two endpoints chat through a relay."
        ),
        "endpoint": Place("msrprelay.endpoint.command", "endpoint", "Be an MSRP endpoint."),
        "doctor": Place("msrprelay.doctor.command", "doctor", "Explain a capture taken elsewhere."),
        "lint": Place(
            "msrprelay.doctor.command", "lint", "Judge an SDP, or an offer and its answer."
        ),
        "check-host": Place(
            "msrprelay.doctor.command", "check_host", "Look for trouble on this host."
        ),
        "completion": Place(
            "msrprelay.cli.completion", "completion", "Print a shell's completion."
        ),
    }

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; a disk that is full is told in a line."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except OSError as error:
            # A reader that has read enough is none of our business: click ends without a word.
            if error.errno == errno.EPIPE:
                raise
            click.echo(f"msrprelay-ctl: {error.strerror or error}", err=True)
            sys.exit(1)


@click.command(cls=Ctl, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="msrprelay", prog_name="msrprelay-ctl")
def main() -> None:
    """Operate msrprelayd.

    Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the daemon was not reached.
    """


if __name__ == "__main__":
    main(prog_name="msrprelay-ctl")
