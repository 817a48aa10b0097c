use crate::{Event, FrameError, Framer, Head, Kind, Limits};

/// The relay's own empty SEND that binds a dialled leg (RFC 4975 §5.4). `to_path` may be several
/// URIs with one blank between; `tid` and `message_id` are 4–32 characters of `ident`, fresh and
/// random.
pub fn bind_request(to_path: &[u8], from_path: &[u8], tid: &[u8], message_id: &[u8]) -> Vec<u8> {
    [
        b"MSRP ",
        tid,
        b" SEND\r\nTo-Path: ",
        to_path,
        b"\r\nFrom-Path: ",
        from_path,
        b"\r\nMessage-ID: ",
        message_id,
        b"\r\nByte-Range: 1-0/0\r\n-------",
        tid,
        b"$\r\n",
    ]
    .concat()
}

/// What a peer made of our bind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BindOutcome {
    /// Not yet complete.
    NeedMore,
    /// The response to our bind.
    Response {
        /// 200 binds the leg.
        status: u16,
        /// Octets to drop; what stands behind them belongs to the session.
        len: usize,
    },
    /// Something else came first, or no MSRP at all, or a response that does not end.
    Unexpected,
}

/// Waits for the response to our own bind.
#[derive(Clone, Debug)]
pub struct BindAnswer {
    framer: Framer,
    tid: Box<[u8]>,
    /// Most octets to wait through: a response has no body to speak of.
    longest: usize,
    /// Octets framed so far.
    at: usize,
    state: Waiting,
}

#[derive(Clone, Copy, Debug)]
enum Waiting {
    ForEnd { status: u16 },
    ForHead,
    Over(BindOutcome),
}

impl BindAnswer {
    /// For the bind sent under `tid`.
    pub fn new(tid: &[u8], limits: Limits) -> Self {
        let framer = Framer::new(limits);
        Self { framer, tid: tid.into(), longest: limits.head, at: 0, state: Waiting::ForHead }
    }

    /// Looks at everything received so far; nothing may be dropped from `buf` between two calls.
    pub fn look(&mut self, buf: &[u8]) -> BindOutcome {
        loop {
            if let Waiting::Over(answer) = self.state {
                return answer;
            }
            let rest = buf.get(self.at..).unwrap_or_default();
            match self.framer.next(rest) {
                Ok(None) => return BindOutcome::NeedMore,
                event => self.take(event, rest),
            }
        }
    }

    fn take(&mut self, event: Result<Option<Event>, FrameError>, rest: &[u8]) {
        let Ok(Some(event)) = event else {
            self.state = Waiting::Over(BindOutcome::Unexpected);
            return;
        };
        self.at += event.len();
        self.state = match (self.state, event) {
            (Waiting::ForEnd { status }, Event::End { .. }) => {
                Waiting::Over(BindOutcome::Response { status, len: self.at })
            }
            _ if self.at > self.longest => Waiting::Over(BindOutcome::Unexpected),
            (Waiting::ForHead, Event::Head(head)) => match self.status(&head, rest) {
                Some(status) => Waiting::ForEnd { status },
                None => Waiting::Over(BindOutcome::Unexpected),
            },
            (state, _) => state,
        };
    }

    fn status(&self, head: &Head, block: &[u8]) -> Option<u16> {
        match head.kind {
            Kind::Response { status, .. } if head.tid.of(block) == &*self.tid => Some(status),
            _ => None,
        }
    }
}
