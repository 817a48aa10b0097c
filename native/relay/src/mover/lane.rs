//! What a direction has whatever it does with the bytes: counts, and output not taken yet.

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Side};

use super::settle::Unclaimed;
use super::{Moved, Turn};
use crate::budget::{Credit, Share};
use crate::buffers::Buffer;
use crate::leg::{Leg, Received, Sent};
use crate::pipe::Pipe;
use crate::thread::Thread;

/// One direction between two sockets.
#[derive(Debug)]
pub(super) struct Lane {
    /// The side whose bytes these are.
    pub(super) from: Side,
    pub(super) flow: Flow,
    /// Output that the receiver has not taken; or, `spent`, that it has, until the record says so.
    unsent: Option<Unsent>,
    spent: bool,
    /// Bytes that are read and not made into output for want of room.
    pub(super) carried: u32,
    /// When bytes were last taken from the sender, or could be again.
    pub(super) moved: Moment,
    /// Bytes taken from the sender's connection, and given to the receiver's.
    pub(super) taken: u64,
    pub(super) given: u64,
    /// Something has happened that the record does not say.
    pub(super) unsettled: bool,
    /// What the receiver has shown.
    pub(super) credit: Credit,
    /// Of the budget, since it stalled.
    pub(super) share: Option<Share>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    Open,
    /// The sender's FIN was read; what came before it is being sent.
    Ending,
    /// Everything was handed on.
    Ended,
    /// The sender broke a rule; what stood before that is being sent.
    Broken,
}

/// Where output waits.
#[derive(Debug)]
pub(super) enum Unsent {
    /// In memory: `buffer + pieces + position`, so that the code that sends the rest is the code
    /// that sends.
    Buffer(Box<Buffer>),
    /// In a pipe that is not empty.
    Pipe(Box<Pipe>),
}

impl Lane {
    pub(super) fn new(from: Side, now: Moment) -> Self {
        Self {
            from,
            flow: Flow::Open,
            unsent: None,
            carried: 0,
            moved: now,
            taken: 0,
            given: 0,
            unsettled: false,
            spent: false,
            credit: Credit::default(),
            share: None,
        }
    }

    /// Another connection of the sender.
    pub(super) fn begin_from(&mut self, leg: &Leg) {
        self.taken = leg.prologue[0].into();
        self.unsettled = true;
    }

    /// Another connection of the receiver.
    pub(super) fn begin_to(&mut self, leg: &Leg) {
        self.given = leg.prologue[1].into();
        self.unsettled = true;
    }

    /// Output that a dead process has not sent.
    pub(super) fn take_up(&mut self, unsent: Unsent) {
        self.unsent = Some(unsent);
        self.unsettled = true;
    }

    /// The record says what has been sent: the room it was in is free.
    pub(super) fn release(&mut self, _: &Unclaimed, thread: &mut Thread) {
        if let (true, Some(spent)) = (self.spent, self.unsent.take_if(|_| self.spent)) {
            self.spent = false;
            spent.release(thread);
        }
    }

    /// Output waits in a buffer.
    pub(super) fn waiting(&self) -> Option<&Buffer> {
        match &self.unsent {
            Some(Unsent::Buffer(buffer)) if !self.spent => Some(buffer),
            _ => None,
        }
    }

    /// See [`Held::register`](crate::keep::Held::register).
    pub(super) fn register(&self) {
        if let Some(Unsent::Pipe(pipe)) = &self.unsent {
            pipe.register();
        }
    }

    /// The receiver has not taken all it was given.
    pub(super) fn is_stalled(&self) -> bool {
        self.unsent.is_some() && !self.spent
    }

    /// Nothing waits to be sent, said or paid.
    pub(super) fn is_at_rest(&self) -> bool {
        let is_settled = !self.unsettled && self.share.is_some() == self.pays();
        self.flow == Flow::Open && self.unsent.is_none() && is_settled
    }

    /// Bytes in what the receiver has not taken all of.
    pub(super) fn kept(&self) -> usize {
        self.carried as usize + self.unsent.as_ref().filter(|_| !self.spent).map_or(0, Unsent::size)
    }

    /// How much to read at once, of at most `most`.
    pub(super) fn portion(&self, most: usize, turn: &Turn<'_>) -> usize {
        turn.thread.budget.portion(most, self.credit)
    }

    /// The receiver will not take it any more, and the record says so.
    pub(super) fn drop_unsent(&mut self, _: &Unclaimed, thread: &mut Thread) {
        (self.share, self.spent) = (None, false);
        if let Some(unsent) = self.unsent.take() {
            unsent.release(thread);
        }
    }

    /// Sends what the receiver did not take before.
    pub(super) fn flush(&mut self, turn: &mut Turn<'_>) -> Option<Moved> {
        self.unsent.as_ref()?;
        if !turn.to.is_writable() {
            return Some(Moved::Waits);
        }
        let (unsent, given) = (self.unsent.take()?, self.given);
        let waited = !unsent.is_empty();
        let stop = self.send(unsent, turn);
        // Whoever has just taken the session over only believes that there is something, and room.
        if self.given > given || waited && !self.is_stalled() {
            self.moved = turn.thread.now;
        }
        stop
    }

    /// Sends; keeps what the socket does not take.
    pub(super) fn send(&mut self, mut unsent: Unsent, turn: &mut Turn<'_>) -> Option<Moved> {
        self.unsettled = true;
        loop {
            match unsent.send(turn.to) {
                Some(Sent::Bytes(n)) => {
                    self.given += n as u64;
                    turn.board.leg(self.from.other()).add_out(n);
                    turn.thread.counters.bytes_out(n as u64);
                    self.credit.earn(n);
                    if !turn.to.is_writable() {
                        self.unsent = Some(unsent);
                        return Some(Moved::Waits);
                    }
                }
                None | Some(Sent::Nowhere) => {
                    (self.unsent, self.spent) = (Some(unsent), true);
                    return None;
                }
                Some(Sent::Broken(how)) => {
                    (self.unsent, self.spent) = (Some(unsent), true);
                    return Some(Moved::Broken(self.from.other(), how));
                }
            }
        }
    }

    /// One splice of up to `most` bytes, and one out of the pipe; how many came.
    pub(super) fn splice(
        &mut self,
        mut pipe: Box<Pipe>,
        most: usize,
        from: &mut Leg,
        turn: &mut Turn<'_>,
    ) -> (usize, Option<Moved>) {
        if let Some(record) = &turn.record {
            record.claim_pipe(self.from, pipe.token());
        }
        match from.fill(&mut pipe, self.portion(most, turn)) {
            Received::Bytes(taken) => {
                self.count_in(taken, turn);
                turn.thread.counters.spliced(taken as u64);
                (taken, self.send(Unsent::Pipe(pipe), turn))
            }
            // Only recv(2) tells a FIN from urgent data in the way.
            ended => {
                turn.release_claim(self.from);
                turn.thread.pipes.give_back(pipe);
                (0, if ended == Received::Fin { None } else { self.no_bytes(ended) })
            }
        }
    }

    pub(super) fn count_in(&mut self, read: usize, turn: &Turn<'_>) {
        self.taken += read as u64;
        self.moved = turn.thread.now;
        turn.board.leg(self.from).add_in(read);
        turn.thread.counters.bytes_in(read as u64);
    }

    /// A read brought no bytes.
    pub(super) fn no_bytes(&mut self, received: Received) -> Option<Moved> {
        match received {
            Received::Fin => {
                self.flow = Flow::Ending;
                None
            }
            Received::Broken(how) => Some(Moved::Broken(self.from, how)),
            Received::Nothing | Received::Bytes(_) => Some(Moved::Waits),
        }
    }

    pub(super) fn broken_rule(&self) -> Option<Moved> {
        Some(Moved::Broken(self.from, LegReason::Malformed))
    }
}

impl Unsent {
    /// One write; None when nothing is left.
    fn send(&mut self, to: &mut Leg) -> Option<Sent> {
        match self {
            Self::Buffer(buffer) => buffer.send(to),
            Self::Pipe(pipe) => (pipe.held() > 0).then(|| to.pour(pipe)),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Buffer(buffer) => buffer.is_spent(),
            Self::Pipe(pipe) => pipe.held() == 0,
        }
    }

    /// Bytes it takes.
    fn size(&self) -> usize {
        match self {
            Self::Buffer(buffer) => buffer.output.total(),
            Self::Pipe(pipe) => pipe.held(),
        }
    }

    /// Gives the room back. A pipe that still holds bytes is closed with them.
    fn release(self, thread: &mut Thread) {
        match self {
            Self::Buffer(buffer) => thread.buffers.give_back(buffer),
            Self::Pipe(pipe) if pipe.held() == 0 => thread.pipes.give_back(pipe),
            Self::Pipe(_) => {}
        }
    }
}
