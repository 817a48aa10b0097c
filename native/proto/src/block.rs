//! A header block in the reading, line by line.

use memchr::memchr;

use crate::chars::first_control;
use crate::end_line::{self, HYPHENS};
use crate::{Flag, FrameError, Head, Limits, header, start_line};

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
    pub(crate) fn read(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<Option<Ending>, FrameError> {
        if !self.begun && !self.begin(buf, limits, head)? {
            return Ok(None);
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
