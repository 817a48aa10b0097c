"""Any order of offers, answers, deletes, rollbacks and time-outs, against a plain model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

TAGS = st.sampled_from(["A", "B"])
PEER = {"A": "B", "B": "A"}
# Three sections at most, each refused (port 0) or live; the path tells two bodies apart.
PORTS = st.lists(st.sampled_from([0, 1000]), min_size=1, max_size=3)
PATHS = st.sampled_from(["x", "y"])


@dataclass
class Model:
    """What the call must look like from outside; nothing is decided here but what a reply was."""

    first_tag: str | None = None
    pending: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    committed: dict[str, bytes] = field(default_factory=dict)
    replies: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    # What the first offer asked for while forks may answer it, and until when they may.
    first: set[int] = field(default_factory=set)
    forks_until: float = 0.0
    condemned: bool = False
    ended: bool = False


class Calls(RuleBasedStateMachine):
    """One call between the tags A and B; who offers first is side a."""

    def __init__(self, sdp: ModuleType, offer_answer: ModuleType) -> None:
        super().__init__()
        self.parse = sdp.parse
        self.live = offer_answer.live_sections
        self.call = offer_answer.Negotiation()
        self.model = Model()
        self.now = 0.0
        self.count = 0

    def description(self, ports: list[int], path: str) -> Any:
        sections = (
            f"m=message {port} TCP/MSRP *\r\na=path:msrp://h:1000/{path};tcp\r\n" for port in ports
        )
        return self.parse(f"v=0\r\n{''.join(sections)}".encode())

    def side(self, tag: str) -> str:
        return "a" if self.model.first_tag in (None, tag) else "b"

    def reply(self) -> bytes:
        self.count += 1
        return b"%d" % self.count

    @rule(tag=TAGS, ports=PORTS, path=PATHS, in_dialog=st.booleans(), applied=st.booleans())
    def offer(self, tag: str, ports: list[int], path: str, in_dialog: bool, applied: bool) -> None:
        description = self.description(ports, path)
        side = self.side(tag)
        to_tag = PEER[tag] if in_dialog or side == "b" else None
        decision = self.call.offer(self.now, description, tag, to_tag)
        pending = self.model.pending.get(side)
        if self.model.ended:
            assert decision.reason == "Unknown call-id"
        elif pending is not None and pending[0] == description.body:
            assert decision.reply == self.model.replies["offer " + side, description.body]
        elif type(decision).__name__ == "Repeat":
            assert (pending, to_tag) == (None, None)
            assert decision.reply == self.model.replies["answered " + side, description.body]
        elif applied:
            self.model.first_tag = self.model.first_tag or tag
            self.apply_offer(side, description, decision)

    def apply_offer(self, side: str, description: Any, decision: Any) -> None:
        reply = self.reply()
        self.call.apply(decision, reply)
        assert decision.side == side
        new = {c.index for c in decision.sections if c.change.value == "new"}
        assert new == self.live(description).keys() - self.live_now()
        self.model.pending[side] = description.body, self.now
        self.model.replies["offer " + side, description.body] = reply
        self.model.held |= self.live(description).keys()
        self.release(decision)
        self.model.condemned = False

    @rule(tag=TAGS, ports=PORTS, path=PATHS, applied=st.booleans())
    def answer(self, tag: str, ports: list[int], path: str, applied: bool) -> None:
        """An answer to the offer of ``tag``."""
        description = self.description(ports, path)
        offerer, answerer = self.side(tag), "b" if self.side(tag) == "a" else "a"
        decision = self.call.answer(self.now, description, tag, PEER[tag])
        name = type(decision).__name__
        if self.model.ended or name == "Refused":
            assert name == "Refused"
            assert offerer not in self.model.pending
        elif name == "Repeat":
            assert offerer not in self.model.pending
            assert decision.reply == self.model.replies["answer " + offerer, description.body]
        elif applied:
            self.apply_answer(offerer, answerer, description, decision)

    def apply_answer(self, offerer: str, answerer: str, description: Any, decision: Any) -> None:
        reply = self.reply()
        before = self.live_now()
        initial = not self.model.committed
        self.call.apply(decision, reply)
        assert decision.again is (offerer not in self.model.pending)
        if not decision.again:
            asked = set(self.live(decision.exchange.of(offerer)))
            self.model.first = asked if initial else set()
            self.model.forks_until = self.model.pending[offerer][1] + 200
            body = self.model.committed[offerer] = self.model.pending.pop(offerer)[0]
            self.model.replies["answered " + offerer, body] = self.model.replies[
                "offer " + offerer, body
            ]
        self.model.committed[answerer] = description.body
        self.model.replies["answer " + offerer, description.body] = reply
        after = self.live_now()
        found = {change.index: change.change.value for change in decision.sections}
        assert {index for index, change in found.items() if change != "closed"} == after
        assert {index for index, change in found.items() if change == "new"} == after - before
        assert before - after <= {index for index, change in found.items() if change == "closed"}
        self.model.held |= after
        self.release(decision)
        self.model.condemned = False

    @rule(tag=TAGS)
    def delete(self, tag: str) -> None:
        decision = self.call.delete(tag)
        side = self.side(tag)
        match type(decision).__name__:
            case "RolledBack":
                assert self.model.committed
                self.rolled_back(decision)
                assert decision.side == side
                self.model.condemned = True
            case "Ended":
                assert side not in self.model.pending or not self.model.committed
                self.end()
            case _:
                assert self.model.ended or not self.model.committed

    @rule(tag=TAGS)
    def rollback(self, tag: str) -> None:
        decision = self.call.rollback(tag)
        side = self.side(tag)
        assert (type(decision).__name__ == "Refused") is (side not in self.model.pending)
        self.dropped([decision])

    @rule(seconds=st.sampled_from([1.0, 100.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = [side for side, (_, at) in self.model.pending.items() if at + 200 <= self.now]
        forks_are_late = self.unclaimed() and self.model.forks_until <= self.now
        decisions = self.call.expire(self.now)
        assert len(decisions) == len(late) + bool(forks_are_late)
        self.dropped(decisions)

    def dropped(self, decisions: list[Any]) -> None:
        for decision in decisions:
            match type(decision).__name__:
                case "RolledBack":
                    self.rolled_back(decision)
                case "Unclaimed":
                    self.model.first = set()
                    self.release(decision)
                case "Ended":
                    assert not self.model.committed
                    self.end()

    def unclaimed(self) -> set[int]:
        return self.model.first - self.live_now()

    def rolled_back(self, decision: Any) -> None:
        del self.model.pending[decision.side]
        self.release(decision)

    def end(self) -> None:
        self.model.pending.clear()
        self.model.held.clear()
        self.model.first = set()
        self.model.ended = True

    def release(self, decision: Any) -> None:
        assert self.model.held >= set(decision.released)
        self.model.held -= set(decision.released)

    def live_now(self) -> set[int]:
        return set(self.call.committed.live) if self.call.committed else set()

    @invariant()
    def pending_is_what_was_offered_last(self) -> None:
        for side in ("a", "b"):
            description = self.call.pending(side)
            expected = self.model.pending.get(side)
            assert (description and description.body) == (expected and expected[0])

    @invariant()
    def committed_is_what_was_answered_last(self) -> None:
        committed = self.call.committed
        found = {"a": committed.a.body, "b": committed.b.body} if committed else {}
        assert found == self.model.committed

    @invariant()
    def live_is_what_both_want(self) -> None:
        committed = self.call.committed
        if committed:
            assert committed.live == self.live(committed.a).keys() & self.live(committed.b).keys()

    @invariant()
    def sections_are_held_while_something_needs_them(self) -> None:
        if not self.model.ended:
            pending = [self.call.pending(side) for side in ("a", "b")]
            needed = set().union(*(self.live(p) for p in pending if p), self.live_now())
            assert self.model.held == needed | self.unclaimed()

    @invariant()
    def marks_agree(self) -> None:
        assert (self.call.condemned, self.call.ended) == (self.model.condemned, self.model.ended)

    @invariant()
    def the_next_deadline_is_the_oldest_offers(self) -> None:
        times = [at + 200 for _, at in self.model.pending.values()]
        if self.unclaimed():
            times.append(self.model.forks_until)
        assert self.call.deadline() == (min(times) if times else None)


def test_any_order_of_events(load: Callable[[str], ModuleType]) -> None:
    class Machine(Calls):
        def __init__(self) -> None:
            super().__init__(load("sdp"), load("offer_answer"))

    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=30))
