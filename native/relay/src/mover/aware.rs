//! Bytes whose chunks are seen: recv, rewrite, one sendmsg per read.
//!
//! Input is never left in the kernel to wait for more: what cannot be decided yet is carried in
//! memory.

use std::mem;

use msrp_proto::{FrameError, Method, Passed, PathPair, Piece, Rewriter, What};

use super::carry::Carry;
use super::frames::Frames;
use super::lane::{Flow, Lane, Unsent};
use super::{Moved, Turn};
use crate::buffers::{Buffer, READ};
use crate::leg::{Leg, Received};
use crate::pipe::Pipe;
use crate::ring::RingWhat;

/// The aware side of a direction.
#[derive(Debug)]
pub(super) struct Aware {
    pub(super) rewriter: Rewriter,
    /// Read, and not decided.
    pub(super) carry: Carry,
    /// It can be decided: its output was too much for one push, and comes before anything is read.
    pub(super) pending: bool,
    /// Of the relay's own.
    pub(super) frames: Frames,
    /// A body went by unseen: read little, as the next one may follow at once.
    beside: bool,
}

/// A sender that provokes more answers of ours than its peer's direction lets through is not read
/// any further.
pub(super) const OWN_MAX: usize = 16 * 1024;
/// Shorter rests of a body are not worth two more system calls.
const WORTH_A_SPLICE: u64 = 16 * 1024;
/// Read behind a body that went by unseen: its end-line and the next head.
const BESIDE: usize = 2048;

impl Aware {
    pub(super) fn new(rewriter: Rewriter) -> Self {
        Self {
            rewriter,
            carry: Carry::default(),
            pending: false,
            frames: Frames::default(),
            beside: false,
        }
    }

    /// One read and one write.
    pub(super) fn step(
        &mut self,
        lane: &mut Lane,
        from: &mut Leg,
        turn: &mut Turn<'_>,
    ) -> Option<Moved> {
        if self.pending {
            return self.step_pending(lane, turn);
        }
        if self.rewriter.body_ahead() >= WORTH_A_SPLICE
            && self.carry.is_empty()
            && !from.may_have_ended()
            && let Some(pipe) = turn.thread.pipes.lease()
        {
            return self.splice_body(pipe, lane, from, turn);
        }
        let mut buffer = turn.thread.buffers.lease();
        let carried = self.carry.len();
        let most = if mem::take(&mut self.beside) { BESIDE } else { lane.portion(READ, turn) };
        buffer.input[..carried].copy_from_slice(&self.carry);
        turn.claim(lane.from, &buffer);
        let received = from.recv(&mut buffer.input[carried..carried + most]);
        let Received::Bytes(read) = received else {
            turn.release_claim(lane.from);
            turn.thread.buffers.give_back(buffer);
            return lane.no_bytes(received);
        };
        buffer.read = read;
        lane.count_in(read, turn);
        self.pass_on(buffer, carried + read, lane, turn)
    }

    /// The same with what was read before: one write.
    pub(super) fn step_pending(&mut self, lane: &mut Lane, turn: &mut Turn<'_>) -> Option<Moved> {
        let mut buffer = turn.thread.buffers.lease();
        let carried = self.carry.len();
        buffer.input[..carried].copy_from_slice(&self.carry);
        self.pass_on(buffer, carried, lane, turn)
    }

    /// Makes output of `len` bytes of input and sends it.
    fn pass_on(
        &mut self,
        mut buffer: Box<Buffer>,
        len: usize,
        lane: &mut Lane,
        turn: &mut Turn<'_>,
    ) -> Option<Moved> {
        let seen = [self.rewriter.chunks(), self.rewriter.foreign_from_paths()];
        let decided = self.decide(&mut buffer, len);
        lane.carried = if self.pending { self.carry.len() as u32 } else { 0 };
        self.see(&buffer.output.passed, seen, lane, turn);
        if let Err(rule) = decided {
            turn.thread.counters.refused(rule.as_str());
            turn.claim_bytes(lane.from, &buffer);
            // What stands before the fault is whole, and the receiver's.
            let _ = lane.send(Unsent::Buffer(buffer), turn);
            return lane.broken_rule();
        }
        lane.send(Unsent::Buffer(buffer), turn)
    }

    /// Makes output of `len` bytes of input again, those carried included, for a dead process that
    /// may have sent some of it.
    pub(super) fn step_again(&mut self, buffer: &mut Buffer, len: usize) -> Result<(), FrameError> {
        buffer.input[..self.carry.len()].copy_from_slice(&self.carry);
        self.decide(buffer, len)
    }

    /// The same for the rest of a body whose range says where it ends: nothing is looked at.
    fn splice_body(
        &mut self,
        pipe: Box<Pipe>,
        lane: &mut Lane,
        from: &mut Leg,
        turn: &mut Turn<'_>,
    ) -> Option<Moved> {
        let ahead = usize::try_from(self.rewriter.body_ahead()).unwrap_or(usize::MAX);
        let (taken, stop) = lane.splice(pipe, ahead, from, turn);
        self.rewriter.skip(taken as u64);
        self.beside = taken > 0;
        stop
    }

    fn decide(&mut self, buffer: &mut Buffer, len: usize) -> Result<(), FrameError> {
        let (input, output) = (&buffer.input[..len], &mut buffer.output);
        let rewriter = &mut self.rewriter;
        self.pending = false;
        let decided = self.frames.edit(|frames| {
            rewriter.push_with(input, &mut frames.own, output, &mut frames.replies)
        })?;
        let carried = self.carry.len();
        // What is undecided leaves the buffer, which goes to the next session.
        self.carry.become_rest(&input[decided..], if decided == 0 { carried } else { 0 });
        self.pending = buffer.output.stopped && !self.carry.is_empty();
        Ok(())
    }

    /// What the present output was made of is accounted for.
    pub(super) fn settle(&mut self) {
        if !self.frames.kinds().replies.is_empty() {
            self.frames.edit(|frames| frames.owed.append(&mut frames.replies));
        }
    }

    /// Takes over what the opposite direction owes to this one's receiver.
    pub(super) fn take_owed(&mut self, opposite: &mut Self) -> bool {
        if opposite.frames.kinds().owed.is_empty() {
            return false;
        }
        let mut owed = opposite.frames.edit(|frames| mem::take(&mut frames.owed));
        self.frames.edit(|frames| frames.own.append(&mut owed));
        true
    }

    /// Nobody is there to hear what is owed.
    pub(super) fn drop_owed(&mut self) {
        if self.owing() > 0 {
            self.frames.edit(|frames| {
                frames.owed.clear();
                frames.replies.clear();
            });
        }
    }

    /// Sends frames of the relay's own.
    pub(super) fn flush_own(&mut self, lane: &mut Lane, turn: &mut Turn<'_>) -> Option<Moved> {
        if self.frames.kinds().own.is_empty() || self.cuts_chunk() {
            return None;
        }
        let mut buffer = turn.thread.buffers.lease();
        self.frames.edit(|frames| buffer.output.made.append(&mut frames.own));
        buffer.output.list.push(Piece::Made(0..buffer.output.made.len()));
        lane.send(Unsent::Buffer(buffer), turn)
    }

    /// What is undecided goes nowhere any more.
    pub(super) fn drop_undecided(&mut self) {
        (self.carry, self.pending) = (Carry::default(), false);
    }

    /// No more comes of what the sender has begun.
    pub(super) fn cut(&mut self) {
        if let Some(tid) = self.rewriter.in_forwarded_chunk() {
            let end_line = [b"\r\n-------", tid, b"#\r\n"].concat();
            self.frames.edit(|frames| frames.own.splice(0..0, end_line).for_each(drop));
        }
        self.rewriter.end_stream();
        self.drop_undecided();
        self.drop_owed();
    }

    /// What is for the receiver goes nowhere any more, down to the end of the chunk in the reading.
    pub(super) fn forsake(&mut self) {
        self.rewriter.forsake_chunk();
        self.frames.edit(|frames| frames.own.clear());
    }

    /// Another sender begins; `rest` is what the receiver has not taken of the one before.
    pub(super) fn renew(&mut self, rewriter: Rewriter, rest: Vec<u8>) {
        self.rewriter = rewriter;
        if !rest.is_empty() {
            self.frames.edit(|frames| frames.own.splice(0..0, rest).for_each(drop));
        }
        self.drop_undecided();
        self.drop_owed();
    }

    /// Another receiver follows.
    pub(super) fn redirect(&mut self, paths: PathPair) {
        self.rewriter.redirect(paths);
        // They answered requests of the connection that is gone.
        self.frames.edit(|frames| frames.own.clear());
    }

    /// The receiver is inside a chunk: a FIN now would look like its end.
    pub(super) fn cuts_chunk(&self) -> bool {
        self.rewriter.in_forwarded_chunk().is_some()
    }

    /// The sender may end here: nothing of a chunk is missing.
    pub(super) fn is_whole(&self) -> bool {
        let blank = self.carry.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        blank && !self.cuts_chunk()
    }

    /// The sender is in the middle of a chunk.
    pub(super) fn is_inside(&self) -> bool {
        !self.rewriter.between_chunks() || !self.carry.is_empty()
    }

    /// Of the relay's own, for either side.
    pub(super) fn has_frames(&self) -> bool {
        self.frames.are_there()
    }

    /// Octets of the relay's own answers that wait for this direction's receiver.
    pub(super) fn own_waiting(&self, lane: &Lane) -> usize {
        if lane.flow == Flow::Ended { 0 } else { self.frames.kinds().own.len() }
    }

    /// Octets of the relay's own answers to this direction's sender that the opposite direction has
    /// not taken over.
    pub(super) fn owing(&self) -> usize {
        let frames = self.frames.kinds();
        frames.owed.len() + frames.replies.len()
    }

    /// The opposite direction has something to take over.
    pub(super) fn owes(&self) -> bool {
        !self.frames.kinds().owed.is_empty()
    }

    /// Shows the chunks that passed. Of all, and of requests from elsewhere, so many were seen before.
    fn see(&self, passed: &[Passed], [seen, foreign]: [u64; 2], lane: &Lane, turn: &Turn<'_>) {
        for chunk in passed {
            if let Some(refusal) = chunk.refused {
                turn.thread.counters.refused(refusal.as_str());
            }
            let (what, n) = shown(chunk.what);
            turn.board.event(turn.thread.now, Some(lane.from), what, n);
        }
        let chunks = self.rewriter.chunks() - seen;
        turn.board.leg(lane.from).add_chunks(chunks);
        turn.thread.counters.chunks(chunks);
        turn.thread.counters.foreign_from_paths(self.rewriter.foreign_from_paths() - foreign);
    }
}

fn shown(what: What) -> (RingWhat, u32) {
    match what {
        What::Request(Method::Send) => (RingWhat::Send, 0),
        What::Request(Method::Report) => (RingWhat::Report, 0),
        What::Request(_) => (RingWhat::Request, 0),
        What::Response(status) => (RingWhat::Response, status.into()),
    }
}
