//! Bytes of one direction: one read, one write, as often as there is something to move.
//!
//! Backpressure: while the receiver is full, its sender is not read. What the receiver has not
//! taken stays with the direction, in the buffer or the pipe it was read into.

mod aware;
mod lane;
mod opaque;
mod thrift;

use std::time::Instant;

use msrp_proto::session::{LegReason, Side};
use msrp_proto::{PathPair, Rewriter};

use aware::Aware;
use lane::{Flow, Lane};
use opaque::Pace;

use crate::board::Board;
use crate::leg::Leg;
use crate::thread::Thread;

/// One direction of a joined session.
#[derive(Debug)]
pub(crate) struct Direction {
    lane: Lane,
    manner: Manner,
}

/// What happens to the bytes.
#[derive(Debug)]
enum Manner {
    Opaque(Pace),
    Aware(Box<Aware>),
}

/// Where a direction stands after a turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moved {
    /// An event will tell when to go on.
    Waits,
    /// Its rounds are used up.
    More,
    /// The sender's FIN, everything before it is handed on. `whole`: it cuts no chunk.
    Fin { whole: bool },
    /// This side's connection is of no use any more.
    Broken(Side, LegReason),
}

/// Reads per turn, so that one busy session does not keep the others waiting.
const ROUNDS: usize = 8;

/// What moving needs beside the direction itself.
pub(crate) struct Turn<'a> {
    pub(crate) to: &'a mut Leg,
    pub(crate) board: &'a Board,
    pub(crate) thread: &'a mut Thread,
}

impl Direction {
    /// Aware with a rewriter, else opaque. `early`: what was read from the sender before the join.
    pub(crate) fn new(
        from: Side,
        rewriter: Option<Rewriter>,
        early: Vec<u8>,
        thread: &mut Thread,
    ) -> Self {
        let mut lane = Lane::new(from, thread.now);
        let manner = match rewriter {
            Some(rewriter) => Manner::Aware(Box::new(Aware::new(rewriter, early))),
            None => {
                lane.queue(early, thread);
                Manner::Opaque(Pace::Copying)
            }
        };
        Self { lane, manner }
    }

    /// Moves what can be moved. `back` takes the relay's own answers to the sender.
    pub(crate) fn turn(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Moved {
        self.lane.save(from, turn);
        let moved = self.rounds(from, turn, back);
        self.lane.settle(from, turn);
        moved
    }

    /// Keeps buffers and the share in the budget in step with how the direction stands.
    pub(crate) fn review(&mut self, from: &mut Leg, to: &mut Leg, thread: &mut Thread) {
        self.lane.review(from, to, thread);
    }

    fn rounds(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Moved {
        for _ in 0..ROUNDS {
            if let Some(stop) = self.flush(turn).or_else(|| self.end()) {
                return stop;
            }
            if !self.may_read(from, back) {
                return Moved::Waits;
            }
            if let Some(stop) = self.step(from, turn, back) {
                return stop;
            }
        }
        Moved::More
    }

    fn may_read(&self, from: &Leg, back: &Self) -> bool {
        match (&self.manner, &back.manner) {
            (Manner::Aware(aware), _) if aware.fresh => true,
            (_, Manner::Aware(behind)) if behind.is_full(&back.lane) => false,
            _ => from.is_readable(),
        }
    }

    fn step(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Option<Moved> {
        match (&mut self.manner, &mut back.manner) {
            (Manner::Aware(aware), Manner::Aware(behind)) => {
                aware.step(&mut self.lane, from, turn, &mut behind.own)
            }
            (Manner::Aware(aware), Manner::Opaque(_)) => {
                aware.step(&mut self.lane, from, turn, &mut Vec::new())
            }
            (Manner::Opaque(pace), _) => pace.step(&mut self.lane, from, turn),
        }
    }

    /// Sends what the receiver did not take before, then frames of the relay's own.
    fn flush(&mut self, turn: &mut Turn<'_>) -> Option<Moved> {
        let stop = self.lane.flush(turn);
        match &mut self.manner {
            Manner::Aware(aware) if stop.is_none() => aware.flush_own(&mut self.lane, turn),
            _ => stop,
        }
    }

    /// After the sender's FIN, once nothing is left to send.
    fn end(&mut self) -> Option<Moved> {
        match (self.lane.flow, &mut self.manner) {
            (Flow::Open, _) => None,
            (Flow::Ended, manner) => {
                if let Manner::Aware(aware) = manner {
                    // The receiver has our FIN: what we would still answer cannot be said.
                    aware.own = Vec::new();
                }
                Some(Moved::Waits)
            }
            (Flow::Ending, manner) => {
                self.lane.flow = Flow::Ended;
                let whole = match manner {
                    Manner::Aware(aware) => aware.is_whole(),
                    Manner::Opaque(_) => true,
                };
                Some(Moved::Fin { whole })
            }
        }
    }

    /// Sends what is left and nothing new, for a session that is being ended: true when done.
    pub(crate) fn drain(&mut self, turn: &mut Turn<'_>) -> bool {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.drop_undecided();
        }
        self.flush(turn) != Some(Moved::Waits)
    }

    /// The sender is in no chunk, and all it sent is handed on.
    pub(crate) fn rests(&self) -> bool {
        let inside = matches!(&self.manner, Manner::Aware(aware) if aware.is_inside());
        !inside && self.may_pause()
    }

    /// The receiver is in no chunk and has taken all.
    pub(crate) fn may_pause(&self) -> bool {
        !self.cuts_chunk() && !self.lane.is_stalled()
    }

    /// The sender is gone and another will come: a chunk it cut is closed for the receiver.
    pub(crate) fn cut(&mut self) {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.cut();
        }
    }

    /// The receiver is gone and another will come: what was on its way to it is lost, and so is the
    /// rest of the chunk it was in.
    pub(crate) fn forsake(&mut self, thread: &mut Thread) {
        self.lane.drop_unsent(thread);
        if let Manner::Aware(aware) = &mut self.manner {
            aware.forsake();
        }
    }

    /// Another connection of the sender. `early`: what was read from it already.
    pub(crate) fn renew(&mut self, rewriter: Rewriter, early: Vec<u8>, now: Instant) {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.renew(rewriter, early);
        }
        (self.lane.flow, self.lane.moved) = (Flow::Open, now);
    }

    /// Another connection of the receiver, which has another path.
    pub(crate) fn redirect(&mut self, paths: PathPair, now: Instant) {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.redirect(paths);
        }
        self.lane.moved = now;
    }

    /// The receiver is inside a chunk: a FIN now would look like its end.
    pub(crate) fn cuts_chunk(&self) -> bool {
        matches!(&self.manner, Manner::Aware(aware) if aware.cuts_chunk())
    }

    /// Since when the sender has been in the middle of a chunk although we are willing to read it.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        let Manner::Aware(aware) = &self.manner else { return None };
        let willing = !self.lane.is_stalled() && self.lane.flow == Flow::Open;
        (willing && aware.is_inside()).then_some(self.lane.moved)
    }

    pub(crate) fn moved(&self) -> Instant {
        self.lane.moved
    }
}
