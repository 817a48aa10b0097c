"""The kinds of sessions: policy, roles, and how each side talks and listens."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1 << 10
FILES = (2 * KIB, 16 * KIB, 64 * KIB, 64 * KIB, 240 * KIB)
WORDS = (0, 20, 100, 240)
MIXED = (0, 1, 200, 1500, 9000, 70 * KIB, 240 * KIB)


@dataclass(frozen=True)
class Manner:
    """How a peer writes and reads. Octets; seconds; 0 is no bound and no pause.

    Every `stall_every` reads it reads nothing for `stall` seconds.
    """

    write_least: int = 256 * KIB
    write_most: int = 256 * KIB
    write_pause: float = 0.0
    read_most: int = 256 * KIB
    read_pause: float = 0.0
    stall_every: int = 0
    stall: float = 0.0

    @property
    def is_prompt(self) -> bool:
        """Whether it always reads as fast as it can."""
        return not self.read_pause and not self.stall_every


@dataclass(frozen=True)
class Talk:
    """What one side says. `sizes` are those of bodies; an opaque session uses the first.

    `budget` of a short session: SENDs, or octets of an opaque one.
    """

    manner: Manner
    sizes: tuple[int, ...]
    budget: int
    think: float = 0.0
    window: int = 1
    batch: int = 1

    @property
    def is_bulk(self) -> bool:
        """Whether it talks without a pause."""
        return not self.think and not self.manner.write_pause

    @property
    def lasting_manner(self) -> Manner:
        """In a session that lasts: bulk must not take all processors, the relay's start needs one.

        Short sessions are as fast as it goes.
        """
        return STEADY if self.is_bulk and self.manner == PROMPT else self.manner


@dataclass(frozen=True)
class Kind:
    """A kind of session; `setups` are a=setup of offerer and answerer."""

    name: str
    policy: str
    setups: tuple[str, str]
    a: Talk
    b: Talk


PROMPT = Manner()
# 12 MB/s.
STEADY = Manner(write_least=48 * KIB, write_most=48 * KIB, write_pause=0.004)
SLOW = Manner(read_most=900, read_pause=0.002)
STALLING = Manner(stall_every=64, stall=0.15)
OCTET_BY_OCTET = Manner(write_least=1, write_most=1, write_pause=0.001)
RAGGED = Manner(write_least=1, write_most=5000, write_pause=0.0005)

STREAM = Talk(PROMPT, (64 * KIB,), budget=4 << 20)
RIVULET = Talk(PROMPT, (64 * KIB,), budget=600_000)
FILE = Talk(PROMPT, FILES, budget=40, window=16, batch=4)
CHAT = Talk(PROMPT, WORDS, budget=30, think=0.02)
FEW = Talk(PROMPT, WORDS, budget=4, think=0.02)
BURSTS = Talk(PROMPT, WORDS, budget=200, think=0.005, window=40, batch=8)
NOTES = Talk(PROMPT, (300,), budget=10_000, think=0.02)
TELEGRAM = Talk(PROMPT, (300,), budget=1500, think=0.02)
PARCELS = Talk(PROMPT, MIXED, budget=30, think=0.01, window=4, batch=3)


def with_manner(talk: Talk, manner: Manner) -> Talk:
    """The same words in another manner."""
    return Talk(manner, talk.sizes, talk.budget, talk.think, talk.window, talk.batch)


ACTIVE, LISTENS, WAITS = ("active", "active"), ("active", "passive"), ("passive", "active")
KINDS = (
    Kind("opaque bulk", "sessmatch", ACTIVE, STREAM, STREAM),
    Kind("aware chat", "aware", ACTIVE, CHAT, CHAT),
    Kind("aware bulk", "aware", ACTIVE, FILE, FILE),
    Kind("opaque chat", "sessmatch", LISTENS, NOTES, NOTES),
    Kind("aware chat, dialled", "aware", WAITS, CHAT, BURSTS),
    Kind("opaque to a slow reader", "sessmatch", ACTIVE,
         with_manner(RIVULET, RAGGED), with_manner(NOTES, SLOW)),
    Kind("octet by octet", "aware", LISTENS, with_manner(FEW, OCTET_BY_OCTET), FEW),
    Kind("aware, both dialled", "aware", ("passive", "passive"), PARCELS, CHAT),
    Kind("aware to a stalling reader", "aware", ACTIVE, PARCELS, with_manner(CHAT, STALLING)),
    Kind("opaque, octet by octet", "sessmatch", ACTIVE,
         with_manner(TELEGRAM, OCTET_BY_OCTET), NOTES),
)  # fmt: skip
