//! From decisions to sockets.

use msrp_proto::Rewriter;
use msrp_proto::session::{Input, LegReason, NoticeKind, Output, Policy, Side, Stage};

use super::{End, Pair};
use crate::board::LegState;
use crate::leg::Leg;
use crate::mover::Direction;
use crate::ring::RingWhat;
use crate::thread::Thread;

impl Pair {
    /// Tells the session what happened and does what follows.
    pub(super) fn feed(&mut self, input: Input, thread: &mut Thread) {
        self.changed = true;
        let asked = Side::BOTH.map(|side| self.life.is_asked(side));
        self.life.handle(input, thread.now);
        // Before anybody can notice: who is told looks at once.
        if !self.over {
            self.board.set_course(self.life.stage(), self.life.ending());
        }
        while let Some(output) = self.life.poll() {
            self.carry_out(output, thread);
        }
        for side in Side::BOTH {
            if asked[side.index()] && !self.life.is_asked(side) {
                self.hear_all(side, thread);
            }
        }
    }

    fn carry_out(&mut self, output: Output, thread: &mut Thread) {
        match output {
            Output::Abort => {
                self.abort(thread);
                self.listen_again(thread);
            }
            Output::CancelDial(side) => self.cancel_dial(side, thread),
            Output::Close => {
                self.close_legs(thread);
                // The descriptors that are free now are enough for it.
                self.listen_again(thread);
            }
            Output::CloseListener(side) => {
                self.end(side).close_listener(thread);
                self.leave_doors();
            }
            Output::Dial(side) => self.dial(side, thread),
            Output::Drop(side) => {
                self.end(side).drop_leg(thread);
                self.board.leg(side).set_state(LegState::Listening);
            }
            Output::Join => self.join(thread),
            Output::Listen(side) => self.listen(side, thread),
            Output::Notify(notice) => self.notify(notice, thread),
            Output::Part => self.part(thread),
            Output::Replace(side) => self.replace(side, thread),
            Output::SendBind(side) => self.send_bind(side, thread),
            Output::ShutdownWrite(side) => self.shutdown_write(side, thread),
            Output::Vacate(side) => self.vacate(side, thread),
        }
    }

    fn join(&mut self, thread: &mut Thread) {
        let [rewriter_a, rewriter_b] = self.rewriters(thread);
        let direction = |side: Side, rewriter| Direction::new(side, rewriter, thread.now);
        let mut directions = [direction(Side::A, rewriter_a), direction(Side::B, rewriter_b)];
        if let [End { leg: Some(a), .. }, End { leg: Some(b), .. }] = &self.ends {
            directions[0].between(a, b);
            directions[1].between(b, a);
        }
        self.directions = Some(Box::new(directions));
        for side in Side::BOTH {
            self.board.leg(side).set_state(LegState::Joined);
        }
        self.leave_doors();
        thread.counters.joined(1);
        // Its turn comes when the outputs before and behind this one are carried out.
        self.queue(thread);
    }

    fn rewriters(&self, thread: &Thread) -> [Option<Rewriter>; 2] {
        if self.policy != Policy::Aware {
            return [None, None];
        }
        self.paths().map(|paths| Some(thread.config.rewriter(paths, None)))
    }

    fn shutdown_write(&mut self, side: Side, thread: &Thread) {
        if let Some(leg) = &mut self.end(side).leg {
            leg.fin();
        }
        self.board.event(thread.now, Some(side), RingWhat::FinSent, 0);
        for side in Side::BOTH {
            self.board.leg(side).set_state(LegState::Draining);
        }
    }

    fn abort(&mut self, thread: &Thread) {
        for side in Side::BOTH {
            if self.end(side).leg.is_some() {
                self.board.leg(side).set_reason(LegReason::Aborted);
                self.board.event(thread.now, Some(side), RingWhat::Aborted, 0);
            }
        }
        self.end_all(thread, Leg::reset);
    }

    /// Everything has been handed on. First it is written down: a successor that found one of the
    /// connections gone would take it for lost, and reset the other, whose peer may still be reading.
    fn close_legs(&mut self, thread: &Thread) {
        if self.life.stage() == Stage::Reconnecting {
            let legs = Side::BOTH.map(|side| self.end(side).leg.take());
            self.drop_directions();
            legs.into_iter().flatten().for_each(|leg| leg.close(thread));
        } else {
            self.record = None;
        }
        self.end_all(thread, Leg::close);
    }

    /// Lets go of everything; legs in the manner of `last`.
    fn end_all(&mut self, thread: &Thread, last: fn(Leg, &Thread)) {
        let again = self.life.stage() == Stage::Reconnecting;
        for side in Side::BOTH {
            let end = self.end(side);
            if again {
                end.shut_all_but_door(thread);
            } else {
                end.shut(thread);
            }
            if let Some(leg) = end.leg.take() {
                last(leg, thread);
            }
            let state = if again { LegState::Listening } else { LegState::Closed };
            self.board.leg(side).set_state(state);
        }
        self.drop_directions();
        self.parting = false;
    }

    /// The only way to let go of both directions. Room that they hold is claimed until the record
    /// says that nothing is joined, or is gone: see `mover::settle`.
    fn drop_directions(&mut self) {
        let directions = self.directions.take();
        if self.life.stage() == Stage::Closed {
            self.record = None;
        } else if directions.is_some() {
            self.write_down();
        }
    }

    fn notify(&mut self, notice: NoticeKind, thread: &mut Thread) {
        let mut failure = None;
        match notice {
            NoticeKind::Bound(side) => {
                if self.directions.is_none() {
                    self.board.leg(side).set_state(LegState::Bound);
                }
                self.board.event(thread.now, Some(side), RingWhat::Bound, 0);
            }
            NoticeKind::Joined => self.board.event(thread.now, None, RingWhat::Joined, 0),
            NoticeKind::DialFailed(side) => {
                if self.end(side).leg.is_none() {
                    self.board.leg(side).set_state(LegState::Listening);
                }
                failure = self.dial_failure(side, thread);
                if failure.is_none() {
                    // Connected, but of no use.
                    self.board.event(thread.now, Some(side), RingWhat::DialFailed, 0);
                }
            }
            NoticeKind::AnswerIgnored(_) => self.leave_doors(),
            NoticeKind::LegLost(..) | NoticeKind::Renewed(_) => {}
            NoticeKind::Reconnecting(reason) => {
                self.board.event(thread.now, reason.side(), RingWhat::Reconnecting, 0);
            }
            NoticeKind::Closed(reason) => {
                self.over = true;
                self.board.set_course(self.life.stage(), Some(reason));
                self.board.event(thread.now, reason.side(), RingWhat::Closed, 0);
                thread.counters.closed(reason);
            }
        }
        thread.notify(self.id, notice, failure);
    }
}
