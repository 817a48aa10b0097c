//! A header block in the reading, line by line.

use memchr::memchr;
use wide::u8x16;

use crate::chars::is_control;
use crate::end_line::{self, HYPHENS};
use crate::{Flag, FrameError, Head, Limits, PathLine, Span, header, start_line};

/// Where in its header block the next chunk has arrived. Offsets count from the block's start,
/// which stays at the front of the buffer until the block is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// The start line is complete.
    begun: bool,
    /// Where the line in the reading starts.
    line: usize,
    /// Up to where that line holds no LF.
    looked: usize,
    /// Header lines so far.
    count: usize,
}

/// The paths that nearly every chunk of a direction has, each as it stands in its line behind the
/// blank, with the CRLF.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usual<'a> {
    pub(crate) to: &'a [u8],
    pub(crate) from: &'a [u8],
}

/// How a header block ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// By a blank line: a body follows.
    BlankLine,
    /// By the end-line of `len` octets, which follows the block.
    EndLine { flag: Flag, len: usize },
}

impl Block {
    /// Whether no octet of the chunk has been seen.
    pub(crate) fn is_untouched(&self) -> bool {
        self.looked == 0
    }

    /// Where the line starts that broke a rule.
    pub(crate) fn fault_offset(&self, error: FrameError) -> usize {
        if error == FrameError::HeadersTooLarge { 0 } else { self.line }
    }

    /// Reads the lines that are complete into `head`, always the same one; None means "read more".
    /// Octets seen in an earlier call are not searched again.
    pub(crate) fn read<'a>(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        usual: impl FnOnce() -> Usual<'a>,
        head: &mut Head,
    ) -> Result<Option<Ending>, FrameError> {
        if !self.begun {
            if !self.begin(buf, limits, head)? {
                return Ok(None);
            }
            self.pass_usual(head, buf, limits, usual());
        }
        while let Some(line) = self.next_line(buf, limits)? {
            if let Some(ending) = self.take(&line, head, buf, limits)? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    /// The start line; false while it is not complete.
    fn begin(&mut self, buf: &[u8], limits: &Limits, head: &mut Head) -> Result<bool, FrameError> {
        if !start_line::may_start(buf) {
            return Err(FrameError::Magic);
        }
        let Some(line) = self.next_line(buf, limits)? else { return Ok(false) };
        let (tid, kind) = start_line::parse(buf, line.end)?;
        self.pass(&line);
        *head = Head::begin(tid, kind, self.line);
        self.begun = true;
        Ok(true)
    }

    /// Passes both path lines where they come first and hold these paths. What is compared is known
    /// to be well-formed and has not to be looked at again.
    #[inline]
    fn pass_usual(&mut self, head: &mut Head, buf: &[u8], limits: &Limits, usual: Usual<'_>) {
        let Some(to) = usual_line(buf, self.line, b"To-Path: ", usual.to) else { return };
        let end = to.line.end as usize;
        let Some(from) = usual_line(buf, end, b"From-Path: ", usual.from) else { return };
        let end = from.line.end as usize;
        if end - self.line <= limits.line && end <= limits.head && limits.headers >= 2 {
            (head.to_path, head.from_path, head.is_usual) = (Some(to), Some(from), true);
            (self.count, self.line, self.looked) = (2, end, end);
        }
    }

    /// The line that begins at `self.line`, if it is there.
    #[inline(always)]
    fn next_line(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<Line>, FrameError> {
        if self.looked == self.line {
            match text(&buf[self.line..]) {
                Text::Line(octets) if octets <= limits.line => {
                    let end = self.line + octets;
                    if end + 2 <= limits.head {
                        return Ok(Some(Line { end, plain: true }));
                    }
                }
                Text::Open => self.looked = buf.len(),
                Text::Line(_) | Text::Odd => {}
            }
        }
        self.next_odd_line(buf, limits)
    }

    /// The same where it is too long, not complete or has control characters. What is too long is
    /// refused at the first octet too many, so that it does not matter in which portions the octets
    /// came.
    #[cold]
    fn next_odd_line(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<Line>, FrameError> {
        let longest = self.line + limits.line + 2;
        let bound = longest.min(limits.head);
        let window = &buf[..buf.len().min(bound)];
        let unseen = window.get(self.looked..).unwrap_or_default();
        #[cfg(test)]
        crate::steps::add(unseen.len());
        match memchr(b'\n', unseen) {
            Some(at) if window[self.line..self.looked + at].ends_with(b"\r") => {
                Ok(Some(Line { end: self.looked + at - 1, plain: false }))
            }
            Some(_) => Err(FrameError::BareLf),
            None if buf.len() < bound => {
                self.looked = buf.len();
                Ok(None)
            }
            None if bound == longest => Err(FrameError::LineTooLong),
            None => Err(FrameError::HeadersTooLarge),
        }
    }

    fn pass(&mut self, line: &Line) {
        self.line = line.end + 2;
        self.looked = self.line;
    }

    /// A line behind the start line; how the block ends if this ends it.
    #[inline(always)]
    fn take(
        &mut self,
        line: &Line,
        head: &mut Head,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<Ending>, FrameError> {
        let text = &buf[self.line..line.end];
        match text.first() {
            None => {
                head.header_len = self.line;
                head.len = line.end + 2;
                head.has_body = true;
                return Ok(Some(Ending::BlankLine));
            }
            Some(b'-') if text.starts_with(HYPHENS) => {
                head.header_len = self.line;
                head.len = self.line;
                let flag = end_line::closing(text, head.tid.of(buf))?;
                return Ok(Some(Ending::EndLine { flag, len: text.len() + 2 }));
            }
            Some(_) => {}
        }
        self.count += 1;
        if self.count > limits.headers {
            return Err(FrameError::HeadersTooLarge);
        }
        header::note(head, buf, self.line, line)?;
        self.pass(line);
        Ok(None)
    }
}

/// The line at `start`, if it consists of these.
#[inline]
fn usual_line(buf: &[u8], start: usize, name: &[u8], value: &[u8]) -> Option<PathLine> {
    let rest = buf.get(start..)?.strip_prefix(name)?;
    let (from, to) = (start + name.len(), start + name.len() + value.len());
    (value.len() > 2 && rest.starts_with(value))
        .then(|| PathLine { line: Span::new(start, to), value: Span::new(from, to - 2) })
}

/// A complete line.
pub(crate) struct Line {
    /// Where its CRLF stands.
    pub(crate) end: usize,
    /// No control character stands in it, TAB included.
    pub(crate) plain: bool,
}

/// What bytes begin with.
enum Text {
    /// So many octets without a control character, then CRLF.
    Line(usize),
    /// No control character at all.
    Open,
    /// Another control character, or a CR whose LF is not there.
    Odd,
}

/// Looks for the first control character; in almost every line that is the CR.
#[inline]
fn text(bytes: &[u8]) -> Text {
    let control = first_control(bytes);
    #[cfg(test)]
    crate::steps::add(control.unwrap_or(bytes.len()));
    match control {
        None => Text::Open,
        Some(at) if bytes[at..].starts_with(b"\r\n") => Text::Line(at),
        Some(_) => Text::Odd,
    }
}

/// Sixteen octets at a time.
#[inline]
fn first_control(bytes: &[u8]) -> Option<usize> {
    let (sixteens, rest) = bytes.as_chunks();
    for (n, sixteen) in sixteens.iter().enumerate() {
        let found = controls(*sixteen);
        if found != 0 {
            return Some(16 * n + found.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|&b| is_control(b) || b == b'\t')?;
    Some(16 * sixteens.len() + at)
}

/// Bit n: octet n is below a blank, or DEL.
#[inline]
fn controls(octets: [u8; 16]) -> i32 {
    let octets = u8x16::new(octets);
    let below = octets.min(u8x16::splat(b' ' - 1)).cmp_eq(octets);
    (below | octets.cmp_eq(u8x16::splat(0x7F))).move_mask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_control_character_is_found(
            text in "[ -~\u{80}-\u{2ff}]{0,40}",
            control in prop_oneof![0u8..32, Just(0x7F)],
            rest in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let line = [text.as_bytes(), &[control], &rest].concat();
            prop_assert_eq!(first_control(&line), Some(text.len()));
            prop_assert_eq!(first_control(text.as_bytes()), None);
        }
    }
}
