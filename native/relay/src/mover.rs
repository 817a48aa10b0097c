//! Bytes of one direction: recv, rewrite or not, one sendmsg per read.
//!
//! Input is never left in the kernel to wait for more: what cannot be decided yet is carried in
//! memory. Backpressure is the exception: while the receiver is full, its sender is not read. A
//! partial send keeps the whole buffer with the direction, so that what is unsent is always
//! `buffer + pieces + position` and the code that sends the rest is the code that sends.

use std::io::IoSlice;
use std::mem;
use std::time::Instant;

use msrp_proto::session::{LegReason, Side};
use msrp_proto::{Method, Passed, Piece, Pieces, Rewriter, What};

use crate::board::Board;
use crate::buffers::Buffer;
use crate::leg::{Leg, Received, Sent};
use crate::ring::RingWhat;
use crate::thread::Thread;

/// One direction of a joined session.
#[derive(Debug)]
pub(crate) struct Direction {
    /// The side whose bytes these are.
    from: Side,
    /// `None`: bytes pass untouched.
    rewriter: Option<Box<Rewriter>>,
    /// Read, and not decided.
    carry: Vec<u8>,
    /// `carry` was read before the join and has not been looked at.
    fresh: bool,
    /// Decided, and not yet sent.
    unsent: Option<Box<Unsent>>,
    /// Frames of the relay's own for the receiver; they go between two chunks.
    own: Vec<u8>,
    state: Flow,
    /// When bytes were last taken from the sender, or could be again.
    moved: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    Open,
    /// The sender's FIN was read; what came before it is being sent.
    Ending,
    /// Everything was handed on.
    Ended,
}

/// Output that the receiver's socket did not take.
#[derive(Debug)]
struct Unsent {
    buffer: Buffer,
    pieces: Pieces,
    sent: usize,
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
/// Slices in one sendmsg(2); what is longer goes out in several.
const SLICES: usize = 64;
/// A sender that provokes more answers of ours than its peer's direction lets through is not read
/// any further.
const OWN_MAX: usize = 16 * 1024;

/// What sending needs beside the direction itself.
pub(crate) struct Turn<'a> {
    pub(crate) to: &'a mut Leg,
    pub(crate) board: &'a Board,
    pub(crate) thread: &'a mut Thread,
}

impl Direction {
    /// `early`: what was read from the sender before the join.
    pub(crate) fn new(
        from: Side,
        rewriter: Option<Box<Rewriter>>,
        early: Vec<u8>,
        now: Instant,
    ) -> Self {
        Self {
            from,
            rewriter,
            fresh: !early.is_empty(),
            carry: early,
            unsent: None,
            own: Vec::new(),
            state: Flow::Open,
            moved: now,
        }
    }

    /// Moves what can be moved. `back` takes the relay's own answers to the sender.
    pub(crate) fn turn(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Moved {
        for _ in 0..ROUNDS {
            if let Some(stop) = self.flush(turn) {
                return stop;
            }
            if let Some(stop) = self.end() {
                return stop;
            }
            if !self.fresh && (!from.is_readable() || back.is_full()) {
                return Moved::Waits;
            }
            if let Some(stop) = self.step(from, turn, back) {
                return stop;
            }
        }
        Moved::More
    }

    /// One read and one write.
    fn step(&mut self, from: &mut Leg, turn: &mut Turn<'_>, back: &mut Self) -> Option<Moved> {
        let mut buffer = turn.thread.buffers.lease();
        let carried = self.carry.len();
        buffer[..carried].copy_from_slice(&self.carry);
        let received = match mem::take(&mut self.fresh) {
            true => Received::Bytes(0),
            false => from.recv(&mut buffer[carried..]),
        };
        let read = match received {
            Received::Bytes(read) => read,
            ended => {
                turn.thread.buffers.give_back(buffer);
                return self.no_bytes(ended);
            }
        };
        self.count_in(read, turn);
        let mut pieces = mem::take(&mut turn.thread.pieces);
        pieces.clear();
        let decided = self.decide(&buffer[..carried + read], &mut pieces, back);
        self.see(&pieces.passed, turn);
        let decided = match decided {
            Ok(decided) => decided,
            Err(rule) => {
                turn.thread.counters.refused(rule.as_str());
                turn.thread.pieces = pieces;
                turn.thread.buffers.give_back(buffer);
                return Some(Moved::Broken(self.from, LegReason::Malformed));
            }
        };
        self.keep_undecided(&buffer[..carried + read], carried, decided);
        self.send(Unsent { buffer, pieces, sent: 0 }, turn)
    }

    fn no_bytes(&mut self, received: Received) -> Option<Moved> {
        match received {
            Received::Fin => {
                self.state = Flow::Ending;
                None
            }
            Received::Broken(how) => Some(Moved::Broken(self.from, how)),
            Received::Nothing | Received::Bytes(_) => Some(Moved::Waits),
        }
    }

    fn decide(
        &mut self,
        input: &[u8],
        pieces: &mut Pieces,
        back: &mut Self,
    ) -> Result<usize, msrp_proto::FrameError> {
        let Some(rewriter) = &mut self.rewriter else {
            pieces.list.push(Piece::Input(0..input.len()));
            return Ok(input.len());
        };
        let decided = rewriter.push_with(input, &mut self.own, pieces, &mut back.own)?;
        if self.own.is_empty() {
            self.own = Vec::new();
        }
        Ok(decided)
    }

    /// What is undecided leaves the buffer, which goes to the next session.
    fn keep_undecided(&mut self, input: &[u8], carried: usize, decided: usize) {
        let rest = &input[decided..];
        if decided == 0 && carried > 0 {
            // Byte by byte the head of a chunk grows: only what is new is copied.
            self.carry.extend_from_slice(&rest[carried..]);
        } else if rest.is_empty() {
            self.carry = Vec::new();
        } else {
            self.carry.clear();
            self.carry.extend_from_slice(rest);
        }
    }

    /// Sends what the receiver did not take before, then frames of the relay's own.
    fn flush(&mut self, turn: &mut Turn<'_>) -> Option<Moved> {
        if let Some(unsent) = self.unsent.take() {
            if !turn.to.is_writable() {
                self.unsent = Some(unsent);
                return Some(Moved::Waits);
            }
            self.moved = turn.thread.now;
            if let Some(stop) = self.send(*unsent, turn) {
                return Some(stop);
            }
        }
        if self.own.is_empty() || self.cuts_chunk() {
            return None;
        }
        let mut pieces = mem::take(&mut turn.thread.pieces);
        pieces.clear();
        append(&mut pieces, &mut self.own);
        let buffer = turn.thread.buffers.lease();
        self.send(Unsent { buffer, pieces, sent: 0 }, turn)
    }

    /// Sends; keeps what the socket does not take.
    fn send(&mut self, mut unsent: Unsent, turn: &mut Turn<'_>) -> Option<Moved> {
        let total = unsent.pieces.total();
        while unsent.sent < total {
            match unsent.send_some(turn.to) {
                Sent::Bytes(n) => {
                    unsent.sent += n;
                    turn.board.leg(self.from.other()).add_out(n);
                    turn.thread.counters.bytes_out(n as u64);
                    if !turn.to.is_writable() {
                        self.unsent = Some(Box::new(unsent));
                        return Some(Moved::Waits);
                    }
                }
                Sent::Nowhere => break,
                Sent::Broken(how) => {
                    turn.thread.buffers.give_back(unsent.buffer);
                    return Some(Moved::Broken(self.from.other(), how));
                }
            }
        }
        turn.thread.pieces = unsent.pieces;
        turn.thread.buffers.give_back(unsent.buffer);
        None
    }

    /// After the sender's FIN, once nothing is left to send.
    fn end(&mut self) -> Option<Moved> {
        match self.state {
            Flow::Open => None,
            Flow::Ended => {
                // The receiver has our FIN: what the relay would still answer it cannot be said.
                self.own = Vec::new();
                Some(Moved::Waits)
            }
            Flow::Ending => {
                self.state = Flow::Ended;
                let blank = self.carry.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
                let whole = !self.cuts_chunk() && (blank || self.rewriter.is_none());
                Some(Moved::Fin { whole })
            }
        }
    }

    /// Sends what is left and nothing new, for a session that is being ended: true when done.
    pub(crate) fn drain(&mut self, turn: &mut Turn<'_>) -> bool {
        self.carry = Vec::new();
        match self.flush(turn) {
            None => true,
            Some(Moved::Waits) => false,
            Some(_) => true,
        }
    }

    /// The receiver is inside a chunk: a FIN now would look like its end.
    pub(crate) fn cuts_chunk(&self) -> bool {
        self.rewriter.as_ref().is_some_and(|rewriter| rewriter.in_forwarded_chunk().is_some())
    }

    fn is_full(&self) -> bool {
        self.state != Flow::Ended && self.own.len() > OWN_MAX
    }

    /// Since when the sender has been in the middle of a chunk although we are willing to read it.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        let inside = !self.rewriter.as_ref()?.between_chunks() || !self.carry.is_empty();
        (inside && self.unsent.is_none() && self.state == Flow::Open).then_some(self.moved)
    }

    pub(crate) fn moved(&self) -> Instant {
        self.moved
    }

    fn count_in(&mut self, read: usize, turn: &mut Turn<'_>) {
        self.moved = turn.thread.now;
        turn.board.leg(self.from).add_in(read);
        turn.thread.counters.bytes_in(read as u64);
    }

    /// Shows the chunks that passed.
    fn see(&self, passed: &[Passed], turn: &Turn<'_>) {
        let Some(rewriter) = &self.rewriter else { return };
        for chunk in passed {
            if let Some(refusal) = chunk.refused {
                turn.thread.counters.refused(refusal.as_str());
            }
            let (what, n) = shown(chunk.what);
            turn.board.event(turn.thread.now, Some(self.from), what, n);
        }
        let chunks = rewriter.chunks();
        turn.thread.counters.chunks(turn.board.leg(self.from).set_chunks(chunks));
    }
}

impl Unsent {
    fn send_some(&self, to: &mut Leg) -> Sent {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let mut skip = self.sent;
        for slice in self.pieces.slices(&self.buffer) {
            if skip >= slice.len() {
                skip -= slice.len();
                continue;
            }
            slices[count] = IoSlice::new(&slice[skip..]);
            skip = 0;
            count += 1;
            if count == SLICES {
                break;
            }
        }
        to.send(&slices[..count])
    }
}

fn append(pieces: &mut Pieces, own: &mut Vec<u8>) {
    if own.is_empty() {
        return;
    }
    let start = pieces.made.len();
    pieces.made.append(own);
    pieces.list.push(Piece::Made(start..pieces.made.len()));
    *own = Vec::new();
}

fn shown(what: What) -> (RingWhat, u32) {
    match what {
        What::Request(Method::Send) => (RingWhat::Send, 0),
        What::Request(Method::Report) => (RingWhat::Report, 0),
        What::Request(_) => (RingWhat::Request, 0),
        What::Response(status) => (RingWhat::Response, status.into()),
    }
}
