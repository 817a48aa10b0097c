//! Finding the end of a chunk's body (RFC 4975 §7.1).

use crate::places::Places;
use crate::{Flag, FrameError};

/// Longest transaction id accepted. RFC 4975 allows 32; some senders exceed it.
pub(crate) const MAX_TID: usize = 64;
/// How every end-line starts.
pub(crate) const HYPHENS: &[u8] = b"-------";

const CRLF: usize = 2;
/// What stands before the transaction id behind a body.
pub(crate) const OPENING: &[u8; 9] = b"\r\n-------";
/// Flag and CRLF behind the transaction id.
const CLOSING: usize = 3;

/// Whether bytes are an end-line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Match {
    No,
    /// All there is fits; more bytes decide.
    Open,
    Whole(Flag),
}

/// The end-line of one chunk, with the CRLF before it and without its flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndLine {
    text: [u8; OPENING.len() + MAX_TID],
    len: u8,
}

impl Default for EndLine {
    fn default() -> Self {
        let mut text = [0; OPENING.len() + MAX_TID];
        text[..OPENING.len()].copy_from_slice(OPENING);
        Self { text, len: OPENING.len() as u8 }
    }
}

impl EndLine {
    /// Makes it that of `tid`, at most [`MAX_TID`] octets; what exceeds is ignored.
    pub(crate) fn set(&mut self, tid: &[u8]) {
        let tid = &tid[..tid.len().min(MAX_TID)];
        let len = OPENING.len() + tid.len();
        self.text[OPENING.len()..len].copy_from_slice(tid);
        self.len = len as u8;
    }

    fn line(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    pub(crate) fn tid(&self) -> &[u8] {
        &self.line()[OPENING.len()..]
    }

    /// Octets from the CRLF before the end-line to the CRLF that ends it.
    pub(crate) fn octets(&self) -> usize {
        self.line().len() + CLOSING
    }

    /// Octets of the end-line alone.
    pub(crate) fn bare_octets(&self) -> usize {
        self.octets() - CRLF
    }

    /// Whether `at` starts with the end-line alone.
    pub(crate) fn bare(&self, at: &[u8]) -> Match {
        compare(&self.line()[CRLF..], at)
    }

    /// Where the body may end: the first place that is, or with more bytes could turn out to be,
    /// CRLF and the end-line. [`Match::No`] comes with the end of `buf`.
    pub(crate) fn search(&self, buf: &[u8]) -> (usize, Match) {
        let line = self.line();
        let mut places = Places::new(buf, line);
        while let Some(start) = places.next() {
            let found = compare(line, &buf[start..]);
            #[cfg(test)]
            crate::steps::add(self.octets().min(buf.len() - start));
            if found != Match::No {
                return (start, found);
            }
        }
        (buf.len(), Match::No)
    }
}

/// The flag of a line of the header block that starts with [`HYPHENS`] and has lost its CRLF. There
/// it must be the chunk's own end-line: nothing else may follow the headers.
pub(crate) fn closing(line: &[u8], tid: &[u8]) -> Result<Flag, FrameError> {
    let rest = line[HYPHENS.len()..].strip_prefix(tid).ok_or(FrameError::EndLineMismatch)?;
    match rest {
        [flag] => Flag::of(*flag).ok_or(FrameError::EndLine),
        _ => Err(FrameError::EndLine),
    }
}

#[inline]
fn compare(line: &[u8], at: &[u8]) -> Match {
    if let (Some(first), Some(wanted)) = (at.first(), line.first())
        && first != wanted
    {
        return Match::No;
    }
    let known = line.len().min(at.len());
    if at[..known] != line[..known] {
        return Match::No;
    }
    match &at[known..] {
        [] => Match::Open,
        [flag, rest @ ..] => match (Flag::of(*flag), rest) {
            (Some(flag), [b'\r', b'\n', ..]) => Match::Whole(flag),
            (Some(_), [] | [b'\r']) => Match::Open,
            _ => Match::No,
        },
    }
}
