//! Bytes of one direction: one read, one write, as often as there is something to move.
//!
//! Backpressure: while the receiver is full, its sender is not read. What the receiver has not
//! taken stays with the direction, in the buffer or the pipe it was read into.

mod aware;
mod carry;
mod frames;
mod lane;
mod opaque;
mod settle;
mod thrift;

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Side};
use msrp_proto::{PathPair, Rewriter};

use aware::{Aware, OWN_MAX};
use lane::{Flow, Lane};
use opaque::Pace;
pub(crate) use settle::{Left, Turn};

use crate::leg::Leg;
use crate::sys::cache::prefetch;
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

impl Direction {
    /// Aware with a rewriter, else opaque.
    pub(crate) fn new(from: Side, rewriter: Option<Rewriter>, now: Moment) -> Self {
        let manner = match rewriter {
            Some(rewriter) => Manner::Aware(Box::new(Aware::new(rewriter))),
            None => Manner::Opaque(Pace::Copying),
        };
        Self { lane: Lane::new(from, now), manner }
    }

    /// See [`Pair::prefetch`](crate::pair::Pair::prefetch).
    pub(crate) fn prefetch(&self) {
        if let Manner::Aware(aware) = &self.manner {
            prefetch(&**aware);
        }
    }

    /// Between these connections, from their beginning.
    pub(crate) fn between(&mut self, from: &Leg, to: &Leg) {
        self.lane.begin_from(from);
        self.lane.begin_to(to);
    }

    /// Moves what can be moved. `back`, the opposite direction, takes the relay's own answers to the
    /// sender, and may have some for the receiver.
    pub(crate) fn turn(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Moved {
        self.lane.save(from, turn);
        let moved = self.rounds(from, turn, back);
        self.lane.pay(from, turn);
        moved
    }

    /// There is nothing to do in a turn: what has moved in one direction has nearly always left the
    /// other one so.
    pub(crate) fn is_at_rest(&self, from: &Leg, back: &Self) -> bool {
        let has_frames = match (&self.manner, &back.manner) {
            (Manner::Aware(aware), Manner::Aware(behind)) => {
                aware.has_frames() || behind.has_frames()
            }
            _ => false,
        };
        !from.is_readable() && !has_frames && !self.is_pending() && self.lane.is_at_rest()
    }

    /// There is more to send of what has been read.
    fn is_pending(&self) -> bool {
        matches!(&self.manner, Manner::Aware(aware) if aware.pending)
    }

    /// Keeps buffers and the share in the budget in step with how the direction stands.
    pub(crate) fn review(&mut self, from: &mut Leg, to: &mut Leg, thread: &mut Thread) {
        self.lane.review(from, to, thread);
    }

    fn rounds(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Moved {
        for _ in 0..ROUNDS {
            if let Some(stop) = self.flush(turn, back).or_else(|| self.end()) {
                return stop;
            }
            if !self.may_read(from, back) {
                return Moved::Waits;
            }
            let stop = self.step(from, turn);
            self.settle(turn);
            if let Some(stop) = stop {
                return stop;
            }
            if self.is_at_rest(from, back) {
                return Moved::Waits;
            }
        }
        Moved::More
    }

    /// A turn would bring it on, or its answers, and no event will tell: what has held it up has
    /// gone in a turn of the opposite direction.
    pub(crate) fn may_go_on(&self, from: &Leg, back: &Self) -> bool {
        let Manner::Aware(aware) = &self.manner else { return false };
        let reads =
            !self.lane.is_stalled() && self.lane.flow == Flow::Open && self.may_read(from, back);
        let owes = aware.owes() && back.lane.flow != Flow::Ended && !back.lane.is_stalled();
        reads || owes
    }

    fn may_read(&self, from: &Leg, back: &Self) -> bool {
        match (&self.manner, &back.manner) {
            (Manner::Aware(aware), Manner::Aware(behind))
                if aware.owing() + behind.own_waiting(&back.lane) > OWN_MAX =>
            {
                false
            }
            _ => from.is_readable() || self.is_pending(),
        }
    }

    fn step(&mut self, from: &mut Leg, turn: &mut Turn<'_>) -> Option<Moved> {
        match &mut self.manner {
            Manner::Aware(aware) => aware.step(&mut self.lane, from, turn),
            Manner::Opaque(pace) => pace.step(&mut self.lane, from, turn),
        }
    }

    fn step_pending(&mut self, turn: &mut Turn<'_>) -> Option<Moved> {
        let Manner::Aware(aware) = &mut self.manner else { return None };
        aware.step_pending(&mut self.lane, turn)
    }

    /// Sends what the receiver did not take before, then frames of the relay's own.
    fn flush(&mut self, turn: &mut Turn<'_>, back: &mut Self) -> Option<Moved> {
        let stop = self.lane.flush(turn);
        self.settle(turn);
        if stop.is_some() {
            return stop;
        }
        self.take_owed(turn, back);
        let Manner::Aware(aware) = &mut self.manner else { return None };
        let stop = aware.flush_own(&mut self.lane, turn);
        self.settle(turn);
        stop
    }

    /// After the sender's FIN, once nothing is left to send.
    fn end(&mut self) -> Option<Moved> {
        match (self.lane.flow, &mut self.manner) {
            (Flow::Open, _) => None,
            (Flow::Broken, _) => self.lane.broken_rule(),
            (Flow::Ended, manner) => {
                if let Manner::Aware(aware) = manner {
                    // The receiver has our FIN: what we would still answer cannot be said.
                    aware.frames.edit(|frames| frames.own.clear());
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
    pub(crate) fn finish_sending(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut stop = self.lane.flush(turn);
        while stop.is_none() && self.is_pending() {
            self.settle(turn);
            stop = self.step_pending(turn);
            self.settle(turn);
        }
        if stop.is_none() {
            stop = self.drain_own(turn);
        }
        self.settle(turn);
        stop != Some(Moved::Waits)
    }

    /// The same for what is left when all else is sent.
    fn drain_own(&mut self, turn: &mut Turn<'_>) -> Option<Moved> {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.drop_undecided();
        }
        // First: whoever continues must know of them.
        self.settle(turn);
        let Manner::Aware(aware) = &mut self.manner else { return None };
        aware.flush_own(&mut self.lane, turn)
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
            self.lane.unsettled = true;
        }
    }

    /// Another connection of the receiver, which has another path.
    pub(crate) fn redirect(&mut self, paths: PathPair, to: &Leg, now: Moment) {
        self.lane.begin_to(to);
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
    pub(crate) fn stalled_since(&self) -> Option<Moment> {
        let Manner::Aware(aware) = &self.manner else { return None };
        let willing = !self.lane.is_stalled() && self.lane.flow == Flow::Open;
        (willing && aware.is_inside()).then_some(self.lane.moved)
    }

    /// What has not moved before `now` has not been late.
    pub(crate) fn begin_to_wait(&mut self, now: Moment) {
        self.lane.moved = now;
    }

    pub(crate) fn moved(&self) -> Moment {
        self.lane.moved
    }

    /// See [`Held::register`](crate::keep::Held::register).
    pub(crate) fn register(&self) {
        self.lane.register();
    }
}
