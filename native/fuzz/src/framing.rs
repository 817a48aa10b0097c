//! RFC 4975 §7.1 and §9 over a whole stream: find the line, look what it is, go on.

use std::ops::Range;

use msrp_proto::{Event, FrameError, Framer, Limits};

/// What stands where in a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// CRLFs between chunks.
    Gap(Range<usize>),
    /// A header block.
    Head(Range<usize>),
    /// A body, as far as it is certain to be one.
    Body(Range<usize>),
    /// An end-line, and the CRLF before it where it ends a body.
    End(Range<usize>, u8),
    /// The line that broke a rule starts here.
    Error(usize, FrameError),
}

/// What the framer finds, when `portion` more octets arrive at a time.
pub fn found(stream: &[u8], portion: usize, limits: Limits) -> Vec<Found> {
    let mut framer = Framer::new(limits);
    let mut list = Vec::new();
    let mut at = 0;
    for arrived in arrivals(stream.len(), portion) {
        loop {
            let event = match framer.next(&stream[at..arrived]) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    list.push(Found::Error(at + framer.fault_offset(), error));
                    return list;
                }
            };
            let range = at..at + event.len();
            assert!(range.start < range.end && range.end <= arrived, "a span of the input");
            at = range.end;
            match (event, list.last_mut()) {
                (Event::Gap(_), Some(Found::Gap(last))) => last.end = at,
                (Event::Body(_), Some(Found::Body(last))) => last.end = at,
                (Event::Gap(_), _) => list.push(Found::Gap(range)),
                (Event::Body(_), _) => list.push(Found::Body(range)),
                (Event::Head(_), _) => list.push(Found::Head(range)),
                (Event::End { flag, .. }, _) => list.push(Found::End(range, flag.as_byte())),
            }
        }
    }
    list
}

/// How much of a stream has arrived, each time more does.
pub fn arrivals(len: usize, portion: usize) -> impl Iterator<Item = usize> {
    (portion..len).step_by(portion).chain([len])
}

/// What is to be found.
pub fn expected(stream: &[u8], limits: Limits) -> Vec<Found> {
    let mut list = Vec::new();
    let mut at = 0;
    loop {
        let gap = stream[at..].chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
        if gap > 0 {
            list.push(Found::Gap(at..at + gap));
            at += gap;
        }
        if at == stream.len() || &stream[at..] == b"\r" {
            return list;
        }
        let block = match block(&stream[at..], limits) {
            Ok(Some(block)) => block,
            Ok(None) => return list,
            Err((offset, error)) => {
                list.push(Found::Error(at + offset, error));
                return list;
            }
        };
        list.push(Found::Head(at..at + block.len));
        let body = at + block.len;
        let end_line = [b"\r\n-------", &stream[at..][block.tid]].concat();
        let bare = &end_line[2..];
        let end = if !block.has_body || starts(&stream[body..], bare) {
            Some((body, bare.len() + 3))
        } else if may_become(&stream[body..], bare) {
            return list;
        } else {
            let end = (body..stream.len()).find(|i| starts(&stream[*i..], &end_line));
            let open = || (body..stream.len()).find(|i| may_become(&stream[*i..], &end_line));
            let until = end.or_else(open).unwrap_or(stream.len());
            if until > body {
                list.push(Found::Body(body..until));
            }
            end.map(|end| (end, end_line.len() + 3))
        };
        let Some((end, len)) = end else { return list };
        list.push(Found::End(end..end + len, stream[end + len - 3]));
        at = end + len;
    }
}

/// Whether `text` starts with the end-line, flag and CRLF.
fn starts(text: &[u8], end_line: &[u8]) -> bool {
    let rest = text.strip_prefix(end_line).unwrap_or_default();
    rest.len() >= 3 && b"+$#".contains(&rest[0]) && &rest[1..3] == b"\r\n"
}

/// Whether `text` is cut short and could be the start of one.
fn may_become(text: &[u8], end_line: &[u8]) -> bool {
    b"+$#".iter().any(|flag| {
        let whole = [end_line, &[*flag], b"\r\n"].concat();
        text.len() < whole.len() && whole.starts_with(text)
    })
}

/// A complete header block; offsets count from its start.
pub struct Block {
    /// Octets, with the blank line if there is one.
    pub len: usize,
    /// The transaction id.
    pub tid: Range<usize>,
    /// Whether a blank line ends it.
    pub has_body: bool,
}

type Fault = (usize, FrameError);

/// The block at the front; None while it is not complete.
pub fn block(text: &[u8], limits: Limits) -> Result<Option<Block>, Fault> {
    let magic = text.len().min(5);
    if text[..magic] != b"MSRP "[..magic] {
        return Err((0, FrameError::Magic));
    }
    let (mut start, mut tid, mut count) = (0, 0..0, 0);
    loop {
        let Some(end) = line_end(text, start, limits)? else { return Ok(None) };
        let line = &text[start..end];
        let fault = |error| Err((start, error));
        if start == 0 {
            tid = start_line(line).map_err(|error| (0, error))?;
        } else if line.is_empty() {
            return Ok(Some(Block { len: end + 2, tid, has_body: true }));
        } else if line.starts_with(b"-------") {
            let own = line[7..].strip_prefix(&text[tid.clone()]);
            return match own {
                None => fault(FrameError::EndLineMismatch),
                Some(b"+" | b"$" | b"#") => Ok(Some(Block { len: start, tid, has_body: false })),
                Some(_) => fault(FrameError::EndLine),
            };
        } else {
            count += 1;
            if count > limits.headers {
                return Err((0, FrameError::HeadersTooLarge));
            }
            header(line).map_err(|error| (start, error))?;
        }
        start = end + 2;
    }
}

/// Where the line's CRLF stands.
fn line_end(text: &[u8], start: usize, limits: Limits) -> Result<Option<usize>, Fault> {
    let longest_line = start + limits.line + 2;
    let seen = &text[..text.len().min(longest_line).min(limits.head)];
    match seen.iter().skip(start).position(|byte| *byte == b'\n') {
        Some(at) if at > 0 && seen[start + at - 1] == b'\r' => Ok(Some(start + at - 1)),
        Some(_) => Err((start, FrameError::BareLf)),
        None if seen.len() == text.len() && text.len() < longest_line.min(limits.head) => Ok(None),
        None if limits.head < longest_line => Err((0, FrameError::HeadersTooLarge)),
        None => Err((start, FrameError::LineTooLong)),
    }
}

/// The transaction id of a good start line.
fn start_line(line: &[u8]) -> Result<Range<usize>, FrameError> {
    let text = &line["MSRP ".len().min(line.len())..];
    let tid = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let ident = |b: &u8| b.is_ascii_alphanumeric() || b".-+%=".contains(b);
    if tid.is_empty() || tid.len() > 64 || !tid.iter().all(ident) {
        return Err(FrameError::TransactionId);
    }
    let what = text.get(tid.len() + 1..).unwrap_or_default();
    let method = !what.is_empty() && what.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    let status = what.len() >= 3 && what[..3].iter().all(u8::is_ascii_digit);
    let comment =
        what.get(3).is_none_or(|blank| *blank == b' ') && what.iter().skip(4).all(|b| !control(*b));
    if method || (status && comment) { Ok(5..5 + tid.len()) } else { Err(FrameError::StartLine) }
}

fn header(line: &[u8]) -> Result<(), FrameError> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(FrameError::FoldedHeader);
    }
    if line.iter().any(|byte| control(*byte)) {
        return Err(FrameError::HeaderChar);
    }
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(b);
    let name = line.iter().take_while(|byte| token(byte)).count();
    if name > 0 && line.get(name) == Some(&b':') { Ok(()) } else { Err(FrameError::HeaderLine) }
}

fn control(byte: u8) -> bool {
    (byte < 32 && byte != b'\t') || byte == 127
}
