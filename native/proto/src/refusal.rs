use crate::{Head, Key, Kind, Method, PathLine, Uri, path_uris};

/// Why a chunk is refused although it is framed well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// `To-Path`, `From-Path` or `Message-ID` twice (400).
    DuplicateHeader,
    /// No `To-Path` or no `From-Path` (400 where there is a path to answer on).
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

    fn status(self) -> &'static [u8] {
        match self {
            Self::DuplicateHeader | Self::MissingPath => b"400 Bad request",
            Self::SessionBound => b"506 Session already bound",
            Self::WrongToPath => b"481 No such session",
        }
    }

    /// Appends the response to the request `head`, if it may be answered and says where to.
    ///
    /// `From-Path` echoes the URI that was asked for: ours is the key to the session and not told
    /// to a stranger. `own` stands in where nothing was asked for; None: then say nothing.
    pub(crate) fn answer(self, head: &Head, block: &[u8], own: Option<&[u8]>, reply: &mut Vec<u8>) {
        let asked = head.to_path.and_then(|path| path.uris(block).next()).or(own);
        let (Some(to), Some(from), true) = (head.from_path, asked, head.may_be_answered()) else {
            return;
        };
        let tid = head.tid.of(block);
        for part in [b"MSRP ", tid, b" ", self.status(), b"\r\nTo-Path:"] {
            reply.extend_from_slice(part);
        }
        for uri in to.uris(block).take(reach(head)) {
            reply.push(b' ');
            reply.extend_from_slice(uri);
        }
        for part in [b"\r\nFrom-Path: ", from, b"\r\n-------", tid, b"$\r\n"] {
            reply.extend_from_slice(part);
        }
    }
}

/// How many URIs of the request's `From-Path` its response travels along: a response to SEND goes
/// one hop, any other the whole way (RFC 4975 §7.2).
fn reach(head: &Head) -> usize {
    match head.kind {
        Kind::Request { method: Method::Send, .. } => 1,
        _ => usize::MAX,
    }
}

/// The path lines of a chunk that `key` lets through.
pub(crate) fn judge(
    head: &Head,
    block: &[u8],
    key: &Key<'_>,
) -> Result<(PathLine, PathLine), Refusal> {
    if head.duplicate {
        return Err(Refusal::DuplicateHeader);
    }
    let (Some(to), Some(from)) = (head.to_path, head.from_path) else {
        return Err(Refusal::MissingPath);
    };
    if !names(to.value.of(block), key) {
        return Err(Refusal::WrongToPath);
    }
    Ok((to, from))
}

/// Whether a `To-Path` names the holder of `key`. An aware relay takes its own URI alone: one with
/// others behind it asks for an RFC 4976 relay, and forwarding it would make an open one.
fn names(to_path: &[u8], key: &Key<'_>) -> bool {
    if matches!(key, Key::Uri(own) if to_path == *own) {
        return true;
    }
    let mut uris = path_uris(to_path);
    let first = uris.next().unwrap_or_default();
    match key {
        Key::SessionId(id) => Uri::parse(first).is_ok_and(|uri| uri.session_id == Some(id)),
        Key::Uri(own) => uris.next().is_none() && same_uri(first, own),
    }
}

/// Equality of RFC 4975 §6.1; what is no URI equals nothing.
pub(crate) fn same_uri(a: &[u8], b: &[u8]) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
