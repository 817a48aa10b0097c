//! Buffers of one thread. Traffic passes through one; a direction whose receiver is slow keeps the
//! one that holds its unsent bytes, and the thread takes another.
//!
//! Whoever reads from a socket reads into one of these, so that they can be placed elsewhere
//! (memory that outlives the process) without a change to the movers.

/// Read at most so much at once: one recv(2) of this size is 16 segments of 16 KiB.
pub(crate) const BUFFER: usize = 256 * 1024;

/// A buffer on loan.
pub(crate) type Buffer = Box<[u8]>;

/// Free buffers. Grows to the number of directions stalled at the same time.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Vec<Buffer>,
}

/// Free buffers kept; more are given back to the allocator.
const KEEP: usize = 4;

impl Buffers {
    pub(crate) fn lease(&mut self) -> Buffer {
        self.free.pop().unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice())
    }

    pub(crate) fn give_back(&mut self, buffer: Buffer) {
        if self.free.len() < KEEP {
            self.free.push(buffer);
        }
    }
}
