//! A header block in the reading, line by line.

use memchr::memchr;

use crate::chars::is_control;
use crate::end_line::{self, HYPHENS};
use crate::{Flag, FrameError, Head, Limits, header, start_line};

/// Where in its header block the next chunk has arrived. Offsets count from the block's start,
/// which stays at the front of the buffer until the block is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// None until the start line is complete, and while no part of a block waits for more. Boxed:
    /// most directions are idle.
    head: Option<Box<Head>>,
    /// Where the line in the reading starts.
    line: usize,
    /// Up to where that line holds no LF.
    looked: usize,
    /// Header lines so far.
    count: usize,
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

    /// Reads the lines that are complete; None means "read more". Octets seen in an earlier call
    /// are not searched again.
    pub(crate) fn read(
        &mut self,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<(Head, Ending)>, FrameError> {
        // Most blocks are complete at once: what is known of this one stays on the stack.
        let mut head = match self.head.take() {
            Some(head) => *head,
            None => match self.begin(buf, limits)? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        while let Some(line) = self.next_line(buf, limits)? {
            if let Some(ending) = self.take(&line, &mut head, buf, limits)? {
                return Ok(Some((head, ending)));
            }
        }
        self.head = Some(Box::new(head));
        Ok(None)
    }

    /// The start line, once it is complete.
    fn begin(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<Head>, FrameError> {
        if !start_line::may_start(buf) {
            return Err(FrameError::Magic);
        }
        let Some(line) = self.next_line(buf, limits)? else { return Ok(None) };
        let (tid, kind) = start_line::parse(&buf[..line.end])?;
        self.pass(&line);
        Ok(Some(Head::begin(tid, kind, self.line)))
    }

    /// The line that begins at `self.line`. What is too long is refused at the first octet too
    /// many, so that it does not matter in which portions the octets came.
    fn next_line(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<Line>, FrameError> {
        let longest = self.line + limits.line + 2;
        let bound = longest.min(limits.head);
        let window = &buf[..buf.len().min(bound)];
        #[cfg(test)]
        crate::steps::add(window.len() - self.looked);
        if self.looked == self.line {
            match text(&window[self.line..]) {
                Text::Line(octets) => {
                    return Ok(Some(Line { end: self.line + octets, plain: true }));
                }
                Text::Open => self.looked = window.len(),
                Text::Odd => {}
            }
        }
        match memchr(b'\n', &window[self.looked..]) {
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
    fn take(
        &mut self,
        line: &Line,
        head: &mut Head,
        buf: &[u8],
        limits: &Limits,
    ) -> Result<Option<Ending>, FrameError> {
        let text = &buf[self.line..line.end];
        head.header_len = self.line;
        head.len = self.line;
        if text.is_empty() {
            head.has_body = true;
            head.len = line.end + 2;
            return Ok(Some(Ending::BlankLine));
        }
        if text.starts_with(HYPHENS) {
            let flag = end_line::closing(text, head.tid.of(buf))?;
            return Ok(Some(Ending::EndLine { flag, len: text.len() + 2 }));
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
    match first_control(bytes) {
        None => Text::Open,
        Some(at) if bytes[at..].starts_with(b"\r\n") => Text::Line(at),
        Some(_) => Text::Odd,
    }
}

/// Eight octets at a time. May stop at another character behind an octet 0xFF, which is in no UTF-8.
#[inline]
fn first_control(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const BLANKS: u64 = u64::from_ne_bytes([b' '; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (eights, rest) = bytes.as_chunks();
    for (n, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        // The high bit of each octet below a blank, and of DEL. What is borrowed or carried reaches
        // octets behind such a one only.
        let found = (word.wrapping_sub(BLANKS) | word.wrapping_add(ONES)) & !word & HIGH;
        if found != 0 {
            return Some(8 * n + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&b| is_control(b) || b == b'\t')?;
    Some(8 * eights.len() + at)
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
