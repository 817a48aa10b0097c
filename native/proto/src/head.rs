use crate::Span;
use crate::chars::{is_blank, trim};

/// The methods a relay treats differently from others. Names are case-sensitive (RFC 4975 §9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Any other (AUTH, NICKNAME ...); forwarded like the rest.
    Other,
    /// RFC 4975; never answered.
    Report,
    /// RFC 4975.
    Send,
}

impl Method {
    pub(crate) fn of(name: &[u8]) -> Self {
        match name {
            b"SEND" => Self::Send,
            b"REPORT" => Self::Report,
            _ => Self::Other,
        }
    }
}

/// What the start line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `MSRP tid METHOD`.
    Request {
        /// The method.
        method: Method,
        /// Its name as written.
        name: Span,
    },
    /// `MSRP tid status [comment]`.
    Response {
        /// Three digits.
        status: u16,
        /// The text behind the status; None if there is not even the blank before it.
        comment: Option<Span>,
    },
}

/// A `To-Path` or `From-Path` line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathLine {
    /// The whole line with its CRLF.
    pub line: Span,
    /// The URIs, without the blanks around them.
    pub value: Span,
}

impl PathLine {
    /// The URIs of the path, leftmost (next hop) first.
    pub fn uris<'a>(self, block: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        path_uris(self.value.of(block))
    }
}

/// The URIs of a path value; runs of blanks between them count as one.
pub fn path_uris(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| is_blank(b)).filter(|uri| !uri.is_empty())
}

/// What the sender of a request wants to hear (RFC 4975 §7.1.3); absent or unreadable means yes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FailureReport {
    /// No answer at all, of any kind.
    No,
    /// Errors only.
    Partial,
    /// Every answer.
    #[default]
    Yes,
}

/// A `Byte-Range` value (RFC 4975 §7.1.1). A peer's claim: good for display, never for allocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteRange {
    /// Position of the first octet, counted from 1.
    pub start: u64,
    /// Position of the last octet; None for `*` and for numbers above 2^63.
    pub end: Option<u64>,
    /// Size of the whole message in octets; None as for `end`.
    pub total: Option<u64>,
}

/// Start line and headers of one chunk, as spans over the buffer they stand in.
///
/// Every method that takes a `block` wants the bytes the [`Event::Head`](crate::Event::Head)
/// covered (or anything that starts with them).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Octets of the whole block: start line, header lines and, if there is one, the blank line.
    pub len: usize,
    /// Octets of start line and header lines, their CRLFs included, without the blank line.
    pub header_len: usize,
    /// Request or response.
    pub kind: Kind,
    /// The transaction id.
    pub tid: Span,
    /// The first `To-Path` line.
    pub to_path: Option<PathLine>,
    /// The first `From-Path` line.
    pub from_path: Option<PathLine>,
    /// Whether `To-Path`, `From-Path` or `Message-ID` occur more than once: nothing may be routed
    /// on such a chunk.
    pub duplicate: bool,
    /// The `Failure-Report` header.
    pub failure_report: FailureReport,
    /// Whether a `Message-ID` header is present.
    pub message_id: bool,
    /// Whether a `Content-Type` header is present.
    pub content_type: bool,
    /// Whether a blank line ends the block, so that a body, maybe empty, follows. (A bodiless
    /// chunk written with a blank line is told from an empty body by its end-line only.)
    pub has_body: bool,
    pub(crate) start_line_len: usize,
    pub(crate) byte_range: Option<Span>,
}

impl Head {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self::begin(Span::default(), Kind::Response { status: 0, comment: None }, 0)
    }

    /// A head of which only the start line, `start_line_len` octets with its CRLF, is known.
    pub(crate) fn begin(tid: Span, kind: Kind, start_line_len: usize) -> Self {
        Self {
            len: start_line_len,
            header_len: start_line_len,
            kind,
            tid,
            to_path: None,
            from_path: None,
            duplicate: false,
            failure_report: FailureReport::Yes,
            message_id: false,
            content_type: false,
            has_body: false,
            start_line_len,
            byte_range: None,
        }
    }

    /// Every header line in order.
    pub fn headers<'a>(&self, block: &'a [u8]) -> Headers<'a> {
        Headers { rest: block.get(self.start_line_len..self.header_len).unwrap_or(&[]) }
    }

    /// The `Byte-Range` header; None if absent or not of its form.
    pub fn byte_range(&self, block: &[u8]) -> Option<ByteRange> {
        parse_byte_range(self.byte_range?.of(block))
    }

    /// Whether the relay may answer this chunk at all: not to responses, not to REPORT, not where
    /// `Failure-Report: no` asks for silence (RFC 4975 §7.1.2, §7.2).
    pub fn may_be_answered(&self) -> bool {
        match self.kind {
            Kind::Request { method: Method::Report, .. } | Kind::Response { .. } => false,
            Kind::Request { .. } => self.failure_report != FailureReport::No,
        }
    }
}

/// Iterates over header lines as (name, value); the value is without the blanks around it.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end + 1);
        self.rest = rest;
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], trim(&line[colon + 1..end.saturating_sub(1).max(colon + 1)])))
    }
}

fn parse_byte_range(value: &[u8]) -> Option<ByteRange> {
    let dash = memchr::memchr(b'-', value)?;
    let slash = memchr::memchr(b'/', value)?;
    let start = number(value.get(..dash)?)??;
    let end = number(value.get(dash + 1..slash)?)?;
    let total = number(value.get(slash + 1..)?)?;
    Some(ByteRange { start, end, total })
}

/// None: not a number. Some(None): `*`, or more than 2^63.
fn number(digits: &[u8]) -> Option<Option<u64>> {
    if digits == b"*" {
        return Some(None);
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|&n| n <= 1 << 63)
    });
    Some(value)
}
