use std::error::Error;
use std::fmt;

/// The rule of framing a stream broke. After one of these the place of the next chunk is unknown:
/// the stream is lost and its connection has to be aborted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FrameError {
    /// A line of the header block ends in LF without CR (RFC 4975 §9).
    BareLf,
    /// The flag of a bodiless chunk's end-line is not `+`, `$` or `#`, or more follows it
    /// (RFC 4975 §9).
    EndLine,
    /// A bodiless chunk is closed with another transaction id than its own (RFC 4975 §7.1).
    EndLineMismatch,
    /// A header line starts with a blank; MSRP has no folding (RFC 4976 §3).
    FoldedHeader,
    /// A control character in a header line (RFC 4975 §9).
    HeaderChar,
    /// A header line that does not read `name ":" value` (RFC 4975 §9).
    HeaderLine,
    /// More header bytes or header lines than [`Limits`](crate::Limits) allow.
    HeadersTooLarge,
    /// A line longer than [`Limits`](crate::Limits) allow.
    LineTooLong,
    /// A chunk does not start with `MSRP SP` (RFC 4975 §9).
    Magic,
    /// Neither a method nor a three-digit status after the transaction id (RFC 4975 §9).
    StartLine,
    /// The transaction id is empty, longer than 64 characters or not of `ident` (RFC 4975 §9).
    TransactionId,
}

impl FrameError {
    /// The code under which the rule is counted, logged and tested.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "bare_lf",
            Self::EndLine => "bad_endline",
            Self::EndLineMismatch => "endline_tid_mismatch",
            Self::FoldedHeader => "folded_header",
            Self::HeaderChar => "bad_header_char",
            Self::HeaderLine => "bad_header_line",
            Self::HeadersTooLarge => "headers_too_large",
            Self::LineTooLong => "line_too_long",
            Self::Magic => "bad_magic",
            Self::StartLine => "bad_start_line",
            Self::TransactionId => "bad_tid",
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareLf => "line ended by LF without CR (RFC 4975 §9)",
            Self::EndLine => "end-line without a flag of + $ # and CRLF (RFC 4975 §9)",
            Self::EndLineMismatch => "end-line with a foreign transaction id (RFC 4975 §7.1)",
            Self::FoldedHeader => "folded header line (RFC 4976 §3)",
            Self::HeaderChar => "control character in a header line (RFC 4975 §9)",
            Self::HeaderLine => "header line without a name and a colon (RFC 4975 §9)",
            Self::HeadersTooLarge => "header block above the limit",
            Self::LineTooLong => "line above the limit",
            Self::Magic => "chunk that does not start with \"MSRP \" (RFC 4975 §9)",
            Self::StartLine => "start line without a method or a status (RFC 4975 §9)",
            Self::TransactionId => "malformed transaction id (RFC 4975 §9)",
        })
    }
}

impl Error for FrameError {}
