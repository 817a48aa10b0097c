//! A chunk as nearly all are, read in one go: the paths of its direction come first, no header follows
//! that anything depends on, and the first hyphens of the body are those of the end-line.
//!
//! Nothing is refused here. What is written otherwise, breaks a rule or is not complete is left to
//! [`Block`](crate::block::Block) and [`EndLine`](crate::end_line::EndLine), which would read what is
//! read here in the same way.
//!
//! Inlined by force into the loop over chunks: calls would show (`python -m bench.instructions`).

use std::mem;
use std::ops::Range;

use crate::chars::first_control;
use crate::end_line::{HYPHENS, MAX_TID};
use crate::start_line::{self, MAGIC};
use crate::{Flag, Kind, Limits, Span, places};

/// The paths that nearly every chunk of a direction has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual<'a> {
    /// As it stands in its line behind the blank, with the CRLF.
    pub(crate) to: &'a [u8],
    /// The same.
    pub(crate) from: &'a [u8],
    /// What both lines become.
    pub(crate) instead: &'a [u8],
}

/// Such a chunk, as far as it is there; at least its header block is.
#[derive(Clone, Debug)]
pub(crate) struct UsualChunk {
    pub(crate) kind: Kind,
    pub(crate) tid: Span,
    /// `To-Path` and then `From-Path`, whole lines.
    pub(crate) paths: Range<usize>,
    /// Octets of the header block, as [`Head::len`](crate::Head::len).
    pub(crate) head: usize,
    /// Octets of what follows, body and end-line, if that is all there.
    pub(crate) rest: Option<usize>,
}

/// Most header lines, the paths included. Hardly a chunk has more. Where limits allow less, no chunk is
/// read so.
const LINES: usize = 8;
const PATHS: usize = 2;
/// A body that is longer may be looked at twice; this bounds how much of it.
const NEAR: usize = 4 * 1024;
const CRLF: &[u8] = b"\r\n";

/// The chunk at the front of `buf`, if it is such a one.
#[inline(always)]
pub(crate) fn read(buf: &[u8], paths: Usual<'_>, limits: &Limits) -> Option<UsualChunk> {
    let (tid, kind, start) = start(buf)?;
    let to = after(buf, start, b"To-Path: ", paths.to)?;
    let paths = start..after(buf, to, b"From-Path: ", paths.from)?;
    let text = &buf[..buf.len().min(limits.line).min(limits.head)];
    let head = headers(text, paths.end).filter(|_| LINES <= limits.headers)?;
    let rest = match buf[..head] {
        [.., b'\r', b'\n', b'\r', b'\n'] => end(&buf[head..], tid.of(buf)),
        _ => Some(closing(&text[head..], tid.of(buf))?),
    };
    Some(UsualChunk { kind, tid, paths, head, rest })
}

/// Transaction id, kind and length of the start line.
#[inline(always)]
fn start(buf: &[u8]) -> Option<(Span, Kind, usize)> {
    let text = buf.strip_prefix(MAGIC)?;
    let length = start_line::ident_len(text);
    let end = MAGIC.len() + length;
    let rest = text.get(length..).filter(|rest| rest.starts_with(b" "))?;
    let line = if rest.starts_with(b" SEND\r\n") { end + 5 } else { end + line(rest)? };
    let kind =
        start_line::kind(&buf[..line], end + 1).filter(|_| (1..=MAX_TID).contains(&length))?;
    Some((Span::new(MAGIC.len(), end), kind, line + 2))
}

/// Octets of the line at the front of `text`, if it has no control characters, TAB included.
#[inline(always)]
fn line(text: &[u8]) -> Option<usize> {
    first_control(text).filter(|octets| text[*octets..].starts_with(CRLF))
}

/// Where the line at `start` ends, if it consists of these.
#[inline(always)]
fn after(buf: &[u8], start: usize, name: &[u8], value: &[u8]) -> Option<usize> {
    let rest = buf.get(start..)?.strip_prefix(name)?;
    (value.len() > 2 && rest.starts_with(value)).then_some(start + name.len() + value.len())
}

/// Where the block ends whose lines go on at `at`: behind the blank line, or before what seems to be
/// the end-line.
#[inline(always)]
fn headers(buf: &[u8], mut at: usize) -> Option<usize> {
    let mut has_message_id = false;
    for _ in PATHS..=LINES {
        let text = buf.get(at..)?;
        match text {
            [b'\r', b'\n', ..] => return Some(at + 2),
            [b'-', ..] => return Some(at),
            _ if is_message_id(text)? && mem::replace(&mut has_message_id, true) => return None,
            _ => at += line(text)? + 2,
        }
    }
    None
}

/// Whether the line, of those that nothing depends on, is the one that may not come twice. The names
/// of others would have to be looked at.
#[inline(always)]
fn is_message_id(text: &[u8]) -> Option<bool> {
    let is = |name: &[u8]| text.starts_with(name);
    match text.first()? {
        b'M' if is(b"Message-ID:") => Some(true),
        b'B' if is(b"Byte-Range:") => Some(false),
        b'C' if is(b"Content-Type:") => Some(false),
        b'F' if is(b"Failure-Report:") => Some(false),
        b'S' if is(b"Success-Report:") || is(b"Status:") => Some(false),
        _ => None,
    }
}

/// Octets of body and end-line, where that is near.
#[inline(always)]
fn end(body: &[u8], tid: &[u8]) -> Option<usize> {
    let hyphens = places::first_hyphens(&body[..body.len().min(NEAR)])?;
    let closing = closing(&body[hyphens..], tid).filter(|_| body[..hyphens].ends_with(CRLF))?;
    // Else it may have ended before it began, without a CRLF of its own.
    (body.first() != Some(&b'-')).then_some(hyphens + closing)
}

/// Octets of the end-line at the front of `text`, which must be whole.
#[inline(always)]
fn closing(text: &[u8], tid: &[u8]) -> Option<usize> {
    match text.strip_prefix(HYPHENS)?.strip_prefix(tid)? {
        [flag, b'\r', b'\n', ..] => Flag::of(*flag).map(|_| HYPHENS.len() + tid.len() + 3),
        _ => None,
    }
}
