//! Ending the connections of a session politely.
//!
//! A close(2) with unread input resets the connection and destroys what was sent to the peer and
//! has not arrived. So each leg gets what was read for it, then FIN, and its input is read away
//! until its peer's FIN. Who takes too long is reset when the grace is over.

use msrp_proto::session::{Input, LegReason, Side};

use super::Pair;
use crate::board::LegState;
use crate::leg::{Leg, Received};
use crate::mover::{Direction, Turn};
use crate::ring::RingWhat;
use crate::thread::Thread;

/// Reads of one leg per turn.
const ROUNDS: usize = 8;

impl Pair {
    pub(super) fn part(&mut self, thread: &mut Thread) {
        self.parting = true;
        for side in Side::BOTH {
            let end = self.end(side);
            end.shut(thread);
            if end.leg.is_some() {
                self.board.leg(side).set_reason(LegReason::Ended);
                self.board.leg(side).set_state(LegState::Draining);
            } else {
                self.board.leg(side).set_state(LegState::Closed);
            }
        }
        // Not at once: the outputs behind this one come first.
        self.queue(thread);
    }

    pub(super) fn part_on(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            if self.drained(side, thread) {
                self.end_leg(side, thread);
            }
        }
        if self.ends.iter().all(|end| end.leg.is_none()) {
            self.feed(Input::Parted, thread);
        }
    }

    /// Everything that was read for this side has been written.
    fn drained(&mut self, side: Side, thread: &mut Thread) -> bool {
        let tokens = self.tokens_towards(side);
        let Some(directions) = &mut self.directions else { return true };
        let Some(to) = &mut self.ends[side.index()].leg else { return true };
        let direction = &mut directions[side.other().index()];
        let record = self.record.as_deref_mut();
        direction.finish_sending(&mut Turn { to, board: &self.board, record, tokens, thread })
    }

    /// FIN, then its input away; lets go of it when its peer has ended too.
    fn end_leg(&mut self, side: Side, thread: &mut Thread) {
        let direction =
            self.directions.as_ref().map(|directions| &directions[side.other().index()]);
        let cut = direction.is_some_and(Direction::cuts_chunk);
        let end = &mut self.ends[side.index()];
        let Some(leg) = &mut end.leg else { return };
        if cut && !leg.has_sent_fin() {
            self.board.event(thread.now, Some(side), RingWhat::Aborted, 0);
            self.board.leg(side).set_state(LegState::Closed);
            if let Some(leg) = end.leg.take() {
                leg.reset(thread);
            }
            return;
        }
        if !leg.has_sent_fin() {
            leg.fin();
            self.board.event(thread.now, Some(side), RingWhat::FinSent, 0);
        }
        match read_away(leg, thread) {
            Away::Waits => {}
            Away::More => self.queue(thread),
            Away::Ended => {
                self.board.leg(side).set_state(LegState::Closed);
                if let Some(leg) = end.leg.take() {
                    leg.close(thread);
                }
            }
        }
    }
}

enum Away {
    Waits,
    More,
    Ended,
}

fn read_away(leg: &mut Leg, thread: &mut Thread) -> Away {
    let mut buffer = thread.buffers.lease();
    let mut outcome = Away::More;
    for _ in 0..ROUNDS {
        if !leg.is_readable() {
            outcome = Away::Waits;
            break;
        }
        match leg.recv(&mut buffer.input) {
            Received::Bytes(_) => {}
            Received::Nothing => {
                outcome = Away::Waits;
                break;
            }
            Received::Fin | Received::Broken(_) => {
                outcome = Away::Ended;
                break;
            }
        }
    }
    thread.buffers.give_back(buffer);
    outcome
}
