use std::ops::Range;
use std::sync::Arc;

use crate::block::Usual;
use crate::framer::Found;
use crate::pieces::Kept;
use crate::refusal::{judge, same_uri};
use crate::{
    FrameError, Framer, Head, Key, Kind, Limits, Method, PathLine, Pieces, Position, Refusal,
    path_uris,
};

/// The paths of one direction of an aware session, from the sending leg to the receiving leg.
#[derive(Clone, Debug)]
pub struct PathPair {
    /// Sender's leg and receiver's leg in the order of [`both`](Self::both); shared, because most
    /// sessions are idle and hold little else.
    legs: Arc<[LegLines; 2]>,
    sender: usize,
}

/// One leg's paths as whole header lines.
#[derive(Debug)]
struct LegLines {
    /// As most chunks for its peer have them: `To-Path` with the path that peer put into its SDP,
    /// `From-Path` with the URI it was given as the other's.
    both: Box<[u8]>,
    /// Where the latter begins.
    middle: usize,
    /// `To-Path` with the first URI of the path only; None where there is only one.
    first: Option<Box<[u8]>>,
}

const FROM: &[u8] = b"From-Path: ";
const TO: &[u8] = b"To-Path: ";

impl LegLines {
    fn new<P: AsRef<[u8]>>(own: &[u8], path: &[P]) -> Self {
        let first = (path.len() > 1).then(|| line(TO, path[0].as_ref()).into());
        let mut both = line(TO, &join(path));
        let middle = both.len();
        both.extend_from_slice(&line(FROM, own));
        Self { both: both.into(), middle, first }
    }

    /// The `To-Path` line of the whole path.
    fn path(&self) -> &[u8] {
        &self.both[..self.middle]
    }

    /// The `From-Path` line.
    fn own(&self) -> &[u8] {
        &self.both[self.middle..]
    }
}

impl PathPair {
    /// `own`: the URI the sender was given (its `To-Path` must be exactly this one); `sender`: the
    /// path it put into its SDP; `receiver`: the path of the other peer, at least one URI; `other`:
    /// the URI that peer was given, which becomes `From-Path`.
    pub fn new<P: AsRef<[u8]>>(own: &[u8], sender: &[P], receiver: &[P], other: &[u8]) -> Self {
        let [pair, _] = Self::both((own, sender), (other, receiver));
        pair
    }

    /// Both directions of a session, from `a` and from `b`: the URI each peer was given and the
    /// path it put into its SDP.
    pub fn both<P: AsRef<[u8]>>(a: (&[u8], &[P]), b: (&[u8], &[P])) -> [Self; 2] {
        let legs = Arc::new([LegLines::new(a.0, a.1), LegLines::new(b.0, b.1)]);
        [Self { legs: Arc::clone(&legs), sender: 0 }, Self { legs, sender: 1 }]
    }

    /// The URI the sender was given.
    fn own(&self) -> &[u8] {
        value(FROM, self.legs[self.sender].own())
    }

    /// What nearly all the sender's chunks have.
    fn usual(&self) -> Usual<'_> {
        let sender = &self.legs[self.sender];
        Usual { to: &sender.own()[FROM.len()..], from: &sender.path()[TO.len()..] }
    }

    /// What both lines become where they stand together, if that is all of the path.
    fn both_lines(&self, kind: Kind) -> Option<&[u8]> {
        let receiver = &self.legs[1 - self.sender];
        let is_short = matches!(kind, Kind::Response { .. }) && receiver.first.is_some();
        (!is_short).then_some(&receiver.both)
    }

    /// What `From-Path` becomes.
    fn sender_line(&self) -> &[u8] {
        self.legs[1 - self.sender].own()
    }

    /// A response goes to the next hop only: such is the answer to SEND (RFC 4975 §7.2), and which
    /// method a response answers is not seen in it.
    fn to_line(&self, kind: Kind) -> &[u8] {
        let receiver = &self.legs[1 - self.sender];
        match (kind, &receiver.first) {
            (Kind::Response { .. }, Some(first)) => first,
            _ => receiver.path(),
        }
    }

    /// Whether `From-Path` is the path the sender put into its SDP.
    fn is_senders(&self, from_path: &[u8]) -> bool {
        let sender = value(TO, self.legs[self.sender].path());
        if from_path == sender {
            return true;
        }
        let (mut claimed, mut known) = (path_uris(from_path), path_uris(sender));
        loop {
            match (claimed.next(), known.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if same_uri(a, b) => {}
                _ => return false,
            }
        }
    }
}

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
        let mut kept = Kept::new(input);
        let pushed = self.push_events(&mut kept, own, out, reply);
        kept.end(out);
        pushed
    }

    fn push_events(
        &mut self,
        kept: &mut Kept<'_>,
        own: &mut Vec<u8>,
        out: &mut Pieces,
        reply: &mut Vec<u8>,
    ) -> Result<usize, FrameError> {
        let (mut at, mut head) = (0, Head::none());
        while let Some(found) = self.next_of(&kept.input[at..], &mut head)? {
            let start = at;
            match found {
                Found::Gap(octets) => at += octets,
                Found::Head => {
                    at += head.len;
                    self.head(&head, start..at, kept, out, reply);
                }
                Found::Body(len) | Found::End { len, .. } if self.chunk == Chunk::Swallowed => {
                    at += len;
                }
                Found::Body(octets) => {
                    at += octets;
                    self.ahead = self.ahead.saturating_sub(octets as u64);
                    kept.keep(start..at, out);
                }
                Found::End { len, .. } => {
                    at += len;
                    kept.keep(start..at, out);
                    if !own.is_empty() {
                        kept.end(out);
                        out.place(own);
                    }
                    self.chunks += 1;
                }
            }
        }
        Ok(at)
    }

    #[inline]
    fn next_of(&mut self, rest: &[u8], head: &mut Head) -> Result<Option<Found>, FrameError> {
        let paths = &self.paths;
        self.framer.next_of(rest, || paths.usual(), head)
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

    fn head(
        &mut self,
        head: &Head,
        range: Range<usize>,
        kept: &mut Kept<'_>,
        out: &mut Pieces,
        reply: &mut Vec<u8>,
    ) {
        let block = &kept.input[range.clone()];
        let judged = judge(head, block, &Key::Uri(self.paths.own()));
        self.chunk = match judged {
            Ok((to, from)) => {
                if !head.is_usual {
                    self.note_sender(head.kind, from.value.of(block));
                }
                self.replace_paths(head.kind, (to, from), range, kept, out);
                self.ahead = if self.trusting { claimed(head, block) } else { 0 };
                Chunk::Forwarded
            }
            Err(refusal) => {
                refusal.answer(head, block, Some(self.paths.own()), reply);
                Chunk::Swallowed
            }
        };
        out.passed.push(Passed { what: head.kind.into(), refused: judged.err() });
    }

    fn note_sender(&mut self, kind: Kind, from_path: &[u8]) {
        let is_request = matches!(kind, Kind::Request { .. });
        self.foreign_from_paths += u64::from(is_request && !self.paths.is_senders(from_path));
    }

    /// Copies the block at `range` with new path lines, each where the old one stood.
    fn replace_paths(
        &self,
        kind: Kind,
        (to, from): (PathLine, PathLine),
        range: Range<usize>,
        kept: &mut Kept<'_>,
        out: &mut Pieces,
    ) {
        if to.line.end == from.line.start
            && let Some(both) = self.paths.both_lines(kind)
        {
            kept.keep(range.start..range.start + to.line.start as usize, out);
            kept.end(out);
            out.make(both);
            return kept.keep(range.start + from.line.end as usize..range.end, out);
        }
        let to = (to.line, self.paths.to_line(kind));
        let from = (from.line, self.paths.sender_line());
        let to_first = to.0.start < from.0.start;
        let mut at = range.start;
        for (old, new) in if to_first { [to, from] } else { [from, to] } {
            kept.keep(at..range.start + old.start as usize, out);
            kept.end(out);
            out.make(new);
            at = range.start + old.end as usize;
        }
        kept.keep(at..range.end, out);
    }
}

/// Octets of the body, as far as the range says.
fn claimed(head: &Head, block: &[u8]) -> u64 {
    let range = head.byte_range(block).filter(|_| head.has_body);
    let end = range.and_then(|range| range.end?.checked_sub(range.start));
    end.map_or(0, |last| last.saturating_add(1))
}

fn join<P: AsRef<[u8]>>(path: &[P]) -> Vec<u8> {
    path.iter().map(P::as_ref).collect::<Vec<_>>().join(&b' ')
}

/// What stands in a line made by [`line`].
fn value<'a>(name: &[u8], line: &'a [u8]) -> &'a [u8] {
    &line[name.len()..line.len() - 2]
}

fn line(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, value, b"\r\n"].concat()
}
