//! What a direction tells its successor in another process, and how that one begins.
//!
//! The order of things: a claim says where bytes will be, then they are read, made into output and
//! sent; then the record accounts for them, and the claim is released. Whoever finds a claim makes
//! the same output again, of the same bytes, from the same position, and sends what the kernel does
//! not count as given.
//!
//! Room that is claimed is nobody else's: once it is free, another session claims it at once, and a
//! successor would find it claimed twice. So a direction lets go of its room only where the record
//! claims nothing of it any more, which [`Unclaimed`] shows; and both directions are dropped only
//! after the record says that nothing is joined, or is gone. Claims of a record that is not joined
//! are void.

use msrp_proto::Moment;
use msrp_proto::session::Side;
use msrp_proto::{PathPair, Piece, Rewriter};

use super::aware::Aware;
use super::lane::{Flow, Lane, Unsent};
use super::opaque::Pace;
use super::{Direction, Manner};
use crate::board::Board;
use crate::buffers::{Buffer, Input};
use crate::keep::{Claim, Mark, Record, TextKind};
use crate::leg::Leg;
use crate::pipe::Pipe;
use crate::sys::arena::Blob;
use crate::thread::Thread;

/// What moving needs beside the direction itself.
pub(crate) struct Turn<'a> {
    pub(crate) to: &'a mut Leg,
    pub(crate) board: &'a Board,
    pub(crate) record: Option<&'a mut Record>,
    /// Of the sender's connection and of the receiver's, as the record has them.
    pub(crate) tokens: [u32; 2],
    pub(crate) thread: &'a mut Thread,
}

impl Turn<'_> {
    /// Bytes are about to be read into this buffer.
    pub(super) fn claim(&self, from: Side, buffer: &Buffer) {
        if let (Some(record), Some(blob)) = (&self.record, buffer.input.blob()) {
            record.claim_buffer(from, blob);
        }
    }

    /// They came, and may stay there: whoever continues may not have the sender's connection any more
    /// to count by.
    pub(super) fn claim_bytes(&self, from: Side, buffer: &Buffer) {
        if let (Some(record), Some(blob), 1..) = (&self.record, buffer.input.blob(), buffer.read) {
            record.claim_bytes(from, blob, buffer.read);
        }
    }

    /// No bytes came.
    pub(super) fn release_claim(&self, from: Side) {
        if let Some(record) = &self.record {
            record.release(from);
        }
    }
}

/// The record claims nothing of a direction, or there is none.
#[derive(Debug)]
pub(super) struct Unclaimed(());

/// What a dead process has left of a direction.
pub(crate) struct Left<'a> {
    pub(crate) record: &'a Record,
    pub(crate) claim: Claim,
    /// The pipe of the claim, if there is one.
    pub(crate) pipe: Option<Box<Pipe>>,
    /// When bytes had moved, or could again, as far as the state knows.
    pub(crate) moved: Moment,
    /// The connections, as far as they are there.
    pub(crate) from: Option<&'a Leg>,
    pub(crate) to: Option<&'a Leg>,
}

impl Direction {
    /// The record accounts for everything, if nothing is under way.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        if !self.lane.unsettled {
            return;
        }
        if self.lane.is_stalled() {
            if let Some(buffer) = self.lane.waiting() {
                turn.claim_bytes(self.lane.from, buffer);
            }
            return;
        }
        self.lane.unsettled = false;
        if let Manner::Aware(aware) = &mut self.manner {
            aware.settle();
        }
        if let Some(unclaimed) = self.account(turn.tokens, turn.record.as_deref_mut()) {
            self.lane.release(&unclaimed, turn.thread);
        }
    }

    /// The receiver is gone and another will come: what was on its way to it is lost, and so is the
    /// rest of the chunk it was in. All of it is accounted for.
    pub(crate) fn forsake(
        &mut self,
        tokens: [u32; 2],
        record: Option<&mut Record>,
        thread: &mut Thread,
    ) {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.settle();
            aware.forsake();
        }
        if let Some(unclaimed) = self.account(tokens, record) {
            self.lane.drop_unsent(&unclaimed, thread);
            self.lane.unsettled = false;
        }
    }

    /// Another connection of the sender. Whoever continues cannot make again what the receiver has not
    /// taken of the old one's: that is the relay's own from now on. What is in a pipe stays there.
    pub(crate) fn renew(
        &mut self,
        rewriter: Rewriter,
        from: &Leg,
        tokens: [u32; 2],
        record: Option<&mut Record>,
        thread: &mut Thread,
    ) {
        let rest = self.lane.waiting().map(Buffer::rest);
        let (waits, is_stalled) = (rest.is_some(), self.lane.is_stalled());
        self.lane.begin_from(from);
        (self.lane.flow, self.lane.moved) = (Flow::Open, thread.now);
        if let Manner::Aware(aware) = &mut self.manner {
            aware.renew(rewriter, rest.unwrap_or_default());
        }
        if !waits {
            is_stalled.then(|| self.note(tokens, record));
        } else if let Some(unclaimed) = self.account(tokens, record) {
            self.lane.drop_unsent(&unclaimed, thread);
        }
    }

    /// `None` after a fault: such a session is not continued by anybody.
    fn mark(&self, tokens: [u32; 2]) -> Option<Mark> {
        let Lane { taken, given, .. } = self.lane;
        match &self.manner {
            Manner::Opaque(_) => Some(Mark { taken, given, tokens, position: None }),
            Manner::Aware(aware) => {
                let position = Some(aware.rewriter.position()?);
                Some(Mark { taken: taken - aware.carry.len() as u64, given, tokens, position })
            }
        }
    }

    /// Writes down where it stands, nothing being under way. After a fault the claim stands.
    fn account(&self, tokens: [u32; 2], mut record: Option<&mut Record>) -> Option<Unclaimed> {
        self.note(tokens, record.as_deref_mut())?;
        record.into_iter().for_each(|record| record.release(self.lane.from));
        Some(Unclaimed(()))
    }

    /// The same where something is claimed that needs nothing to go on.
    fn note(&self, tokens: [u32; 2], record: Option<&mut Record>) -> Option<()> {
        let Some(record) = record else { return Some(()) };
        let (from, mark) = (self.lane.from, self.mark(tokens)?);
        let mut draft = record.draft();
        draft.mark(from, &mark);
        if let Manner::Aware(aware) = &self.manner {
            draft.note(from, TextKind::Carry, &aware.carry);
            let frames = aware.frames.kinds();
            draft.note(from, TextKind::Own, &frames.own);
            draft.note(from, TextKind::Owed, &frames.owed);
        }
        draft.publish();
        Some(())
    }

    /// Takes over what the opposite direction owes to this one's receiver. Both records change at
    /// once: it is neither lost nor said twice.
    pub(super) fn take_owed(&mut self, turn: &mut Turn<'_>, back: &mut Self) {
        let (Manner::Aware(aware), Manner::Aware(behind)) = (&mut self.manner, &mut back.manner)
        else {
            return;
        };
        if self.lane.flow == Flow::Ended {
            // It cannot be said any more, and must not keep the opposite direction from reading on.
            return behind.drop_owed();
        }
        if aware.take_owed(behind)
            && let Some(record) = turn.record.as_deref_mut()
        {
            let mut draft = record.draft();
            draft.note(self.lane.from, TextKind::Own, &aware.frames.kinds().own);
            draft.note(back.lane.from, TextKind::Owed, &[]);
            draft.publish();
        }
    }

    /// Goes on where a dead process has left off; aware with paths, else opaque. `None`: what is
    /// there does not fit together.
    pub(crate) fn inherit(
        from: Side,
        paths: Option<PathPair>,
        left: Left<'_>,
        thread: &mut Thread,
    ) -> Option<Self> {
        let progress = left.record.progress(from);
        let mut lane = Lane::new(from, thread.now);
        lane.moved = last_moved(&left, thread.now);
        let (same_from, same_to) = begin(&mut lane, progress.mark, &left);
        let position = progress.mark.position.as_ref().filter(|_| same_from);
        let rewriter = paths.map(|paths| thread.config.rewriter(paths, position));
        let mut manner = match rewriter {
            None => Manner::Opaque(Pace::Copying),
            Some(rewriter) => Manner::Aware(Box::new(Aware::new(rewriter))),
        };
        if let Manner::Aware(aware) = &mut manner {
            if same_from {
                aware.carry.become_rest(progress.carry, 0);
                aware.frames.edit(|frames| frames.owed = progress.owed.to_vec());
            }
            if same_to {
                aware.frames.edit(|frames| frames.own = progress.own.to_vec());
            }
            lane.taken += aware.carry.len() as u64;
        }
        let mut direction = Self { lane, manner };
        direction.take_up(left, thread)?;
        Some(direction)
    }

    /// Whatever the dead process had in hand.
    fn take_up(&mut self, left: Left<'_>, thread: &mut Thread) -> Option<()> {
        let written = left.claim.buffer.as_ref().and_then(|(_, bytes)| *bytes).unwrap_or_default();
        let [taken, _] = counts(left.from, [self.lane.taken + written as u64, 0])?;
        let [_, given] = counts(left.to, [0, self.lane.given])?;
        let read = usize::try_from(taken.checked_sub(self.lane.taken)?).ok()?;
        let sent = usize::try_from(given.checked_sub(self.lane.given)?).ok()?;
        if let Some(pipe) = left.pipe {
            self.pour_again(pipe, read);
        } else {
            self.send_again(left.claim.buffer.map(|(blob, _)| blob), read, sent, thread)?;
        }
        (self.lane.taken, self.lane.given) = (taken, given);
        Some(())
    }

    /// What went through a pipe was not looked at.
    fn pour_again(&mut self, pipe: Box<Pipe>, read: usize) {
        if let Manner::Aware(aware) = &mut self.manner {
            aware.rewriter.skip(read as u64);
        }
        self.lane.take_up(Unsent::Pipe(pipe));
    }

    /// Makes the output again; `sent` bytes of it are on their way.
    fn send_again(
        &mut self,
        blob: Option<Blob>,
        read: usize,
        sent: usize,
        thread: &mut Thread,
    ) -> Option<()> {
        let mut buffer = match blob {
            Some(blob) => Buffer::new(Input::Shared(blob)),
            None if read == 0 => thread.buffers.lease(),
            None => return None,
        };
        match &mut self.manner {
            Manner::Opaque(_) => buffer.output.list.push(Piece::Input(0..read)),
            Manner::Aware(aware) => {
                let len = aware.carry.len() + read;
                if aware.step_again(&mut buffer, len).is_err() {
                    self.lane.flow = Flow::Broken;
                }
            }
        }
        if sent > buffer.output.total() {
            return None;
        }
        buffer.skip(sent);
        buffer.read = read;
        self.lane.take_up(Unsent::Buffer(buffer));
        Some(())
    }

    /// Bytes taken from the sender's connection and given to the receiver's, and chunks seen.
    pub(crate) fn counts(&self) -> [u64; 3] {
        let chunks = match &self.manner {
            Manner::Aware(aware) => aware.rewriter.chunks(),
            Manner::Opaque(_) => 0,
        };
        [self.lane.taken, self.lane.given, chunks]
    }

    /// Its FIN was passed on.
    pub(crate) fn has_ended(&mut self) {
        self.lane.flow = Flow::Ended;
    }
}

/// Bytes taken from a connection and given to it, at least those that are known of: of one that is
/// gone the kernel may tell less.
fn counts(leg: Option<&Leg>, known: [u64; 2]) -> Option<[u64; 2]> {
    let Some(leg) = leg else { return Some(known) };
    let [taken, given] = leg.counts().ok()?;
    let is_gone = leg.is_gone();
    Some(if is_gone { [taken.max(known[0]), given.max(known[1])] } else { [taken, given] })
}

/// When bytes have moved last: who stood still before another process went on has stood still since.
fn last_moved(left: &Left<'_>, now: Moment) -> Moment {
    let came = left.from.and_then(|leg| leg.moved(now)).map(|[came, _]| came);
    let went = left.to.and_then(|leg| leg.moved(now)).map(|[_, went]| went);
    came.into_iter().chain(went).fold(left.moved, Moment::max)
}

/// Where a direction begins: where the record says, or at the beginning of a connection that the
/// record does not speak of. Tells whether sender's and receiver's are those of the record.
fn begin(lane: &mut Lane, mark: Mark, left: &Left<'_>) -> (bool, bool) {
    let is_of = |leg: Option<&Leg>, token: u32| leg.is_none_or(|leg| leg.token() == token);
    let same = (is_of(left.from, mark.tokens[0]), is_of(left.to, mark.tokens[1]));
    (lane.taken, lane.given) = (mark.taken, mark.given);
    if let (Some(leg), false) = (left.from, same.0) {
        lane.begin_from(leg);
    }
    if let (Some(leg), false) = (left.to, same.1) {
        lane.begin_to(leg);
    }
    same
}
