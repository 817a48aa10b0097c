use crate::{FrameError, Kind, Limits, Method, Pieces, Refusal};

/// The paths of one direction of an aware session, from the sending leg to the receiving leg.
#[derive(Clone, Debug)]
pub struct PathPair {
    own: Box<[u8]>,
}

impl PathPair {
    /// `own`: the URI the sender was given (its `To-Path` must be exactly this one); `sender`: the
    /// path it put into its SDP; `receiver`: the path of the other peer; `other`: the URI that peer
    /// was given, which becomes `From-Path`.
    pub fn new<P: AsRef<[u8]>>(own: &[u8], sender: &[P], receiver: &[P], other: &[u8]) -> Self {
        let _ = (sender, receiver, other);
        Self { own: own.into() }
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

/// Forwards one direction of an aware session: both path lines replaced, every other octet kept.
///
/// A deterministic function of the byte stream: however the stream is cut into pushes, after the
/// same input the same output has been given.
#[derive(Clone, Debug)]
pub struct Rewriter {
    paths: PathPair,
    limits: Limits,
}

impl Rewriter {
    /// A rewriter at the start of a stream.
    pub fn new(paths: PathPair, limits: Limits) -> Self {
        Self { paths, limits }
    }

    /// Reads `input` from its start; appends what goes to the receiver to `out` and what goes back
    /// to the sender (481, 400) to `reply`. Returns how many bytes are decided: the caller drops
    /// them, and offers the rest again with more bytes behind it.
    ///
    /// `reply` holds whole responses; they must be written between two chunks of the opposite
    /// direction, never inside one. On an error `out` holds what stood before it.
    pub fn push(
        &mut self,
        input: &[u8],
        out: &mut Pieces,
        reply: &mut Vec<u8>,
    ) -> Result<usize, FrameError> {
        let _ = (input, out, reply, &self.paths.own, self.limits);
        todo!()
    }

    /// Whether the stream may end here without cutting a chunk.
    pub fn between_chunks(&self) -> bool {
        todo!()
    }

    /// The transaction id of a chunk whose head has been forwarded and whose end-line has not:
    /// `CRLF -------tid# CRLF` closes it for the receiver.
    pub fn in_forwarded_chunk(&self) -> Option<&[u8]> {
        todo!()
    }

    /// Complete chunks forwarded so far.
    pub fn chunks(&self) -> u64 {
        todo!()
    }

    /// Requests forwarded although their `From-Path` was not the sender's path of its SDP.
    pub fn foreign_from_paths(&self) -> u64 {
        todo!()
    }
}
