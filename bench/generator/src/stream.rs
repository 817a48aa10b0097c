//! What one end sends: a pattern over and over.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::TcpStream;
use std::ops::Range;

use crate::msrp;

/// One write is at least so long, where there is that much to send.
const WRITE: usize = 64 * 1024;

/// A pattern, how far the current repetition has been written, and how much is still to go.
#[derive(Debug)]
pub(crate) struct Stream {
    pattern: Vec<u8>,
    at: usize,
    left: u64,
    /// Bytes of which a multiple is always sent.
    unit: usize,
    numbering: Option<Numbering>,
}

/// Chunks of long messages: their ranges and flags differ from repetition to repetition.
#[derive(Debug)]
struct Numbering {
    message: u64,
    body: u64,
    sent: u64,
    range: Range<usize>,
    flag: usize,
    explicit: bool,
}

impl Stream {
    /// Bytes that are no MSRP.
    pub(crate) fn opaque() -> Self {
        Self::repeating((0..WRITE).map(msrp::filler).collect(), 1)
    }

    /// `frame`, in writes of up to `together` frames.
    pub(crate) fn frames(frame: &[u8], together: usize) -> Self {
        Self::repeating(frame.repeat(together), frame.len())
    }

    /// Messages of `message` bytes in chunks of `body` bytes; `message` is a multiple of `body`.
    pub(crate) fn chunks(
        to: &str,
        from: &str,
        body: usize,
        message: usize,
        explicit: bool,
    ) -> Self {
        let (body_length, message) = (body as u64, message as u64);
        let range = range(0, body_length, message, explicit);
        let chunk = msrp::chunk(to, from, range.as_bytes(), body);
        let mut stream = Self::frames(&chunk, WRITE.div_ceil(chunk.len()));
        if let Some((range, flag)) = msrp::fields(&chunk).filter(|_| message > body_length) {
            let numbering =
                Numbering { message, body: body_length, sent: 0, range, flag, explicit };
            stream.numbering = Some(numbering);
            stream.renumber();
        }
        stream
    }

    fn repeating(pattern: Vec<u8>, unit: usize) -> Self {
        Self { pattern, at: 0, left: 0, unit, numbering: None }
    }

    /// Asks for at least so many bytes more, in whole frames; gives how many it will be.
    pub(crate) fn ask_bytes(&mut self, bytes: u64) -> u64 {
        let asked = bytes.next_multiple_of(self.unit as u64);
        self.left += asked;
        asked
    }

    /// Asks for so many frames more.
    pub(crate) fn ask_frames(&mut self, frames: u64) {
        self.left += frames * self.unit as u64;
    }

    /// Bytes of one frame.
    pub(crate) fn unit(&self) -> u64 {
        self.unit as u64
    }

    /// Bytes still to go.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// One write; false when the socket is full.
    pub(crate) fn write(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let first = &self.pattern[self.at..];
        let first = &first[..first.len().min(left)];
        // A numbered pattern has to be renumbered before it is repeated.
        let again = if self.numbering.is_some() { 0 } else { self.at.min(left - first.len()) };
        let slices = [IoSlice::new(first), IoSlice::new(&self.pattern[..again])];
        let offered = first.len() + again;
        match socket.write_vectored(&slices) {
            Ok(written) => {
                self.wrote(written);
                Ok(written == offered)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wrote(&mut self, written: usize) {
        self.left -= written as u64;
        let at = self.at + written;
        self.at = at % self.pattern.len();
        if at >= self.pattern.len() {
            self.renumber();
        }
    }

    /// Writes the ranges and flags of the next chunks into the pattern.
    fn renumber(&mut self) {
        let Some(numbering) = &mut self.numbering else { return };
        for chunk in self.pattern.chunks_exact_mut(self.unit) {
            let Numbering { message, body, sent, explicit, .. } = *numbering;
            let range = range(sent, body, message, explicit);
            chunk[numbering.range.clone()].copy_from_slice(range.as_bytes());
            let last = sent + body == message;
            chunk[numbering.flag] = if last { b'$' } else { b'+' };
            numbering.sent = if last { 0 } else { sent + body };
        }
    }
}

/// A Byte-Range whose length does not depend on its numbers.
fn range(sent: u64, body: u64, message: u64, explicit: bool) -> String {
    let (start, end) = (sent + 1, sent + body);
    match explicit {
        true => format!("{start:010}-{end:010}/{message}"),
        false => format!("{start:010}-*/{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_go_on_and_start_again() {
        let mut stream =
            Stream::chunks("msrp://a:1/a;tcp", "msrp://b:1/b;tcp", 60_000, 180_000, true);
        let text = |stream: &Stream| String::from_utf8_lossy(&stream.pattern).into_owned();
        assert!(text(&stream).contains("0000000001-0000060000/180000"));
        assert!(text(&stream).ends_with("+\r\n"));
        stream.renumber();
        assert!(text(&stream).contains("0000120001-0000180000/180000"));
        assert!(text(&stream).ends_with("$\r\n") || text(&stream).contains("$\r\nMSRP"));
    }
}
