//! One header line (RFC 4975 §9), noted in a [`Head`].

use crate::block::Line;
use crate::chars::{is_blank, is_control, is_token, trim};
use crate::head::{FailureReport, Head, PathLine};
use crate::{FrameError, Span};

/// A header the relay reads.
#[derive(Clone, Copy)]
enum Name {
    ByteRange,
    ContentType,
    FailureReport,
    FromPath,
    MessageId,
    Other,
    ToPath,
}

/// Notes `line`, which begins at `start`.
#[inline]
pub(crate) fn note(
    head: &mut Head,
    block: &[u8],
    start: usize,
    line: &Line,
) -> Result<(), FrameError> {
    let text = &block[start..line.end];
    let (name, colon) = match as_usual(text) {
        Some(known) if line.plain => known,
        _ => {
            let colon = check(text)?;
            (named(&text[..colon]), colon)
        }
    };
    let value = || span_of(block, start + colon + 1, line.end);
    let path = || PathLine { line: Span::new(start, line.end + 2), value: value() };
    match name {
        Name::ToPath => {
            head.duplicate |= head.to_path.is_some();
            head.to_path.get_or_insert_with(path);
        }
        Name::FromPath => {
            head.duplicate |= head.from_path.is_some();
            head.from_path.get_or_insert_with(path);
        }
        Name::MessageId => {
            head.duplicate |= head.message_id;
            head.message_id = true;
        }
        Name::ByteRange => {
            head.byte_range.get_or_insert_with(value);
        }
        Name::ContentType => head.content_type = true,
        Name::FailureReport => head.failure_report = failure_report(value().of(block)),
        Name::Other => {}
    }
    Ok(())
}

/// The name and where its colon stands, if it is written as everybody writes it.
#[inline]
fn as_usual(text: &[u8]) -> Option<(Name, usize)> {
    match text.first()? {
        b'T' if text.starts_with(b"To-Path:") => Some((Name::ToPath, 7)),
        b'F' if text.starts_with(b"From-Path:") => Some((Name::FromPath, 9)),
        b'M' if text.starts_with(b"Message-ID:") => Some((Name::MessageId, 10)),
        b'B' if text.starts_with(b"Byte-Range:") => Some((Name::ByteRange, 10)),
        b'C' if text.starts_with(b"Content-Type:") => Some((Name::ContentType, 12)),
        _ => None,
    }
}

/// Names have no case (RFC 4975 §9). They differ in length, so hardly one costs a comparison.
fn named(name: &[u8]) -> Name {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    match name.len() {
        7 if is(b"To-Path") => Name::ToPath,
        9 if is(b"From-Path") => Name::FromPath,
        10 if is(b"Message-ID") => Name::MessageId,
        10 if is(b"Byte-Range") => Name::ByteRange,
        12 if is(b"Content-Type") => Name::ContentType,
        14 if is(b"Failure-Report") => Name::FailureReport,
        _ => Name::Other,
    }
}

/// Where the colon stands. Blanks before it are refused: a next hop that trims them and one that
/// does not would read two different headers.
fn check(line: &[u8]) -> Result<usize, FrameError> {
    if line.first().is_some_and(|&b| is_blank(b)) {
        return Err(FrameError::FoldedHeader);
    }
    // No early exit, so that the compiler can test many octets at a time.
    if line.iter().fold(false, |found, &b| found | is_control(b)) {
        return Err(FrameError::HeaderChar);
    }
    match line.iter().position(|&b| !is_token(b)) {
        Some(colon) if colon > 0 && line[colon] == b':' => Ok(colon),
        _ => Err(FrameError::HeaderLine),
    }
}

/// The span of `block[start..end]` without the blanks around it.
fn span_of(block: &[u8], start: usize, end: usize) -> Span {
    let text = &block[start..end];
    match text {
        // As everybody writes it.
        [b' ', first, .., last] if !is_blank(*first) && !is_blank(*last) => {
            Span::new(start + 1, end)
        }
        _ => {
            let lead = text.iter().position(|&b| !is_blank(b)).unwrap_or(text.len());
            Span::new(start + lead, start + lead + trim(text).len())
        }
    }
}

/// Anything but the two other words means yes (RFC 4975 §7.1.3); the words have no case.
fn failure_report(value: &[u8]) -> FailureReport {
    if value.eq_ignore_ascii_case(b"no") {
        FailureReport::No
    } else if value.eq_ignore_ascii_case(b"partial") {
        FailureReport::Partial
    } else {
        FailureReport::Yes
    }
}
