"""One call's offers and answers: what each event means after the ones before it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def parse(load: Callable[[str], ModuleType]) -> Callable[..., Any]:
    sdp = load("sdp")

    def described(*ports: int, path: str = "x", tls: bool = False, more: str = "") -> Any:
        """A description with one message section a port."""
        proto, scheme = ("TCP/TLS/MSRP", "msrps") if tls else ("TCP/MSRP", "msrp")
        sections = "".join(
            f"m=message {port} {proto} *\r\na=path:{scheme}://h:{port or 1}/{path};tcp\r\n{more}"
            for port in ports
        )
        return sdp.parse(f"v=0\r\n{sections}".encode())

    return described


@pytest.fixture
def call(load: Callable[[str], ModuleType]) -> Any:
    return load("offer_answer").Negotiation()


@pytest.fixture
def chat(call: Any, parse: Callable[..., Any]) -> Any:
    """A call between tags A and B with one section committed."""
    call.apply(call.offer(0, parse(1000, path="a"), "A"), b"to B")
    call.apply(call.answer(1, parse(2000, path="b"), "A", "B"), b"to A")
    return call


def changes(decision: Any) -> list[tuple[int, str, str]]:
    """(index, change, sides that moved) of each section."""
    return [
        (change.index, change.change.value, "".join(sorted(change.moved)))
        for change in decision.sections
    ]


def kind(decision: Any) -> str:
    return type(decision).__name__


def test_an_offer_is_pending_until_its_answer_commits_it(
    call: Any, parse: Callable[..., Any]
) -> None:
    offer, answer = parse(1000, path="a"), parse(2000, path="b")
    offered = call.offer(0, offer, "A")
    assert (offered.side, changes(offered)) == ("a", [(0, "new", "a")])
    assert call.pending("a") is None
    call.apply(offered, b"to B")
    assert (call.pending("a"), call.committed) == (offer, None)
    committed = call.answer(1, answer, "A", "B")
    assert (committed.offerer, committed.message.tag, committed.again) == ("a", "B", False)
    assert changes(committed) == [(0, "new", "ab")]
    (section,) = committed.sections
    assert (section.of("a").path, section.of("b").path) == (
        ("msrp://h:1000/a;tcp",),
        ("msrp://h:2000/b;tcp",),
    )
    call.apply(committed, b"to A")
    assert call.pending("a") is None
    assert (call.committed.of("a"), call.committed.of("b")) == (offer, answer)
    assert (call.side_of("A"), call.side_of("B"), call.side_of("C")) == ("a", "b", None)


def test_a_decision_that_is_not_applied_changes_nothing(
    chat: Any, parse: Callable[..., Any]
) -> None:
    before = chat.committed
    chat.offer(2, parse(1001), "A", "B")
    chat.answer(2, parse(2001), "A", "C")
    assert (chat.committed, chat.pending("a"), chat.side_of("C")) == (before, None, None)


def test_a_decision_is_applied_only_to_the_state_it_was_made_for(
    chat: Any, parse: Callable[..., Any]
) -> None:
    first, second = (chat.offer(2, parse(port), "A", "B") for port in (1001, 1002))
    chat.apply(first, b"")
    with pytest.raises(ValueError, match="moved on"):
        chat.apply(second, b"")


class TestRepeats:
    def test_the_same_offer_from_another_worker(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"to B")
        assert call.offer(0.05, parse(1000), "A").reply == b"to B"

    def test_another_branch_with_other_terms_is_no_repeat(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000), "A", None, "cema"), b"to B")
        assert kind(call.offer(1, parse(1000), "A", None, "aware")) == "Offered"

    def test_the_initial_offer_after_its_answer(self, chat: Any, parse: Callable[..., Any]) -> None:
        assert chat.offer(2, parse(1000, path="a"), "A").reply == b"to B"

    def test_a_session_refresh_is_an_offer_though_nothing_changes(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        refresh = chat.offer(2, parse(1000, path="a"), "A", "B")
        assert changes(refresh) == [(0, "unchanged", "")]
        chat.apply(refresh, b"again to B")
        assert kind(chat.delete("A")) == "RolledBack"

    def test_the_same_answer_again(self, chat: Any, parse: Callable[..., Any]) -> None:
        assert chat.answer(2, parse(2000, path="b"), "A", "B").reply == b"to A"

    def test_the_same_answer_from_another_fork_moves_the_call_to_its_tag(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        answer = chat.answer(2, parse(2000, path="b"), "A", "C")
        assert (answer.again, answer.message.tag, changes(answer)) == (
            True,
            "C",
            [(0, "unchanged", "")],
        )

    def test_an_offer_whose_reply_was_never_made_is_no_repeat(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.offer(0, parse(1000), "A")
        assert kind(call.offer(1, parse(1000), "A")) == "Offered"


class TestReoffers:
    @pytest.mark.parametrize(
        ("from_tag", "to_tag", "side"), [("A", "B", "a"), ("B", "A", "b")], ids=["by-a", "by-b"]
    )
    def test_either_side_may_reoffer(
        self, chat: Any, parse: Callable[..., Any], from_tag: str, to_tag: str, side: str
    ) -> None:
        offered = chat.offer(2, parse(3000, path="new"), from_tag, to_tag)
        assert offered.side == side
        assert changes(offered) == [(0, "changed", side)]
        before = chat.committed
        chat.apply(offered, b"")
        assert chat.committed is before
        theirs = before.of("b" if side == "a" else "a")
        committed = chat.answer(3, theirs, from_tag, to_tag)
        assert (committed.offerer, changes(committed)) == (side, [(0, "changed", side)])
        chat.apply(committed, b"")
        assert chat.committed.of(side) is offered.message.description

    def test_a_section_is_added_then_closed_then_used_again(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        seen = []
        for now, ports in enumerate([(1000, 1001), (1000, 0), (1000, 1002)], 2):
            offered = chat.offer(now, parse(*ports, path="a"), "A", "B")
            chat.apply(offered, b"")
            answer = parse(2000, 2001 if ports[1] else 0, path="b")
            committed = chat.answer(now, answer, "A", "B")
            chat.apply(committed, b"")
            seen.append((changes(offered)[1], changes(committed)[1], committed.released))
        assert seen == [
            ((1, "new", "a"), (1, "new", "ab"), ()),
            ((1, "closed", ""), (1, "closed", ""), (1,)),
            ((1, "new", "a"), (1, "new", "ab"), ()),
        ]

    def test_an_answer_with_port_0_releases_what_was_prepared(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.apply(chat.offer(2, parse(1000, 1001, path="a"), "A", "B"), b"")
        committed = chat.answer(3, parse(2000, 0, path="b"), "A", "B")
        assert (changes(committed), committed.released) == (
            [(0, "unchanged", ""), (1, "closed", "")],
            (1,),
        )

    def test_an_answer_with_fewer_sections_closes_the_rest(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.apply(chat.offer(2, parse(1000, 1001, path="a"), "A", "B"), b"")
        assert chat.answer(3, parse(2000, path="b"), "A", "B").released == (1,)

    @pytest.mark.parametrize("ports", [(2000, 0), (2000,)], ids=["port 0", "fewer sections"])
    def test_what_one_fork_refuses_is_kept_for_the_others(
        self, call: Any, parse: Callable[..., Any], ports: tuple[int, ...]
    ) -> None:
        call.apply(call.offer(0, parse(1000, 1001), "A"), b"")
        refused = call.answer(1, parse(*ports), "A", "B1")
        call.apply(refused, b"")
        assert (changes(refused)[1], refused.released) == ((1, "closed", ""), ())
        taken = call.answer(2, parse(2000, 2001), "A", "B2")
        call.apply(taken, b"")
        assert (changes(taken)[1], taken.released) == ((1, "new", "ab"), ())
        assert call.deadline() is None

    def test_what_no_fork_takes_is_released_with_the_offers_time(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000, 1001), "A"), b"")
        call.apply(call.answer(1, parse(2000, 0), "A", "B"), b"")
        assert call.deadline() == 200
        assert call.expire(199) == []
        assert [decision.released for decision in call.expire(200)] == [(1,)]
        assert call.deadline() is None

    def test_the_next_exchange_releases_what_no_fork_has_taken(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000, 1001), "A"), b"")
        call.apply(call.answer(1, parse(2000, 0), "A", "B"), b"")
        again = call.offer(2, parse(1000, path="x"), "A", "B")
        call.apply(again, b"")
        assert again.released == ()
        assert call.answer(3, parse(2000), "A", "B").released == (1,)

    def test_a_new_offer_replaces_the_pending_one_of_its_side(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.apply(chat.offer(2, parse(1000, 1001, path="a"), "A", "B"), b"")
        second = chat.offer(3, parse(1000, 0, 1002, path="a"), "A", "B")
        assert second.released == (1,)
        chat.apply(second, b"")
        assert chat.pending("a") is second.message.description

    def test_an_answer_must_keep_the_transport(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        refused = call.answer(1, parse(2000, tls=True), "A", "B")
        assert refused.reason == "answer changes TCP/MSRP to TCP/TLS/MSRP"

    def test_sections_over_tls_are_not_ours(self, call: Any, parse: Callable[..., Any]) -> None:
        assert call.offer(0, parse(1000, tls=True), "A").sections == ()


class TestForks:
    def test_a_late_200_with_another_path_moves_the_answerer(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        late = chat.answer(2, parse(2001, path="b2"), "A", "B")
        assert (late.again, changes(late)) == (True, [(0, "changed", "b")])
        chat.apply(late, b"later to A")
        assert chat.committed.of("b").sections[0].port == 2001
        assert chat.answer(3, parse(2001, path="b2"), "A", "B").reply == b"later to A"

    def test_the_last_fork_to_answer_wins(self, chat: Any, parse: Callable[..., Any]) -> None:
        chat.apply(chat.answer(2, parse(2001, path="c"), "A", "C"), b"")
        again = chat.answer(3, parse(2000, path="b"), "A", "B")
        assert (again.message.tag, changes(again)) == ("B", [(0, "changed", "b")])

    def test_a_section_the_fork_before_had_refused_is_new(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        call.apply(call.answer(1, parse(0), "A", "B"), b"")
        again = call.answer(2, parse(2000), "A", "C")
        assert (again.again, changes(again)) == (True, [(0, "new", "ab")])

    def test_the_delete_of_a_fork_that_lost_leaves_the_winner(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.apply(chat.answer(2, parse(2001, path="c"), "A", "C"), b"")
        assert kind(chat.delete("A", "B")) == "Refused"
        assert kind(chat.delete("B")) == "Refused"
        assert chat.delete("A", "C").reason == "deleted"

    def test_an_initial_offer_may_come_again_under_a_new_tag(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000), "A1"), b"")
        retry = call.offer(1, parse(1000), "A2")
        call.apply(retry, b"")
        assert (retry.side, call.side_of("A2")) == ("a", "a")
        assert kind(call.delete("A1")) == "Refused"
        assert kind(call.answer(2, parse(2000), "A2", "B")) == "Committed"

    def test_tags_of_a_call_are_bounded(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        for number in range(63):
            call.apply(call.answer(1, parse(2000, path=str(number)), "A", f"B{number}"), b"")
        assert kind(call.answer(2, parse(2000), "A", "B63")) == "Refused"
        assert kind(call.answer(2, parse(2000), "A", "B0")) == "Committed"


class TestGlare:
    @pytest.fixture
    def crossed(self, chat: Any, parse: Callable[..., Any]) -> Any:
        chat.apply(chat.offer(2, parse(1000, 1001, path="a"), "A", "B"), b"")
        chat.apply(chat.offer(2, parse(2000, 2001, path="b"), "B", "A"), b"")
        return chat

    def test_both_offers_wait(self, crossed: Any) -> None:
        assert {crossed.pending("a").sections[1].port, crossed.pending("b").sections[1].port} == {
            1001,
            2001,
        }

    def test_two_rejections_and_their_deletes_leave_the_call(self, crossed: Any) -> None:
        first, second = crossed.delete("A"), crossed.delete("B")
        assert (kind(first), first.released) == ("RolledBack", ())
        assert (kind(second), second.released) == ("RolledBack", (1,))
        assert crossed.delete("A").reason == "deleted"

    def test_the_answer_to_one_leaves_the_other_waiting(
        self, crossed: Any, parse: Callable[..., Any]
    ) -> None:
        crossed.apply(crossed.answer(3, parse(2000, 2001, path="b"), "A", "B"), b"")
        assert (crossed.pending("a"), crossed.pending("b") is not None) == (None, True)

    def test_what_the_other_offer_wants_is_not_released(
        self, crossed: Any, parse: Callable[..., Any]
    ) -> None:
        committed = crossed.answer(3, parse(2000, 0, path="b"), "A", "B")
        assert (changes(committed)[1], committed.released) == ((1, "closed", ""), ())


class TestDelete:
    def test_of_a_call_never_answered(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        assert call.delete("A").reason == "deleted"
        assert (call.ended, call.deadline()) == (True, None)

    def test_of_an_answered_call(self, chat: Any) -> None:
        assert chat.delete("B").reason == "deleted"

    def test_without_tags_means_the_whole_call(self, chat: Any) -> None:
        assert chat.delete().reason == "deleted"

    def test_by_a_stranger_is_refused(self, chat: Any) -> None:
        assert chat.delete("X").reason == "Call-ID not found or tags didn't match"

    def test_in_a_failure_route_rolls_back_and_condemns(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        before = chat.committed
        chat.apply(chat.offer(2, parse(1000, 1001, path="a"), "A", "B"), b"")
        rolled_back = chat.delete("A")
        assert (rolled_back.side, rolled_back.released) == ("a", (1,))
        assert (chat.condemned, chat.committed, chat.pending("a")) == (True, before, None)
        assert chat.delete("A").reason == "deleted"

    def test_by_the_other_side_ends_the_call_while_an_offer_waits(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.apply(chat.offer(2, parse(1001), "A", "B"), b"")
        assert chat.delete("B").reason == "deleted"

    @pytest.mark.parametrize("event", ["offer", "answer"])
    def test_the_mark_is_cleared_by_the_next_message(
        self, chat: Any, parse: Callable[..., Any], event: str
    ) -> None:
        chat.apply(chat.offer(2, parse(1001), "A", "B"), b"")
        chat.delete("A")
        chat.apply(getattr(chat, event)(3, parse(3000), "A", "B"), b"")
        assert not chat.condemned

    def test_after_the_end_everything_is_unknown(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        chat.delete()
        assert chat.offer(3, parse(1), "A").reason == "Unknown call-id"
        assert chat.answer(3, parse(1), "A", "B").reason == "Unknown call-id"
        assert kind(chat.delete()) == "Refused"


class TestRollback:
    def test_drops_the_offer_of_its_tag_alone(self, chat: Any, parse: Callable[..., Any]) -> None:
        chat.apply(chat.offer(2, parse(1001), "A", "B"), b"")
        assert kind(chat.rollback("B")) == "Refused"
        assert kind(chat.rollback("A")) == "RolledBack"
        assert not chat.condemned

    def test_of_the_initial_offer_ends_the_call(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        assert call.rollback("A").reason == "rolled-back"


class TestTimeout:
    def test_an_initial_offer_ends_after_200_seconds(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(1000, parse(1000), "A"), b"")
        assert (call.deadline(), call.expire(1199.9)) == (1200, [])
        (ended,) = call.expire(1200)
        assert ended.reason == "offer-timeout"

    def test_a_reoffer_is_rolled_back(self, chat: Any, parse: Callable[..., Any]) -> None:
        chat.apply(chat.offer(1000, parse(1000, 1001, path="a"), "A", "B"), b"")
        (rolled_back,) = chat.expire(1200)
        assert (rolled_back.side, rolled_back.released) == ("a", (1,))
        assert (chat.ended, chat.deadline()) == (False, None)

    def test_a_repeat_does_not_prolong_it(self, call: Any, parse: Callable[..., Any]) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        call.offer(199, parse(1000), "A")
        assert call.deadline() == 200

    def test_two_offers_that_were_never_answered_end_the_call_once(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000), "A"), b"")
        call.apply(call.offer(0, parse(2000), "B", "A"), b"")
        assert [kind(decision) for decision in call.expire(200)] == ["RolledBack", "Ended"]


class TestStrangers:
    def test_an_offer_with_tags_of_another_call(self, chat: Any, parse: Callable[..., Any]) -> None:
        assert chat.offer(2, parse(1), "X", "Y").reason == "Invalid dialogue association"
        assert chat.offer(2, parse(1), "X").reason == "Invalid dialogue association"

    def test_an_offer_from_a_new_tag_to_a_known_one_is_the_other_sides(
        self, chat: Any, parse: Callable[..., Any]
    ) -> None:
        assert chat.offer(2, parse(1), "C", "A").side == "b"

    def test_a_first_offer_may_already_have_both_tags(
        self, call: Any, parse: Callable[..., Any]
    ) -> None:
        call.apply(call.offer(0, parse(1000), "B", "A"), b"")
        assert (call.side_of("B"), call.side_of("A")) == ("a", "b")

    @pytest.mark.parametrize(
        ("from_tag", "to_tag"), [("X", "Y"), ("B", "A")], ids=["unknown-tags", "nothing-offered"]
    )
    def test_an_answer_to_nothing(
        self, chat: Any, parse: Callable[..., Any], from_tag: str, to_tag: str
    ) -> None:
        refused = chat.answer(2, parse(1), from_tag, to_tag)
        assert refused.reason == "Invalid dialogue association"

    def test_an_answer_before_any_offer(self, call: Any, parse: Callable[..., Any]) -> None:
        assert kind(call.answer(0, parse(1), "A", "B")) == "Refused"
