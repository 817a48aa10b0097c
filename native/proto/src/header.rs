//! One header line (RFC 4975 §9), noted in a [`Head`].

use crate::chars::{is_blank, is_control, is_token, trim};
use crate::head::{FailureReport, Head, PathLine};
use crate::{FrameError, Span};

/// Notes the line `block[start..end]`, given without its CRLF.
pub(crate) fn note(
    head: &mut Head,
    block: &[u8],
    start: usize,
    end: usize,
) -> Result<(), FrameError> {
    let line = &block[start..end];
    let colon = check(line)?;
    let name = &line[..colon];
    let value = span_of(block, start + colon + 1, end);
    let path = PathLine { line: Span::new(start, end + 2), value };
    // The names differ in length, so hardly a line costs more than one comparison.
    match colon {
        7 if name.eq_ignore_ascii_case(b"To-Path") => {
            head.duplicate |= head.to_path.is_some();
            head.to_path.get_or_insert(path);
        }
        9 if name.eq_ignore_ascii_case(b"From-Path") => {
            head.duplicate |= head.from_path.is_some();
            head.from_path.get_or_insert(path);
        }
        10 if name.eq_ignore_ascii_case(b"Message-ID") => {
            head.duplicate |= head.message_id;
            head.message_id = true;
        }
        10 if name.eq_ignore_ascii_case(b"Byte-Range") => {
            head.byte_range.get_or_insert(value);
        }
        12 if name.eq_ignore_ascii_case(b"Content-Type") => head.content_type = true,
        14 if name.eq_ignore_ascii_case(b"Failure-Report") => {
            head.failure_report = failure_report(value.of(block));
        }
        _ => {}
    }
    Ok(())
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
    let lead = text.iter().position(|&b| !is_blank(b)).unwrap_or(text.len());
    Span::new(start + lead, start + lead + trim(text).len())
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
