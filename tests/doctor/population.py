"""Populations of calls as the second seed saw them: keep-alive re-INVITEs answered statelessly.

The call is Sippy's: a re-INVITE 32 s after the answer and after each final, Expires 300; a
stateless peer sends 100 and 488 once. A lost 488 leaves the caller waiting for its timer.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from .wire import Call, Wire

INTERVAL, TIMER, FIRST_EXTRA = 32.0, 300.0, 600.0
ROUND_TRIP = 0.03
BODY = b"v=0\r\no=Sippy 1 0 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
BODY += b"m=audio 4000 RTP/AVP 0\r\n"


class Made(NamedTuple):
    """A generated call: how long it lasted from the answer to the BYE, and whether it was cut."""

    seconds: float
    cut: bool
    keepalives: int


def call(
    wire: Wire, call_id: str, start: float, talk: float, loss: float, chance: random.Random
) -> Made:
    """One call whose users would talk for ``talk`` seconds."""
    dialog = Call(wire, call_id=call_id)
    dialog.invite(BODY, at=start)
    dialog.reply("200 OK", body=BODY, at=start + 2)
    dialog.ack(at=start + 2.01)
    answered, now, count = start + 2, start + 2.01, 0
    while now + INTERVAL < answered + talk:
        now += INTERVAL
        count += 1
        cseq = 200 + count
        dialog.invite(BODY, cseq, now, again=True, extra="Expires: 300\r\n")
        dialog.reply("100 Your Re-INVITE is received", cseq, at=now + ROUND_TRIP)
        if chance.random() < loss:
            end = now + ROUND_TRIP + TIMER + (FIRST_EXTRA if count == 1 else 0)
            dialog.bye(at=end, cseq=9000)
            return Made(end - answered, True, count)
        now += ROUND_TRIP + 0.001
        dialog.reply("488 Your Re-INVITE is ignored", cseq, at=now)
        dialog.ack(cseq, at=now + 0.001)
    dialog.bye(at=max(answered + talk, now + 0.1), cseq=9000)
    return Made(talk, False, count)


def population(
    folder: Path, calls: int, files: int, loss: float, mean: float = 300.0, seed: int = 1
) -> list[Made]:
    """Write ``calls`` calls over ``files`` captures; talk times are exponential."""
    chance = random.Random(seed)
    made: list[Made] = []
    for file in range(files):
        wire = Wire()
        for number in range(file, calls, files):
            start, talk = chance.random() * 3600, chance.expovariate(1 / mean)
            made.append(call(wire, f"{number}@x", start, talk, loss, chance))
        wire.frames.sort(key=lambda frame: frame[0])
        wire.save(folder / f"calls-{file:03}.pcap")
    return made
