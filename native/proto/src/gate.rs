use crate::refusal::judge;
use crate::{Event, FrameError, Framer, Head, Kind, Limits, Refusal};

/// What the first frame of an accepted connection must name.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// Opaque policies: the session-id of the first URI.
    SessionId(&'a [u8]),
    /// Aware: exactly one URI, equal to this one (RFC 4975 §6.1).
    Uri(&'a [u8]),
}

/// What to do with the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The right peer. Nothing has been consumed: the first frame is still to be forwarded.
    Bind {
        /// Whether that frame has a body.
        has_body: bool,
    },
    /// The header block is incomplete.
    NeedMore,
    /// Not this connection; the right peer can still come.
    Refuse {
        /// A response to write before closing. It does not reveal our URI.
        reply: Option<Vec<u8>>,
        /// For the counter.
        cause: RefuseCause,
    },
}

/// Why a connection did not pass the gate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RefuseCause {
    /// Not MSRP.
    Framing(FrameError),
    /// A request that must be refused.
    Request(Refusal),
    /// A response came first.
    Response,
}

impl RefuseCause {
    /// The code under which the refusal is counted and logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Framing(_) => "not-msrp",
            Self::Request(refusal) => refusal.as_str(),
            Self::Response => "not-a-request",
        }
    }
}

/// Judges the first frame of an accepted connection before it is bound to a leg.
#[derive(Clone, Debug)]
pub struct Gate {
    framer: Framer,
    /// Most octets of CRLFs before the first frame.
    longest_gap: usize,
    /// Octets of CRLFs seen before it.
    gap: usize,
    first: Option<Head>,
}

impl Gate {
    /// A gate for one new connection.
    pub fn new(limits: Limits) -> Self {
        Self { framer: Framer::new(limits), longest_gap: limits.line, gap: 0, first: None }
    }

    /// Looks at everything received so far; nothing may be dropped from `buf` between two calls.
    pub fn look(&mut self, buf: &[u8], key: &Key<'_>) -> Verdict {
        let head = match self.first(buf) {
            Ok(Some(head)) => head,
            Ok(None) => return Verdict::NeedMore,
            Err(error) => {
                return Verdict::Refuse { reply: None, cause: RefuseCause::Framing(error) };
            }
        };
        if matches!(head.kind, Kind::Response { .. }) {
            return Verdict::Refuse { reply: None, cause: RefuseCause::Response };
        }
        match judge(&head, self.block(buf), key) {
            Ok(_) => Verdict::Bind { has_body: head.has_body },
            Err(refusal) => Verdict::Refuse {
                reply: self.answer(refusal, buf),
                cause: RefuseCause::Request(refusal),
            },
        }
    }

    /// After [`Verdict::Bind`]: the 506 for a connection that came second to its leg; None where
    /// its first frame must not be answered.
    pub fn session_bound(&self, buf: &[u8]) -> Option<Vec<u8>> {
        self.answer(Refusal::SessionBound, buf)
    }

    fn first(&mut self, buf: &[u8]) -> Result<Option<Head>, FrameError> {
        while self.first.is_none() {
            match self.framer.next(self.block(buf))? {
                Some(Event::Gap(octets)) => self.gap += octets,
                Some(Event::Head(head)) => self.first = Some(head),
                _ => break,
            }
            if self.gap > self.longest_gap {
                return Err(FrameError::LineTooLong);
            }
        }
        Ok(self.first)
    }

    fn block<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        buf.get(self.gap..).unwrap_or_default()
    }

    fn answer(&self, refusal: Refusal, buf: &[u8]) -> Option<Vec<u8>> {
        let mut reply = Vec::new();
        refusal.answer(self.first.as_ref()?, self.block(buf), None, &mut reply);
        (!reply.is_empty()).then_some(reply)
    }
}
