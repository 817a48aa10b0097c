//! What a direction has whatever it does with the bytes: counts, and output not taken yet.

use std::time::Instant;

use msrp_proto::Piece;
use msrp_proto::session::{LegReason, Side};

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
    /// Output that the receiver has not taken.
    unsent: Option<Unsent>,
    /// When bytes were last taken from the sender, or could be again.
    pub(super) moved: Instant,
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
    pub(super) fn new(from: Side, now: Instant) -> Self {
        let (flow, credit) = (Flow::Open, Credit::default());
        Self { from, flow, unsent: None, moved: now, credit, share: None }
    }

    /// Bytes to send before anything is read.
    pub(super) fn queue(&mut self, bytes: Vec<u8>, thread: &mut Thread) {
        if !bytes.is_empty() {
            let mut buffer = thread.buffers.lease();
            buffer.output.made = bytes;
            buffer.output.list.push(Piece::Made(0..buffer.output.made.len()));
            self.unsent = Some(Unsent::Buffer(buffer));
        }
    }

    /// The receiver has not taken all it was given.
    pub(super) fn is_stalled(&self) -> bool {
        self.unsent.is_some()
    }

    /// Bytes in what the receiver has not taken all of.
    pub(super) fn kept(&self) -> usize {
        self.unsent.as_ref().map_or(0, Unsent::size)
    }

    /// How much to read at once, of at most `most`.
    pub(super) fn portion(&self, most: usize, turn: &Turn<'_>) -> usize {
        turn.thread.budget.portion(most, self.credit)
    }

    /// The receiver will not take it any more.
    pub(super) fn drop_unsent(&mut self, thread: &mut Thread) {
        self.share = None;
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
        self.moved = turn.thread.now;
        let unsent = self.unsent.take()?;
        self.send(unsent, turn)
    }

    /// Sends; keeps what the socket does not take.
    pub(super) fn send(&mut self, mut unsent: Unsent, turn: &mut Turn<'_>) -> Option<Moved> {
        loop {
            match unsent.send(turn.to) {
                Some(Sent::Bytes(n)) => {
                    turn.board.leg(self.from.other()).add_out(n);
                    turn.thread.counters.bytes_out(n as u64);
                    self.credit.earn(n);
                    if !turn.to.is_writable() {
                        self.unsent = Some(unsent);
                        return Some(Moved::Waits);
                    }
                }
                None | Some(Sent::Nowhere) => {
                    unsent.release(turn.thread);
                    return None;
                }
                Some(Sent::Broken(how)) => {
                    unsent.release(turn.thread);
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
        match from.fill(&mut pipe, self.portion(most, turn)) {
            Received::Bytes(taken) => {
                self.count_in(taken, turn);
                turn.thread.counters.spliced(taken as u64);
                (taken, self.send(Unsent::Pipe(pipe), turn))
            }
            // Only recv(2) tells a FIN from urgent data in the way.
            ended => {
                turn.thread.pipes.give_back(pipe);
                (0, if ended == Received::Fin { None } else { self.no_bytes(ended) })
            }
        }
    }

    pub(super) fn count_in(&mut self, read: usize, turn: &Turn<'_>) {
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

    /// Bytes it takes.
    fn size(&self) -> usize {
        match self {
            Self::Buffer(buffer) => buffer.output.total(),
            Self::Pipe(pipe) => pipe.held(),
        }
    }

    /// Gives the memory back. A pipe that still holds bytes is closed with them.
    fn release(self, thread: &mut Thread) {
        match self {
            Self::Buffer(buffer) => thread.buffers.give_back(buffer),
            Self::Pipe(pipe) if pipe.held() == 0 => thread.pipes.give_back(pipe),
            Self::Pipe(_) => {}
        }
    }
}
