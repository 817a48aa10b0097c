"""``msrprelay-ctl demo``."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AbstractAsyncContextManager

import click
import msgspec

from ..config import units
from ..endpoint.address import Address
from ..ladder import draw
from .call import Plan, run
from .daemon import own_relay
from .failure import DemoFailed, NotReached
from .ng import NgClient, ng_client
from .outcome import Outcome
from .progress import Bars

ROLES = (
    "active/active",
    "active/passive",
    "passive/active",
    "actpass/active",
    "none/none",
    "passive/passive",
)
FAILED = 1
NOT_REACHED = 3


class _Size(click.ParamType[int]):
    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            return units.size(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@click.command()
@click.option(
    "--policy",
    type=click.Choice(["aware", "cema", "sessmatch"]),
    default="aware",
    show_default=True,
    help="Who makes the paths right: the relay (aware), c=/m= (cema), or nobody (sessmatch).",
)
@click.option(
    "--roles",
    type=click.Choice(ROLES),
    default=ROLES[0],
    show_default=True,
    help="a=setup of the offerer and of the answerer.",
)
@click.option(
    "--messages",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Chat messages each way.",
)
@click.option(
    "--file-size",
    type=_Size(),
    default="50 MiB",
    show_default=True,
    help="The file that a sends to b, such as 65536, 64KiB or 50MiB.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--ng",
    "relay",
    type=Address(lowest=1),
    metavar="HOST:PORT",
    help="Use the relay on this machine that answers ng here; without it one is started.",
)
def demo(
    policy: str,
    roles: str,
    messages: int,
    file_size: int,
    as_json: bool,
    relay: tuple[str, int] | None,
) -> None:
    """Watch two endpoints chat through a relay and send a file.

    Exit status: 0 if every octet and answer was right, 1 if not, 3 if no relay answers.
    """
    plan = Plan(policy, roles, messages, file_size)
    bars = Bars(quiet=as_json)
    try:
        outcome = asyncio.run(_demonstrate(plan, relay, bars))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("demo: interrupted", err=True)
        sys.exit(FAILED)
    except DemoFailed as failure:
        outcome = Outcome(policy, roles, messages, file_size, problems=[str(failure)])
        _show(outcome, as_json=as_json)
        sys.exit(NOT_REACHED if isinstance(failure, NotReached) else FAILED)
    finally:
        bars.finish()
    _show(outcome, as_json=as_json)
    sys.exit(0 if outcome.ok else FAILED)


async def _demonstrate(plan: Plan, relay: tuple[str, int] | None, bars: Bars) -> Outcome:
    task = asyncio.current_task()
    assert task is not None
    # As Ctrl-C: what was started is stopped on the way out.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    client: AbstractAsyncContextManager[NgClient] = ng_client(*relay) if relay else own_relay()
    async with client as ng:
        if relay is not None:
            await ng.ask("ping", patience=2.0)
        return await run(plan, ng, bars.show)


def _show(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(outcome.json()))
        return
    if outcome.session is not None:
        click.echo(draw(outcome.session))
        click.echo()
    click.echo(outcome.summary())
