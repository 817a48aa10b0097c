use crate::Head;

/// Why a chunk is refused although it is framed well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// `To-Path`, `From-Path` or `Message-ID` twice (400).
    DuplicateHeader,
    /// No `To-Path` or no `From-Path` (400 where the sender is known).
    MissingPath,
    /// The session is bound to another connection (506).
    SessionBound,
    /// `To-Path` is not exactly the one URI of this leg (481).
    WrongToPath,
}

impl Refusal {
    /// The code under which the refusal is counted and logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateHeader => "duplicate-header",
            Self::MissingPath => "missing-path",
            Self::SessionBound => "session-bound",
            Self::WrongToPath => "wrong-to-path",
        }
    }
}

/// Appends the response that refuses the request `head`, if it may be answered; `from` is used as
/// `From-Path` where the request has no `To-Path` to echo.
pub(crate) fn answer(
    refusal: Refusal,
    head: &Head,
    block: &[u8],
    from: Option<&[u8]>,
    reply: &mut Vec<u8>,
) {
    let _ = (refusal, head, block, from, reply);
    todo!()
}
