//! Bytes on their way between the legs of a joined session.

use msrp_proto::Moment;
use msrp_proto::session::{Input, Policy, Side, Stage};

use super::{End, Pair};
use crate::leg::Leg;
use crate::mover::{Direction, Moved, Turn};
use crate::sys::cache::prefetch;
use crate::thread::Thread;

impl Pair {
    /// What a message that has come will need of the session is soon at hand.
    pub(crate) fn prefetch(&self) {
        let Some(directions) = &self.directions else { return };
        prefetch(self);
        prefetch(&*self.board);
        prefetch(&**directions);
        directions.iter().for_each(Direction::prefetch);
        if self.policy == Policy::Aware {
            self.ends.iter().for_each(|end| prefetch(end.paths.text()));
        }
    }

    /// Moves what can be moved, or goes on with ending.
    pub(super) fn go_on(&mut self, thread: &mut Thread) {
        // First: whoever continues must know between whom bytes have moved.
        self.write_changes();
        if self.parting {
            return self.part_on(thread);
        }
        if self.paused || self.pauses(thread.now).is_some() {
            return;
        }
        if let (Some(vacant), true) = (self.vacant(), self.directions.is_some()) {
            self.flush_towards(vacant.other(), thread);
            return self.take_over(thread);
        }
        self.turns(thread);
        self.measure(thread);
    }

    /// Until when nothing is read, for the session has carried too much for the time. Its end has
    /// bounds of its own: what is on its way then must not wait beyond them.
    pub(super) fn pauses(&self, now: Moment) -> Option<Moment> {
        let meter = self.meter.as_ref().filter(|_| self.life.stage() == Stage::Joined)?;
        meter.pauses(now)
    }

    fn measure(&mut self, thread: &mut Thread) {
        if let (Some(meter), true) = (&mut self.meter, self.directions.is_some())
            && !meter.count(self.board.bytes(), thread.now)
        {
            self.feed(Input::Spent, thread);
        }
    }

    fn turns(&mut self, thread: &mut Thread) {
        // Twice: an answer of the relay's own may have come up for a direction that had its turn.
        for side in Side::BOTH.into_iter().chain(Side::BOTH) {
            match self.turn(side, thread) {
                None => return,
                Some(Moved::Waits) => {}
                Some(Moved::More) => self.queue(thread),
                Some(Moved::Fin { whole }) => return self.fin(side, whole, thread),
                Some(Moved::Broken(side, how)) => return self.lost(side, how, thread),
            }
        }
        if self.may_go_on() {
            self.queue(thread);
        }
        self.take_over(thread);
    }

    fn may_go_on(&self) -> bool {
        let (Some(directions), [End { leg: Some(a), .. }, End { leg: Some(b), .. }]) =
            (&self.directions, &self.ends)
        else {
            return false;
        };
        let [from_a, from_b] = &**directions;
        from_a.may_go_on(a, from_b) || from_b.may_go_on(b, from_a)
    }

    /// One turn of the direction from `side`; `None` where there is none.
    fn turn(&mut self, side: Side, thread: &mut Thread) -> Option<Moved> {
        let [from_a, from_b] = &mut **self.directions.as_mut()?;
        let (direction, back) = if side == Side::A { (from_a, from_b) } else { (from_b, from_a) };
        let [a, b] = &mut self.ends;
        let (from, to) = if side == Side::A { (a, b) } else { (b, a) };
        let (from, to) = (from.leg.as_mut()?, to.leg.as_mut()?);
        if direction.is_at_rest(from, back) {
            return Some(Moved::Waits);
        }
        let tokens = [from.token(), to.token()];
        let record = self.record.as_deref_mut();
        Some(direction.turn(
            from,
            &mut Turn { to, board: &self.board, record, tokens, thread },
            back,
        ))
    }

    /// What a record calls the connections of the direction towards this side; 0: there is none.
    pub(super) fn tokens_towards(&self, side: Side) -> [u32; 2] {
        [side.other(), side].map(|side| self.ends[side.index()].leg.as_ref().map_or(0, Leg::token))
    }
}
