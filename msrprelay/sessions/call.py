# cython: annotation_typing=False
"""A call: the SIP dialog that sessions belong to, with its branches."""

from __future__ import annotations

from collections.abc import Callable

from ..commands import SdpRequest
from ..offer_answer.saved import octets, text
from .branch import Branch
from .saved import SavedCall
from .section import Section

# Branches that are remembered after they have left, of one call.
MOST_LEFT = 64


class Call:
    """One call-id. ``created`` is wall-clock seconds, for reports; ``over`` why it has ended."""

    def __init__(self, call_id: str, created: float, over: str | None = None) -> None:
        self.call_id = call_id
        self.created = created
        self.branches: dict[str | None, Branch] = {}
        # Those that have left, the last ones: what still comes for them means no other branch.
        self.left: dict[str, None] = {}
        self.labels: dict[str, str] = {}
        self.metadata: str | None = None
        # Wall-clock seconds of the last command about it.
        self.signalled = 0.0
        # Sections the call no longer has: those the engine has not closed yet, and all of them, so
        # that an ended call can still be explained.
        self.leaving: list[Section] = []
        self.past: list[Section] = []
        # When the call ends unless something happens; seconds of the monotonic clock.
        self.expires: float | None = None
        # When it ends whatever happens.
        self.final: float | None = None
        self.over = over
        # When its timer is due, and what cancels it.
        self.armed: float | None = None
        self.cancel_timer: Callable[[], None] | None = None

    def enter(self, key: str | None, branch: Branch) -> None:
        """Take a branch in."""
        self.branches[key] = branch
        if key is not None:
            self.left.pop(key, None)

    def leave(self, key: str | None) -> Branch:
        """Let a branch go."""
        if key is not None:
            self.left[key] = None
            if len(self.left) > MOST_LEFT:
                del self.left[next(iter(self.left))]
        return self.branches.pop(key)

    def meant(self, via_branch: str | None) -> list[str | None]:
        """The branches a message is about: the one it names, or any that knows its tags.

        A BYE has a via-branch of its own; one of a fork that has left is about no other.
        """
        if via_branch in self.branches:
            return [via_branch]
        return [] if via_branch in self.left else list(self.branches)

    def unanswered(self) -> list[str | None]:
        """The branches without an answer."""
        return [key for key, each in self.branches.items() if each.negotiation().committed is None]

    def sections(self) -> list[Section]:
        """Every section of every branch."""
        return [each for branch in self.branches.values() for each in branch.sections.values()]

    def condemned(self) -> list[Branch]:
        """Its branches where a delete was taken for a rollback, and may have been a BYE's."""
        found = []
        for branch in self.branches.values():
            if branch.negotiation().condemned:
                found.append(branch)
        return found

    def spent(self) -> bool:
        """Whether nothing is relayed, and no offer waits that could change it."""
        for branch in self.branches.values():
            if branch.deadline() is not None:
                return False
            for section in branch.sections.values():
                if not section.over:
                    return False
        return True

    def dialog(self) -> tuple[str, str] | None:
        """The tags of the SIP dialog, if an offer has been answered."""
        for branch in self.branches.values():
            tags = branch.negotiation().answered_tags()
            if tags is not None:
                return tags
        return None

    def branch_of(self, request: SdpRequest) -> Branch | None:
        """The branch a message belongs to; None: an offer of a branch not seen before.

        A re-INVITE has a via-branch of its own: its tags name the dialog. Forks share the caller's.
        """
        dialog = self._dialog_of(request)
        if dialog is not None:
            return dialog
        for branch in self.branches.values():
            committed = branch.negotiation().committed is not None
            if committed and branch.negotiation().side_of(request.to_tag) is not None:
                return branch
        if request.via_branch in self.branches:
            return self.branches[request.via_branch]
        return None

    def branch_to_answer(self, request: SdpRequest) -> Branch | None:
        """The branch whose offer this answers.

        The via-branch of a re-INVITE may have been a fork's that never answered: both tags of a
        dialog come before it.
        """
        dialog = self._dialog_of(request)
        if dialog is not None:
            return dialog
        if request.via_branch in self.branches:
            return self.branches[request.via_branch]
        if request.via_branch in self.left:
            return None
        idle = None
        for branch in self.branches.values():
            said = branch.negotiation()
            knows = said.side_of(request.from_tag) or said.side_of(request.to_tag)
            if knows and said.deadline() is not None:
                return branch
            if knows and idle is None:
                idle = branch
        return idle

    def _dialog_of(self, request: SdpRequest) -> Branch | None:
        """The answered branch that knows both tags."""
        for branch in self.branches.values():
            said = branch.negotiation()
            if (
                said.committed is not None
                and said.side_of(request.from_tag) is not None
                and said.side_of(request.to_tag) is not None
            ):
                return branch
        return None

    def deadline(self) -> float | None:
        """When the call's timer has something to do."""
        first = earlier(self.expires, self.final)
        for branch in self.branches.values():
            first = earlier(first, branch.deadline())
        return first

    def saved(self) -> SavedCall:
        """Everything about a call that has not ended, as plain data."""
        gone = [*self.past, *(each for each in self.leaving if each not in self.past)]
        return SavedCall(
            octets(self.call_id),
            self.created,
            self.signalled,
            self.expires,
            self.final,
            None if self.metadata is None else octets(self.metadata),
            {octets(tag): octets(label) for tag, label in self.labels.items()},
            [branch.saved(key) for key, branch in self.branches.items()],
            [section.saved() for section in gone],
            [gone.index(section) for section in self.past],
            [gone.index(section) for section in self.leaving],
            [octets(key) for key in self.left],
        )

    @classmethod
    def restored(cls, saved: SavedCall, shift: float) -> Call:
        """The call that was saved, ``shift`` seconds later, without its branches and sections."""
        call = cls(text(saved.call_id), saved.created)
        call.labels = {text(tag): text(label) for tag, label in saved.labels.items()}
        call.metadata = None if saved.metadata is None else text(saved.metadata)
        call.left = dict.fromkeys(map(text, saved.left))
        call.signalled = saved.signalled
        call.expires = None if saved.expires is None else saved.expires + shift
        call.final = None if saved.final is None else saved.final + shift
        return call


def earlier(one: float | None, other: float | None) -> float | None:
    """The first of two moments that may never come."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
