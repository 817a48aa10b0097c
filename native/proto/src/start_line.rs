//! The first line of a chunk (RFC 4975 §9).

use crate::chars::{are_ident, is_control, is_ident};
use crate::end_line::MAX_TID;
use crate::{FrameError, Kind, Method, Span};

/// How it begins.
pub(crate) const MAGIC: &[u8] = b"MSRP ";

/// Whether `buf` is the start of a chunk, as far as it goes.
pub(crate) fn may_start(buf: &[u8]) -> bool {
    let known = buf.len().min(MAGIC.len());
    buf[..known] == MAGIC[..known]
}

/// What the line says that starts with [`MAGIC`] and whose CRLF stands at `end`.
pub(crate) fn parse(buf: &[u8], end: usize) -> Result<(Span, Kind), FrameError> {
    let (line, start) = (&buf[..end], MAGIC.len());
    let end = ident_len(buf.get(start..).unwrap_or_default());
    if end == 0 || end > MAX_TID || line.get(start + end).is_some_and(|&b| b != b' ') {
        // Ids below the 4 characters of RFC 4975 §9, and above its 32, are seen and harmless.
        return Err(FrameError::TransactionId);
    }
    let tid = Span::new(start, start + end);
    let kind = kind(line, start + end + 1).ok_or(FrameError::StartLine)?;
    Ok((tid, kind))
}

/// Characters of `ident` at the front; sixteen at a time.
#[inline]
pub(crate) fn ident_len(text: &[u8]) -> usize {
    let (sixteens, rest) = text.as_chunks();
    for (n, sixteen) in sixteens.iter().enumerate() {
        let length = are_ident(*sixteen).trailing_ones() as usize;
        if length < 16 {
            return 16 * n + length;
        }
    }
    let in_rest = rest.iter().position(|&b| !is_ident(b)).unwrap_or(rest.len());
    16 * sixteens.len() + in_rest
}

/// What stands from `start` to the end of `line`.
#[inline]
pub(crate) fn kind(line: &[u8], start: usize) -> Option<Kind> {
    let text = line.get(start..)?;
    if text == b"SEND" {
        return Some(Kind::Request { method: Method::Send, name: Span::new(start, line.len()) });
    }
    if text.first()?.is_ascii_digit() {
        return response(line, start);
    }
    // Blink's FILE_OFFSET is in use although `_` is no UPALPHA.
    let method = text.iter().all(|&b| b.is_ascii_uppercase() || b == b'_');
    method.then(|| Kind::Request { method: Method::of(text), name: Span::new(start, line.len()) })
}

fn response(line: &[u8], start: usize) -> Option<Kind> {
    let (code, rest) = line[start..].split_at_checked(3)?;
    let status = code.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
    })?;
    let comment = match rest {
        [] => None,
        [b' ', text @ ..] if !text.iter().any(|&b| is_control(b)) => {
            Some(Span::new(start + 4, line.len()))
        }
        _ => return None,
    };
    Some(Kind::Response { status, comment })
}
