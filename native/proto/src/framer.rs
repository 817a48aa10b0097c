use crate::{FrameError, Head};

/// What a peer may make us hold before a chunk's body begins, in octets and lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Longest line, its CRLF not counted.
    pub line: usize,
    /// Longest header block, start line and blank line included.
    pub head: usize,
    /// Most header lines.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 16 * 1024, head: 64 * 1024, headers: 128 }
    }
}

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

/// Finds the chunk boundaries in one direction of a connection.
#[derive(Clone, Debug)]
pub struct Framer {
    limits: Limits,
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Looks at the unconsumed bytes; None means "read more". The caller drops
    /// [`Event::len`] bytes from the front before the next call, and none otherwise.
    pub fn next(&mut self, buf: &[u8]) -> Result<Option<Event>, FrameError> {
        let _ = (buf, self.limits);
        todo!()
    }

    /// Whether the stream may end here without cutting a chunk.
    pub fn between_chunks(&self) -> bool {
        todo!()
    }

    /// After an error: where the line that broke the rule starts (a limit on the whole block: the
    /// block), counted from the buffer's front.
    pub fn fault_offset(&self) -> usize {
        todo!()
    }
}
