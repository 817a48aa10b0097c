"""The call: what a SIP server does with the relay, then what the endpoints do with each other."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..net.roles import Setup, dials
from ..sdp import MsrpSection
from . import offers
from .failure import DemoFailed, within
from .file import RandomFile, random_file
from .ng import NgClient, Refused
from .outcome import Octets, Outcome
from .party import Party, Progress, both, party

BIND_SECONDS = 15.0
CLOSE_SECONDS = 10.0
READY_SECONDS = 15.0
SETTLE_SECONDS = 2.0
SLOWEST_MESSAGES = 50
"""Messages each way per second below which the chat counts as stuck."""
SLOWEST_OCTETS = 1 << 20
"""Octets of the file per second below which the transfer counts as stuck."""

NO_TAG: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo is to do; ``roles`` are the ``a=setup`` of offerer and answerer."""

    policy: str
    roles: str
    messages: int
    file_bytes: int

    @property
    def setups(self) -> tuple[Setup | None, Setup | None]:
        """The two ``a=setup``; None for ``none``."""
        offerer, answerer = (
            None if word == "none" else Setup(word) for word in self.roles.split("/")
        )
        return offerer, answerer

    @property
    def manner(self) -> str:
        """How the endpoints match paths: as Blink where the relay leaves the paths wrong."""
        return "blink" if self.policy == "sessmatch" else "strict"


class Call:
    """One call through the relay, from the offer to the delete."""

    def __init__(self, plan: Plan, ng: NgClient, file: RandomFile, outcome: Outcome) -> None:
        self._plan = plan
        self._file = file
        self._ng = ng
        self._outcome = outcome
        self._warnings: list[str] = []
        self._names = {
            "call-id": f"demo-{secrets.token_hex(8)}",
            "from-tag": secrets.token_hex(4),
        }
        self._to_tag = {"to-tag": secrets.token_hex(4)}

    async def hold(self, progress: Progress) -> None:
        """Do all of the plan. Raises DemoFailed; the call is deleted whatever happens."""
        async with party("a", progress) as a, party("b", progress) as b:
            try:
                with self._timed("seconds"):
                    await self._set_up(a, b)
                    await self._chat(a, b)
                    await self._transfer(a, b)
                await self._look()
                await self._end(a, b)
                await self._look_again()
            except DemoFailed:
                with suppress(DemoFailed):
                    await self._look()
                raise
            finally:
                await self._delete()

    async def _set_up(self, a: Party, b: Party) -> None:
        offered, answered = self._plan.setups
        async with within(READY_SECONDS, "both endpoint processes ready"):
            addresses = await both(
                a.ask("prepare", side="a", listens=offered is not Setup.ACTIVE),
                b.ask("prepare", side="b", listens=answered is not Setup.ACTIVE),
            )
        ours, theirs = (offers.Address(**address) for address in addresses)
        to_b = await self._anchor("offer", ours, offered)
        to_a = await self._anchor("answer", theirs, answered, self._to_tag)
        a_dials, _ = dials(offered, to_a.setup)
        _, b_dials = dials(to_b.setup, answered)
        async with within(BIND_SECONDS, self._unbound(a_dials, b_dials)):
            await both(self._connect(a, a_dials, to_a), self._connect(b, b_dials, to_b))

    async def _anchor(
        self,
        command: str,
        own: offers.Address,
        setup: Setup | None,
        more: Mapping[str, str] = NO_TAG,
    ) -> MsrpSection:
        """Send one endpoint's SDP through the relay; what the other endpoint gets to read."""
        fields = {
            "sdp": offers.describe(own, setup, cema=self._plan.policy == "cema"),
            "msrp-path": self._plan.policy,
            "received-from": ["IP4", own.host],
            **self._names,
            **more,
        }
        try:
            reply = await self._ng.ask(command, fields)
        except Refused as refusal:
            raise DemoFailed(f"the relay refused the {command}: {refusal}") from None
        if "warning" in reply:
            self._warnings.append(str(reply["warning"]))
        return offers.section(reply["sdp"])

    async def _connect(self, end: Party, dials: bool, remote: MsrpSection) -> None:
        host, port = remote.contact or ("", 0)
        await end.ask(
            "connect",
            dials=dials,
            host=host,
            port=port,
            peer=list(remote.path),
            manner=self._plan.manner,
        )

    def _unbound(self, a_dials: bool, b_dials: bool) -> str:
        """What it means when the endpoints do not come together."""
        ways = {True: "dials", False: "waits to be dialled"}
        told = "".join(f"; the relay warned: {warning}" for warning in self._warnings)
        return f"both ends bound (a {ways[a_dials]}, b {ways[b_dials]}{told})"

    async def _chat(self, a: Party, b: Party) -> None:
        messages = self._plan.messages
        limit = 20 + messages / SLOWEST_MESSAGES
        with self._timed("chat_seconds"):
            async with within(limit, f"{messages} messages each way answered and reported"):
                of_a, of_b = await both(
                    a.ask("chat", messages=messages), b.ask("chat", messages=messages)
                )
        self._outcome.responses = of_a["responses"] + of_b["responses"]
        self._outcome.reports = of_a["reports"] + of_b["reports"]

    async def _transfer(self, a: Party, b: Party) -> None:
        size = self._plan.file_bytes
        limit = 20 + size / SLOWEST_OCTETS
        with self._timed("file_seconds"):
            async with within(limit, f"the file of {size} octets delivered"):
                sent, came = await both(
                    a.ask("send_file", path=self._file.path), b.ask("receive_file")
                )
        digests = {sent["sha256"], came["sha256"], self._file.sha256}
        self._outcome.file_sha256_match = len(digests) == 1 and came["bytes"] == size

    async def _look(self) -> None:
        """Keep what the relay says of the session now."""
        reply = await self._ng.ask("query", self._names, patience=2.0)
        sessions = reply.get("msrp", {}).get("sessions", [])
        self._outcome.session = sessions[0] if sessions else None

    async def _end(self, a: Party, b: Party) -> None:
        async with within(CLOSE_SECONDS, "both connections closed after a hung up"):
            of_a, of_b = await both(a.ask("hang_up"), b.ask("be_hung_up_on"))
        self._outcome.octets = {"a": Octets(**of_a), "b": Octets(**of_b)}

    async def _look_again(self) -> None:
        """The relay's last word on the legs: it hears of the last FIN after the endpoints do."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not all(leg["reason"] for leg in self._outcome.legs):
                    await self._look()
                    await asyncio.sleep(0.01)
        except (TimeoutError, Refused):
            # What was seen before stands: the figures are judged, the reasons are shown.
            return

    async def _delete(self) -> None:
        with suppress(DemoFailed):
            await self._ng.ask("delete", {**self._names, **self._to_tag}, patience=1.0)

    @contextmanager
    def _timed(self, field: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            setattr(self._outcome, field, time.monotonic() - begun)


async def run(plan: Plan, ng: NgClient, progress: Progress) -> Outcome:
    """Hold the call; what went wrong stands among the outcome's problems."""
    outcome = Outcome(plan.policy, plan.roles, plan.messages, plan.file_bytes)
    try:
        async with random_file(plan.file_bytes) as file:
            await Call(plan, ng, file, outcome).hold(progress)
        outcome.judge()
    except (DemoFailed, OSError) as failure:
        outcome.problems.append(str(failure))
    return outcome
