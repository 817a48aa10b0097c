use std::ops::Range;

use crate::framer::{Desk, Found};
use crate::pieces::Kept;
use crate::refusal::judge;
use crate::{
    FrameError, Framer, Head, Key, Kind, Limits, Method, PathLine, PathPair, Pieces, Position,
    Refusal,
};

/// A chunk head that went through a [`Rewriter`], for counters and the event ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Passed {
    /// What the start line says.
    pub what: What,
    /// None: forwarded.
    pub refused: Option<Refusal>,
}

/// Method or status of a chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// A request.
    Request(Method),
    /// A response with its status.
    Response(u16),
}

impl From<Kind> for What {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Request { method, .. } => Self::Request(method),
            Kind::Response { status, .. } => Self::Response(status),
        }
    }
}

/// Forwards one direction of an aware session: both path lines replaced, every other octet kept,
/// keepalive CRLFs between chunks swallowed.
///
/// A deterministic function of the byte stream: however the stream is cut into pushes, after the
/// same input the same output has been given.
#[derive(Clone, Debug)]
pub struct Rewriter {
    framer: Framer,
    paths: PathPair,
    chunk: Chunk,
    chunks: u64,
    foreign_from_paths: u64,
    /// Ranges tell where a body ends, see [`skip`](Self::skip).
    trusting: bool,
    /// Octets of the body in the reading that its range claims and that have not come.
    ahead: u64,
}

/// What happens to the chunk in the reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Chunk {
    Forwarded,
    Swallowed,
}

/// Octets made in one push, of output and of answers. Ordinary traffic, as much as is read at once,
/// makes less.
const ENOUGH: usize = 512 * 1024;
/// Octets of answers made in one push, and little more: whoever keeps them has bounds.
const ENOUGH_ANSWERS: usize = ENOUGH / 2;

impl Rewriter {
    /// A rewriter at the start of a stream.
    pub fn new(paths: PathPair, limits: Limits) -> Self {
        Self {
            framer: Framer::new(limits),
            paths,
            chunk: Chunk::Swallowed,
            chunks: 0,
            foreign_from_paths: 0,
            trusting: false,
            ahead: 0,
        }
    }

    /// The same, which has [`body_ahead`](Self::body_ahead) believe the sender's ranges.
    pub fn trusting_ranges(self) -> Self {
        Self { trusting: true, ..self }
    }

    /// A rewriter that goes on where another one stood, for the same paths.
    pub fn resume(paths: PathPair, limits: Limits, position: &Position) -> Self {
        let framer = match position.tid() {
            Some(tid) => Framer::in_body(limits, tid, position.fresh),
            None => Framer::new(limits),
        };
        Self {
            framer,
            chunk: if position.forwarded { Chunk::Forwarded } else { Chunk::Swallowed },
            chunks: position.chunks,
            foreign_from_paths: position.foreign,
            ahead: position.ahead,
            ..Self::new(paths, limits)
        }
    }

    /// Where it stands after a push, for [`resume`](Self::resume); `None` after an error.
    pub fn position(&self) -> Option<Position> {
        let fresh = self.framer.fresh_body().ok()?;
        let tid = self.framer.open_tid().unwrap_or_default();
        let mut position = Position {
            chunks: self.chunks,
            foreign: self.foreign_from_paths,
            ahead: self.ahead,
            tid: [0; _],
            tid_len: tid.len() as u8,
            fresh: fresh.unwrap_or_default(),
            forwarded: self.chunk == Chunk::Forwarded,
        };
        position.tid[..tid.len()].copy_from_slice(tid);
        Some(position)
    }

    /// Reads `input` from its start; appends what goes to the receiver to `out` and what goes back
    /// to the sender (481, 400) to `reply`. Returns how many octets are decided: the caller drops
    /// them, and offers the rest again with more behind it.
    ///
    /// `reply` gets whole responses; they must be written between two chunks of the opposite
    /// direction, never inside one. On an error `out` holds what stood before it.
    pub fn push(
        &mut self,
        input: &[u8],
        out: &mut Pieces,
        reply: &mut Vec<u8>,
    ) -> Result<usize, FrameError> {
        self.push_with(input, &mut Vec::new(), out, reply)
    }

    /// The same, and puts `own`, whole frames of the relay's own for the receiver, at the first
    /// place between two forwarded chunks; `own` is empty once they are in `out`.
    ///
    /// A short chunk may become many times as long where the receiver's path is: with half a
    /// mebibyte made it [stops](Pieces::stopped), and what is left of `input` is to be pushed again
    /// once that has been sent.
    pub fn push_with(
        &mut self,
        input: &[u8],
        own: &mut Vec<u8>,
        out: &mut Pieces,
        reply: &mut Vec<u8>,
    ) -> Result<usize, FrameError> {
        if self.in_forwarded_chunk().is_none() {
            out.place(own);
        }
        let mut to = Sinks { kept: Kept::new(input), own, out, reply };
        let pushed = self.push_chunks(&mut to);
        to.kept.end(to.out);
        pushed
    }

    fn push_chunks(&mut self, to: &mut Sinks<'_>) -> Result<usize, FrameError> {
        let (mut at, mut desk) = (0, self.framer.take_up());
        loop {
            let octets = match self.usual(at, &mut desk, to) {
                Some(octets) => octets,
                None => self.next(at, &mut desk, to)?,
            };
            at += octets;
            let is_enough =
                to.out.made.len() + to.reply.len() >= ENOUGH || to.reply.len() >= ENOUGH_ANSWERS;
            // Where a position can be told: not before an end that is found already.
            to.out.stopped = octets > 0 && is_enough && self.framer.fresh_body().is_ok();
            if octets == 0 || to.out.stopped {
                self.framer.put_down(&desk);
                return Ok(at);
            }
        }
    }

    /// Forwards the chunk at `at`, if it is as nearly all are, as far as it is there. Gives its octets.
    #[inline(always)]
    fn usual(&mut self, at: usize, desk: &mut Desk, to: &mut Sinks<'_>) -> Option<usize> {
        let usual = self.paths.usual().filter(|_| !self.trusting)?;
        let chunk = self.framer.usual(&to.kept.input[at..], usual, desk)?;
        let octets = chunk.head + chunk.rest.unwrap_or_default();
        to.keep_and_make(at..at + chunk.paths.start, usual.instead);
        to.kept.keep(at + chunk.paths.end..at + octets, to.out);
        to.out.passed.push(Passed { what: chunk.kind.into(), refused: None });
        (self.chunk, self.ahead) = (Chunk::Forwarded, 0);
        if chunk.rest.is_some() {
            self.end_chunk(to);
        }
        Some(octets)
    }

    /// Does with what comes at `at` what is to be done; gives its octets, 0 where more must be read.
    #[inline(never)]
    fn next(
        &mut self,
        at: usize,
        desk: &mut Desk,
        to: &mut Sinks<'_>,
    ) -> Result<usize, FrameError> {
        let (octets, is_end) = match self.framer.next_of(&to.kept.input[at..], desk)? {
            None => return Ok(0),
            Some(Found::Gap(octets)) => return Ok(octets),
            Some(Found::Head) => {
                self.head(&desk.head, at..at + desk.head.len, to);
                return Ok(desk.head.len);
            }
            Some(Found::Body(octets)) => {
                self.ahead = self.ahead.saturating_sub(octets as u64);
                (octets, false)
            }
            Some(Found::End { body, len, .. }) => (body + len, true),
        };
        if self.chunk == Chunk::Forwarded {
            to.kept.keep(at..at + octets, to.out);
            if is_end {
                self.end_chunk(to);
            }
        }
        Ok(octets)
    }

    /// A chunk has been forwarded to its end.
    #[inline(always)]
    fn end_chunk(&mut self, to: &mut Sinks<'_>) {
        if !to.own.is_empty() {
            to.kept.end(to.out);
            to.out.place(to.own);
        }
        self.chunks += 1;
    }

    /// Whether the stream may end here without cutting a chunk.
    pub fn between_chunks(&self) -> bool {
        self.framer.between_chunks()
    }

    /// The transaction id of a chunk whose head has been forwarded and whose end-line has not:
    /// `CRLF -------tid# CRLF` closes it for the receiver.
    pub fn in_forwarded_chunk(&self) -> Option<&[u8]> {
        self.framer.open_tid().filter(|_| self.chunk == Chunk::Forwarded)
    }

    /// The rest of the chunk in the reading is not forwarded.
    pub fn forsake_chunk(&mut self) {
        self.chunk = Chunk::Swallowed;
    }

    /// No more of this stream comes, whole or not. There is a [`position`](Self::position) again after
    /// an error.
    pub fn end_stream(&mut self) {
        self.framer.restart();
        (self.chunk, self.ahead) = (Chunk::Swallowed, 0);
    }

    /// From now on for another receiver. Call it where [`in_forwarded_chunk`](Self::in_forwarded_chunk)
    /// is None.
    pub fn redirect(&mut self, paths: PathPair) {
        self.paths = paths;
    }

    /// Octets of a forwarded chunk's body that are still to come, as its `Byte-Range` claims with an
    /// explicit end (RFC 4975 §7.1.1); 0 unless [trusting](Self::trusting_ranges), and where the
    /// range does not say.
    pub fn body_ahead(&self) -> u64 {
        if self.in_forwarded_chunk().is_some() { self.ahead } else { 0 }
    }

    /// So many octets, at most [`body_ahead`](Self::body_ahead), went to the receiver without being
    /// pushed. All that was pushed before them must be decided.
    ///
    /// Whatever follows is searched for the end-line as always, so a range that claims too little
    /// does no harm. One that claims too much, or a sender that aborts the chunk early, hides an
    /// end-line: then that sender's own chunks run together.
    pub fn skip(&mut self, octets: u64) {
        self.ahead = self.ahead.saturating_sub(octets);
        self.framer.skip_body();
    }

    /// Complete chunks forwarded so far.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Requests forwarded although their `From-Path` was not the sender's path of its SDP. No RFC
    /// has the receiver check it, and nothing is routed on it.
    pub fn foreign_from_paths(&self) -> u64 {
        self.foreign_from_paths
    }

    fn head(&mut self, head: &Head, range: Range<usize>, to: &mut Sinks<'_>) {
        let block = &to.kept.input[range.clone()];
        let judged = judge(head, block, &Key::Uri(self.paths.own()));
        self.chunk = match judged {
            Ok(lines) => {
                self.note_sender(head.kind, lines.1.value.of(block));
                self.replace_paths(head.kind, lines, range, to);
                self.ahead = if self.trusting { claimed(head, block) } else { 0 };
                Chunk::Forwarded
            }
            Err(refusal) => {
                refusal.answer(head, block, Some(self.paths.own()), to.reply);
                Chunk::Swallowed
            }
        };
        to.out.passed.push(Passed { what: head.kind.into(), refused: judged.err() });
    }

    fn note_sender(&mut self, kind: Kind, from_path: &[u8]) {
        let is_request = matches!(kind, Kind::Request { .. });
        self.foreign_from_paths += u64::from(is_request && !self.paths.is_senders(from_path));
    }

    /// Copies the block at `range` with new path lines, each where the old one stood.
    fn replace_paths(
        &self,
        kind: Kind,
        (to_path, from_path): (PathLine, PathLine),
        range: Range<usize>,
        to: &mut Sinks<'_>,
    ) {
        let to_path = (to_path.line, self.paths.to_line(kind));
        let from_path = (from_path.line, self.paths.sender_line());
        let to_first = to_path.0.start < from_path.0.start;
        let mut at = range.start;
        for (old, new) in if to_first { [to_path, from_path] } else { [from_path, to_path] } {
            to.keep_and_make(at..range.start + old.start as usize, new);
            at = range.start + old.end as usize;
        }
        to.kept.keep(at..range.end, to.out);
    }
}

/// Where the octets of one push go.
struct Sinks<'a> {
    /// To the receiver, as they came.
    kept: Kept<'a>,
    /// To the receiver, whole frames of the relay's own, between two chunks.
    own: &'a mut Vec<u8>,
    out: &'a mut Pieces,
    /// To the sender.
    reply: &'a mut Vec<u8>,
}

impl Sinks<'_> {
    /// What stands in `range`, and then `made`.
    #[inline(always)]
    fn keep_and_make(&mut self, range: Range<usize>, made: &[u8]) {
        self.kept.keep(range, self.out);
        self.kept.end(self.out);
        self.out.make(made);
    }
}

/// Octets of the body, as far as the range says.
fn claimed(head: &Head, block: &[u8]) -> u64 {
    let range = head.byte_range(block).filter(|_| head.has_body);
    let end = range.and_then(|range| range.end?.checked_sub(range.start));
    end.map_or(0, |last| last.saturating_add(1))
}
