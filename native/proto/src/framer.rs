use crate::block::{Block, Ending};
use crate::end_line::{EndLine, Match};
use crate::limits::Bounds;
use crate::usual::{self, Usual, UsualChunk};
use crate::{FrameError, Head, Limits};

/// The continuation flag of an end-line (RFC 4975 §7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flag {
    /// `#`: the sender gave up.
    Aborted,
    /// `$`: the message is complete.
    Complete,
    /// `+`: more chunks of the message follow.
    More,
}

impl Flag {
    /// The flag's octet.
    pub fn as_byte(self) -> u8 {
        match self {
            Self::Aborted => b'#',
            Self::Complete => b'$',
            Self::More => b'+',
        }
    }

    pub(crate) fn of(byte: u8) -> Option<Self> {
        match byte {
            b'#' => Some(Self::Aborted),
            b'$' => Some(Self::Complete),
            b'+' => Some(Self::More),
            _ => None,
        }
    }
}

/// What stands at the front of the buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Octets of a body that cannot belong to its end-line.
    Body(usize),
    /// The end of a chunk, always in one piece: of a body its last CRLF and the end-line, else the
    /// end-line alone.
    End {
        /// The continuation flag.
        flag: Flag,
        /// Octets covered.
        len: usize,
    },
    /// CRLFs between chunks, which some peers send as keepalive.
    Gap(usize),
    /// A complete header block.
    Head(Head),
}

impl Event {
    /// How many octets the event covers; never 0.
    #[expect(clippy::len_without_is_empty, reason = "an event is never empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Body(len) | Self::Gap(len) | Self::End { len, .. } => *len,
            Self::Head(head) => head.len,
        }
    }
}

/// An [`Event`] whose head is kept where the caller has room for it.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Body(usize),
    /// Behind the last `body` octets of the body.
    End {
        body: usize,
        flag: Flag,
        len: usize,
    },
    Gap(usize),
    Head,
}

/// Finds the chunk boundaries in one direction of a connection (RFC 4975 §7.1).
///
/// Copies nothing: events are spans at the front of the caller's buffer. It remembers how far it
/// looked, so that a peer that sends one octet at a time costs no more than another; between two
/// chunks it holds no memory for that.
/// What could turn out to be an end-line is held back until that is decided: an end-line is given
/// in one piece, for some peers lose its flag otherwise.
#[derive(Clone, Debug)]
pub struct Framer {
    bounds: Bounds,
    state: State,
    /// In the middle of a chunk, unless it is in the caller's hands. Boxed: most directions are idle.
    kept: Option<Box<Desk>>,
}

/// What is known of the chunk in the reading.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// Of a header block that was found.
    pub(crate) head: Head,
    block: Block,
    /// While its body is awaited.
    end_line: EndLine,
}

impl Desk {
    fn new() -> Self {
        Self { head: Head::none(), block: Block::default(), end_line: EndLine::default() }
    }
}

/// What stands at the front of the buffer.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The gap between chunks, then a header block.
    Block,
    /// A body. `fresh`: nothing of it has been given, so that the CRLF before its end-line may be
    /// that of the blank line (an empty body written without its own CRLF).
    Body { fresh: bool },
    /// An end of `len` octets that has been found already.
    End { flag: Flag, len: u32 },
    /// What cannot be framed; `offset` as in [`Framer::fault_offset`].
    Lost { error: FrameError, offset: u32 },
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self { bounds: Bounds::of(limits), state: State::Block, kept: None }
    }

    /// Looks at the unconsumed bytes; None means "read more". The caller drops [`Event::len`]
    /// octets from the front before the next call, and none otherwise. An error is final: every
    /// later call repeats it.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        let mut desk = self.take_up();
        let found = self.next_of(buf, &mut desk)?;
        let event = found.map(|found| match found {
            Found::Body(octets) => Event::Body(octets),
            Found::End { body: 0, flag, len } => Event::End { flag, len },
            Found::End { body, flag, len } => {
                self.state = State::End { flag, len: len as u32 };
                Event::Body(body)
            }
            Found::Gap(octets) => Event::Gap(octets),
            Found::Head => Event::Head(desk.head),
        });
        self.put_down(&desk);
        Ok(event)
    }

    /// What is known of the chunk in the reading, for any number of calls of
    /// [`next_of`](Self::next_of); to be [put down](Self::put_down) behind them.
    pub(crate) fn take_up(&mut self) -> Desk {
        self.kept.as_deref().map_or_else(Desk::new, Desk::clone)
    }

    /// Keeps what is on the desk, if it is needed.
    pub(crate) fn put_down(&mut self, desk: &Desk) {
        let is_inside = match self.state {
            State::Block => !desk.block.is_untouched(),
            State::Body { .. } => true,
            State::End { .. } | State::Lost { .. } => false,
        };
        match &mut self.kept {
            _ if !is_inside => self.kept = None,
            // A chunk of many reads takes its room once.
            Some(kept) => **kept = desk.clone(),
            None => self.kept = Some(Box::new(desk.clone())),
        }
    }

    /// The chunk at the front, if it is as nearly all are. Where not all of it is there,
    /// [`next_of`](Self::next_of) goes on behind its header block.
    #[inline(always)]
    pub(crate) fn usual(
        &mut self,
        buf: &[u8],
        paths: Usual<'_>,
        desk: &mut Desk,
    ) -> Option<UsualChunk> {
        if !matches!(self.state, State::Block) || !desk.block.is_untouched() {
            return None;
        }
        let chunk = usual::read(buf, paths, &self.bounds.limits())?;
        if chunk.rest.is_none() {
            desk.end_line.set(chunk.tid.of(buf));
            self.state = State::Body { fresh: true };
        }
        Some(chunk)
    }

    /// The same as [`next`](Self::next).
    pub(crate) fn next_of(
        &mut self,
        buf: &[u8],
        desk: &mut Desk,
    ) -> Result<Option<Found>, FrameError> {
        match self.state {
            State::Block => self.block(buf, desk),
            State::Body { fresh } => Ok(self.body(buf, fresh, desk)),
            State::End { flag, len } => {
                let len = len as usize;
                Ok((buf.len() >= len).then(|| self.end(0, flag, len, desk)))
            }
            State::Lost { error, .. } => Err(error),
        }
    }

    /// Whether the stream may end here without cutting a chunk: nothing of a chunk has been seen
    /// beyond what was dropped.
    pub fn between_chunks(&self) -> bool {
        matches!(self.state, State::Block) && self.kept.is_none()
    }

    /// After an error: where the line that broke the rule starts (for a limit on the whole block,
    /// the block), counted from the buffer's front.
    pub fn fault_offset(&self) -> usize {
        match self.state {
            State::Lost { offset, .. } => offset as usize,
            _ => 0,
        }
    }

    /// The transaction id of the chunk whose body stands at the front of the buffer.
    pub(crate) fn open_tid(&self) -> Option<&[u8]> {
        let kept = self.kept.as_deref().filter(|_| matches!(self.state, State::Body { .. }))?;
        Some(kept.end_line.tid())
    }

    /// A framer in the middle of a body.
    pub(crate) fn in_body(limits: Limits, tid: &[u8], fresh: bool) -> Self {
        let mut desk = Desk::new();
        desk.end_line.set(tid);
        let (bounds, kept) = (Bounds::of(limits), Some(Box::new(desk)));
        Self { bounds, state: State::Body { fresh }, kept }
    }

    /// At the start of another stream, also after an error.
    pub(crate) fn restart(&mut self) {
        (self.state, self.kept) = (State::Block, None);
    }

    /// Whether nothing of the body at the front has been given; `None` where there is no body.
    /// `Err` after an error, or where not all that could be framed has been.
    pub(crate) fn fresh_body(&self) -> Result<Option<bool>, ()> {
        match self.state {
            State::Block => Ok(None),
            State::Body { fresh } => Ok(Some(fresh)),
            State::End { .. } | State::Lost { .. } => Err(()),
        }
    }

    /// Octets of the body were passed on unseen: no blank line stands before what comes now.
    pub(crate) fn skip_body(&mut self) {
        if let State::Body { fresh } = &mut self.state {
            *fresh = false;
        }
    }

    fn block(&mut self, buf: &[u8], desk: &mut Desk) -> Result<Option<Found>, FrameError> {
        if desk.block.is_untouched() && matches!(buf.first(), None | Some(b'\r')) {
            match gap(buf) {
                0 if buf.len() < 2 => return Ok(None),
                0 => {}
                octets => return Ok(Some(Found::Gap(octets))),
            }
        }
        match desk.block.read(buf, &self.bounds.limits(), &mut desk.head) {
            Ok(None) => Ok(None),
            Ok(Some(ending)) => {
                self.state = match ending {
                    Ending::BlankLine => {
                        desk.end_line.set(desk.head.tid.of(buf));
                        State::Body { fresh: true }
                    }
                    Ending::EndLine { flag, len } => State::End { flag, len: len as u32 },
                };
                Ok(Some(Found::Head))
            }
            Err(error) => {
                self.state = State::Lost { error, offset: desk.block.fault_offset(error) as u32 };
                Err(error)
            }
        }
    }

    fn body(&mut self, buf: &[u8], fresh: bool, desk: &mut Desk) -> Option<Found> {
        let end_line = &desk.end_line;
        if fresh {
            match end_line.bare(buf) {
                Match::No => self.state = State::Body { fresh: false },
                Match::Open => return None,
                Match::Whole(flag) => return Some(self.end(0, flag, end_line.bare_octets(), desk)),
            }
        }
        match end_line.search(buf) {
            (octets, Match::Whole(flag)) => Some(self.end(octets, flag, end_line.octets(), desk)),
            (octets, _) => (octets > 0).then_some(Found::Body(octets)),
        }
    }

    #[inline]
    fn end(&mut self, body: usize, flag: Flag, len: usize, desk: &mut Desk) -> Found {
        self.state = State::Block;
        desk.block = Block::default();
        Found::End { body, flag, len }
    }
}

/// Octets of whole CRLFs at the front.
fn gap(buf: &[u8]) -> usize {
    2 * buf.chunks_exact(2).take_while(|pair| pair == b"\r\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps;

    const HEAD: &[u8] = b"MSRP lD000001 SEND\r\nContent-Type: a/b\r\n\r\n";
    const END: &[u8] = b"\r\n-------lD000001$\r\n";

    /// Octets looked at to frame `stream` when `portion` more arrive at a time, per octet of it,
    /// rounded.
    fn steps_per_octet(stream: &[u8], portion: usize) -> usize {
        let mut framer = Framer::new(Limits::default());
        let mut at = 0;
        steps::take();
        for end in (0..stream.len()).step_by(portion).chain([stream.len()]) {
            while let Ok(Some(event)) = framer.next(&stream[at..end]) {
                at += event.len();
            }
        }
        (steps::take() + stream.len() / 2) / stream.len()
    }

    /// Bodies that cost a scanner the most, 256 KiB each.
    fn bodies() -> Vec<Vec<u8>> {
        [
            &b"-"[..],
            b"\r",
            b"\r\n",
            b"\r\n-------",
            b"\r\n-------lD00000",
            b"\r\n-------lD000002$\r\n",
            b"\r\n-------lD000001$\r",
            b"\r\n-------lD000001\r\n",
        ]
        .map(|unit| unit.repeat((256 << 10) / unit.len()))
        .to_vec()
    }

    #[test]
    fn hostile_bodies_cost_a_bounded_number_of_looks_per_octet() {
        for body in bodies() {
            let stream = [HEAD, &body, END].concat();
            for (portion, most) in [(stream.len(), 4), (4096, 4), (1, 2 * END.len())] {
                let steps = steps_per_octet(&stream, portion);
                assert!(
                    (1..=most).contains(&steps),
                    "{steps} per octet, {:?}..",
                    &body[..20].escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_header_line_that_does_not_end_is_looked_at_once() {
        let long = [b"MSRP lD000001 SEND\r\nX: ", &[b'x'; 16_000][..]].concat();
        for portion in [1, 7, long.len()] {
            assert!(steps_per_octet(&long, portion) <= 1);
        }
    }

    #[test]
    fn the_state_of_a_direction_is_small() {
        assert!(size_of::<Framer>() <= 32, "{}", size_of::<Framer>());
        assert!(size_of::<crate::Rewriter>() <= 80, "{}", size_of::<crate::Rewriter>());
    }
}
