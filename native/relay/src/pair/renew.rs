//! A joined leg gets another connection; the other leg keeps its own.

use msrp_proto::PathPair;
use msrp_proto::session::{Input, Side};

use super::Pair;
use super::approach::Fresh;
use crate::board::LegState;
use crate::mover::Turn;
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::thread::Thread;

impl Pair {
    /// The new connection of this side is bound.
    pub(super) fn replace(&mut self, side: Side, thread: &mut Thread) {
        self.end(side).approach().replacing = true;
        // What the old one has sent comes first.
        self.queue(thread);
    }

    /// The old connection of this side is over, the session is not.
    pub(super) fn vacate(&mut self, side: Side, thread: &mut Thread) {
        let tokens = self.tokens_towards(side);
        let Some(directions) = &mut self.directions else { return };
        // First: a successor would give this connection, if it found it, what comes after the gap.
        if let Some(leg) = self.ends[side.index()].leg.take() {
            leg.close(thread);
        }
        directions[side.index()].cut();
        directions[side.other().index()].forsake(tokens, self.record.as_deref_mut(), thread);
        self.board.leg(side).set_state(LegState::Listening);
        self.queue(thread);
    }

    /// Lets a new connection take over where nothing stands in its way.
    pub(super) fn take_over(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            let replacing = |end: &super::End| end.approach.as_ref().is_some_and(|it| it.replacing);
            if replacing(&self.ends[side.index()]) && self.is_between_chunks(side) {
                self.change_over(side, thread);
            }
        }
    }

    /// All that the old connection of this side sent is handed on, and neither direction is inside a
    /// chunk; or it is gone.
    fn is_between_chunks(&self, side: Side) -> bool {
        let (Some(directions), end) = (&self.directions, &self.ends[side.index()]) else {
            return false;
        };
        let Some(leg) = &end.leg else { return true };
        let (from, to) = (&directions[side.index()], &directions[side.other().index()]);
        !leg.is_readable() && from.rests() && to.may_pause()
    }

    fn change_over(&mut self, side: Side, thread: &mut Thread) {
        let key = self.key;
        let end = self.end(side);
        let approach = end.approach();
        approach.replacing = false;
        let Some(fresh) = approach.fresh.take() else { return };
        let Fresh { leg, peer } = *fresh;
        // It came again without having moved where none is named.
        if !approach.path.is_empty() {
            let path = std::mem::take(&mut approach.path);
            end.name(&path);
        }
        if let Some(old) = end.leg.replace(leg) {
            old.close(thread);
        }
        let watched = match &end.leg {
            Some(leg) => thread.poller.rename(leg, Source::Pair(key, Part::Leg(side))).is_ok(),
            None => false,
        };
        if !watched {
            return self.feed(Input::Fault, thread);
        }
        self.board.leg(side).set_peer(peer);
        self.board.leg(side).set_state(LegState::Joined);
        self.board.event(thread.now, Some(side), RingWhat::Renewed, peer.port().into());
        let [paths_a, paths_b] = self.paths();
        let (from, to) = if side == Side::A { (paths_a, paths_b) } else { (paths_b, paths_a) };
        let tokens = self.tokens_towards(side.other());
        if let (Some(directions), Some(leg)) = (&mut self.directions, &self.ends[side.index()].leg)
        {
            let (rewriter, record) =
                (thread.config.rewriter(from, None), self.record.as_deref_mut());
            directions[side.index()].renew(rewriter, leg, tokens, record, thread);
            directions[side.other().index()].redirect(to, leg, thread.now);
        }
        self.queue(thread);
        self.feed(Input::Replaced(side), thread);
        self.leave_doors();
    }

    /// The paths of both directions, from A and from B.
    pub(super) fn paths(&self) -> [PathPair; 2] {
        let [a, b] = &self.ends;
        [PathPair::between(&a.paths, &b.paths), PathPair::between(&b.paths, &a.paths)]
    }

    /// While a side has no connection, what was read from it still goes out, and the other side is
    /// not read.
    pub(super) fn flush_towards(&mut self, side: Side, thread: &mut Thread) {
        let tokens = self.tokens_towards(side);
        let (Some(directions), Some(to)) = (&mut self.directions, &mut self.ends[side.index()].leg)
        else {
            return;
        };
        let record = self.record.as_deref_mut();
        let mut turn = Turn { to, board: &self.board, record, tokens, thread };
        directions[side.other().index()].finish_sending(&mut turn);
    }

    /// A side has no connection although the session is joined.
    pub(super) fn vacant(&self) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| self.ends[side.index()].leg.is_none())
    }
}
