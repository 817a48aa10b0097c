//! Buffers of one thread. Traffic passes through one; a direction whose receiver is slow keeps the
//! one that holds its unsent bytes, and the thread takes another.
//!
//! Whoever reads from a socket reads into one of these, so that they can be placed elsewhere
//! (memory that outlives the process) without a change to the movers.

use std::io::IoSlice;

use msrp_proto::Pieces;

use crate::leg::{Leg, Sent};

/// Read at most so much at once.
pub(crate) const READ: usize = 256 * 1024;
/// What may be carried from one read to the next, and leave room for it.
pub(crate) const CARRY: usize = 64 * 1024;

/// A buffer on loan: what was read, and what is to be sent of it.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) input: Box<[u8]>,
    pub(crate) output: Pieces,
    /// Bytes of the output that have been sent.
    sent: usize,
}

/// Free buffers. Grows to the number of directions stalled at the same time.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    #[expect(clippy::vec_box, reason = "a direction keeps a buffer as one word")]
    free: Vec<Box<Buffer>>,
}

/// Free buffers kept; more are given back to the allocator.
const KEEP: usize = 16;
/// Slices in one sendmsg(2); what is longer goes out in several.
const SLICES: usize = 64;

impl Buffers {
    /// A buffer without output; its input holds whatever was read last.
    pub(crate) fn lease(&mut self) -> Box<Buffer> {
        self.free.pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&mut self, mut buffer: Box<Buffer>) {
        if self.free.len() < KEEP {
            buffer.output.clear();
            buffer.sent = 0;
            self.free.push(buffer);
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        let input = vec![0; CARRY + READ].into_boxed_slice();
        Self { input, output: Pieces::default(), sent: 0 }
    }
}

impl Buffer {
    /// One write of what is unsent; None when nothing is.
    pub(crate) fn send(&mut self, to: &mut Leg) -> Option<Sent> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let mut skip = self.sent;
        for slice in self.output.slices(&self.input) {
            if skip >= slice.len() {
                skip -= slice.len();
                continue;
            }
            slices[count] = IoSlice::new(&slice[skip..]);
            skip = 0;
            count += 1;
            if count == SLICES {
                break;
            }
        }
        if count == 0 {
            return None;
        }
        let sent = to.send(&slices[..count]);
        if let Sent::Bytes(n) = sent {
            self.sent += n;
        }
        Some(sent)
    }
}
