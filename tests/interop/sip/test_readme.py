"""The six lines of the README, in the place of those of minimal.cfg."""

from __future__ import annotations

import re
from pathlib import Path

from .call import establish
from .middle import Faults
from .site import HERE, SHIPPED, Site, conclude

README = HERE.parents[2] / "README.md"
SILENT = Faults(requests=1 << 30)
# The module sets a silent relay aside, also for the BYE: the call ends as the phones close.
SHORT_WINDOW = "timers.reconnect=0.2"


def with_the_readmes_lines(folder: Path, node: str) -> Path:
    """minimal.cfg with each of its numbered lines as the README has it, in its order."""
    (block,) = re.findall(r'(?s)```\n(loadmodule "rtpengine.so".*?)```', README.read_text())
    lines = [line.strip() for line in block.splitlines() if not line.startswith("#")]
    module, where, transaction, offer, delete, answer = lines
    assert '"udp:127.0.0.1:2224"' in where
    bye = f'if (is_method("BYE")) {delete}'
    text = (SHIPPED / "minimal.cfg").read_text()
    ours = [module, where.replace("udp:127.0.0.1:2224", node), transaction, offer, bye, answer]
    for number, line in enumerate(ours, 1):
        # A block that the numbered line opens goes with it.
        numbered = rf"(?ms)^\t*[^\n]*# {number}\n" + (r".*?^\t\t}\n" if number == 4 else "")
        before, *found, after = re.split(numbered, text)
        assert not found, number
        text = f"{before}{line}\n{after}"
    script = folder / "readme.cfg"
    script.write_text(text)
    return script


async def test_a_chat_and_no_call_without_a_relay(site: Site, tmp_path: Path) -> None:
    relay = await site.relay(settings=[SHORT_WINDOW])
    await site.kamailio(with_the_readmes_lines(tmp_path, site.nodes()))
    call = await establish(*await site.phones(), "readme")
    async with call.conversation() as talk:
        await talk.more(20)
        relay.middle.faults = SILENT
        again = call.a.phone.start(call.a.dialog.request("INVITE", call.a.media.sdp()))
        assert (await again.final()).status == 503
        assert call.b.phone.requests.empty(), "no SDP passes the relay by"
        relay.middle.faults = Faults()
        await talk.more(20)
        await conclude(site, call, talk)
