//! A direction and the budget: smaller buffers before it stalls, a share while it is stalled.

use super::Turn;
use super::lane::Lane;
use crate::budget::{Credit, SLOW};
use crate::leg::Leg;
use crate::thread::Thread;

impl Lane {
    /// Before bytes are moved.
    pub(super) fn save(&mut self, from: &mut Leg, turn: &mut Turn<'_>) {
        if turn.to.is_writable() {
            self.judge(turn.thread);
        }
        let halvings = turn.thread.budget.halvings(self.credit);
        // Only ever smaller here, so that caps do not change with every message.
        if from.is_born() || turn.to.sends_beyond(halvings, turn.thread) {
            self.fit(from, turn.to, turn.thread);
        }
    }

    /// After bytes were moved, as far as they could.
    pub(super) fn pay(&mut self, from: &mut Leg, turn: &mut Turn<'_>) {
        if self.credit.matures(turn.thread.budget.trusted_after()) {
            self.fit(from, turn.to, turn.thread);
        }
        match (self.pays(), &self.share) {
            (true, None) => self.take_share(from, turn),
            (false, Some(_)) => self.share = None,
            _ => {}
        }
    }

    /// Time has passed.
    pub(super) fn review(&mut self, from: &mut Leg, to: &mut Leg, thread: &mut Thread) {
        self.judge(thread);
        self.fit(from, to, thread);
        if !self.pays() {
            self.share = None;
        }
        let kept = self.kept();
        if let (Some(share), Ok(held)) = (&mut self.share, to.holds(from, thread)) {
            share.set(held + kept);
        }
        thread.budget.shrunk |= from.is_shrunk(thread) || to.is_shrunk(thread);
    }

    /// Not only while it is stalled: many that are filled in step stall all at once.
    pub(super) fn pays(&self) -> bool {
        self.is_stalled() || self.credit.is_due()
    }

    /// Whoever has taken nothing for long loses its credit. With nothing to take, only the claim
    /// to it.
    fn judge(&mut self, thread: &Thread) {
        let rests = thread.now.saturating_duration_since(self.moved) >= SLOW;
        if rests && (self.is_stalled() || self.credit.is_due()) {
            self.credit = Credit::default();
        }
    }

    fn fit(&self, from: &mut Leg, to: &mut Leg, thread: &mut Thread) {
        let halvings = thread.budget.halvings(self.credit);
        to.fit_send(halvings, thread);
        from.fit_receive(halvings, thread);
    }

    fn take_share(&mut self, from: &mut Leg, turn: &mut Turn<'_>) {
        let halvings = turn.thread.budget.halvings(self.credit);
        let held = if halvings > 0 {
            from.fit_receive(halvings, turn.thread);
            turn.to.holds(from, turn.thread).ok()
        } else {
            None
        };
        let held = held.unwrap_or_else(|| turn.to.may_hold(from, turn.thread));
        self.share = Some(turn.thread.budget.share(held + self.kept()));
    }
}
