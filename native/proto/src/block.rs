//! A header block in the reading, line by line.

use memchr::memchr;

use crate::end_line::{self, HYPHENS};
use crate::{Flag, FrameError, Head, Limits, header, start_line};

/// Where in its header block the next chunk has arrived. Offsets count from the block's start,
/// which stays at the front of the buffer until the block is complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// None until the start line is complete.
    head: Option<Head>,
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
        if self.head.is_none() && !start_line::may_start(buf) {
            return Err(FrameError::Magic);
        }
        while let Some(lf) = self.line_feed(buf, limits)? {
            if let Some(complete) = self.take_line(buf, lf, limits)? {
                return Ok(Some(complete));
            }
            self.line = lf + 1;
            self.looked = lf + 1;
        }
        Ok(None)
    }

    /// The LF that ends the line. What is too long is refused at the first octet too many, so that
    /// it does not matter in which portions the octets came.
    fn line_feed(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, FrameError> {
        let longest = self.line + limits.line + 2;
        let bound = longest.min(limits.head);
        let window = &buf[..buf.len().min(bound)];
        #[cfg(test)]
        crate::steps::add(window.len() - self.looked);
        match memchr(b'\n', &window[self.looked..]) {
            Some(at) if window[self.line..self.looked + at].ends_with(b"\r") => {
                Ok(Some(self.looked + at))
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

    fn take_line(
        &mut self,
        buf: &[u8],
        lf: usize,
        limits: &Limits,
    ) -> Result<Option<(Head, Ending)>, FrameError> {
        let end = lf - 1;
        let text = &buf[self.line..end];
        let Some(head) = &mut self.head else {
            let (tid, kind) = start_line::parse(text)?;
            self.head = Some(Head::begin(tid, kind, lf + 1));
            return Ok(None);
        };
        head.header_len = self.line;
        head.len = self.line;
        if text.is_empty() {
            head.has_body = true;
            head.len = lf + 1;
            return Ok(Some((*head, Ending::BlankLine)));
        }
        if text.starts_with(HYPHENS) {
            let flag = end_line::closing(text, head.tid.of(buf))?;
            return Ok(Some((*head, Ending::EndLine { flag, len: text.len() + 2 })));
        }
        self.count += 1;
        if self.count > limits.headers {
            return Err(FrameError::HeadersTooLarge);
        }
        header::note(head, buf, self.line, end).map(|()| None)
    }
}
