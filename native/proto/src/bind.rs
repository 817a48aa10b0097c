use crate::Limits;

/// The relay's own empty SEND that binds a dialled leg (RFC 4975 §5.4). `to_path` may be several
/// URIs with one blank between; `tid` and `message_id` are 4–32 characters of `ident`, fresh and
/// random.
pub fn bind_request(to_path: &[u8], from_path: &[u8], tid: &[u8], message_id: &[u8]) -> Vec<u8> {
    let _ = (to_path, from_path, tid, message_id);
    todo!()
}

/// What a peer made of our bind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Not yet complete.
    NeedMore,
    /// The response to our bind.
    Response {
        /// 200 binds the leg.
        status: u16,
        /// Octets to drop; what stands behind them belongs to the session.
        len: usize,
    },
    /// Something else came first, or no MSRP at all.
    Unexpected,
}

/// Waits for the response to our own bind.
#[derive(Clone, Debug)]
pub struct BindAnswer {
    limits: Limits,
}

impl BindAnswer {
    /// For the bind sent under `tid`.
    pub fn new(tid: &[u8], limits: Limits) -> Self {
        let _ = tid;
        Self { limits }
    }

    /// Looks at everything received so far; nothing may be dropped from `buf` between two calls.
    pub fn look(&mut self, buf: &[u8]) -> Answer {
        let _ = (buf, self.limits);
        todo!()
    }
}
