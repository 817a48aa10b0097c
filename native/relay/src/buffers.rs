//! Buffers of one thread. Traffic passes through one; a direction whose receiver is slow keeps the
//! one that holds its unsent bytes, and the thread takes another.
//!
//! Where there is a keeper they are in memory that outlives the process: what was taken from a
//! socket is nowhere else.

use std::io::IoSlice;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use msrp_proto::Pieces;

use crate::leg::{Leg, Sent};
use crate::sys::arena::{Arena, Blob};

/// Read at most so much at once.
pub(crate) const READ: usize = 256 * 1024;
/// What may be carried from one read to the next, and leave room for it.
pub(crate) const CARRY: usize = 64 * 1024;

/// A buffer on loan: what was read, and what is to be sent of it.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) input: Input,
    pub(crate) output: Pieces,
    /// Bytes of the input that were read, beside what was carried.
    pub(crate) read: usize,
    /// Bytes of the output that have been sent.
    sent: usize,
}

/// Room to read into.
#[derive(Debug)]
pub(crate) enum Input {
    Own(Box<[u8]>),
    Shared(Blob),
}

/// Free buffers. Grows to the number of directions stalled at the same time.
#[derive(Debug)]
pub(crate) struct Buffers {
    arena: Option<Arc<Arena>>,
    #[expect(clippy::vec_box, reason = "a direction keeps a buffer as one word")]
    free: Vec<Box<Buffer>>,
}

/// Free buffers kept; more are given back to the allocator.
const KEEP: usize = 16;
/// Octets made for which a free buffer keeps room.
const MADE: usize = 1024 * 1024;
/// Slices in one sendmsg(2); what is longer goes out in several.
const SLICES: usize = 64;

impl Buffers {
    /// In this arena, if there is one.
    pub(crate) fn new(arena: Option<Arc<Arena>>) -> Self {
        Self { arena, free: Vec::new() }
    }

    /// A buffer without output; its input holds whatever was read last.
    pub(crate) fn lease(&mut self) -> Box<Buffer> {
        self.free.pop().unwrap_or_else(|| Buffer::new(self.room()))
    }

    /// Where shared memory has run out, what is read is lost with the process.
    fn room(&self) -> Input {
        let shared = self.arena.as_ref().and_then(|arena| arena.allocate(CARRY + READ).ok());
        shared.map_or_else(|| Input::Own(vec![0; CARRY + READ].into()), Input::Shared)
    }

    pub(crate) fn give_back(&mut self, mut buffer: Box<Buffer>) {
        if self.free.len() < KEEP {
            buffer.output.clear();
            // What ordinary traffic makes stays, so that nothing is allocated for it.
            buffer.output.made.shrink_to(MADE);
            (buffer.read, buffer.sent) = (0, 0);
            self.free.push(buffer);
        }
    }
}

impl Input {
    /// Where it is, for whoever comes after this process.
    pub(crate) fn blob(&self) -> Option<&Blob> {
        match self {
            Self::Shared(blob) => Some(blob),
            Self::Own(_) => None,
        }
    }
}

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(room) => room,
            Self::Shared(blob) => &blob[..CARRY + READ],
        }
    }
}

impl DerefMut for Input {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own(room) => room,
            Self::Shared(blob) => &mut blob[..CARRY + READ],
        }
    }
}

impl Buffer {
    pub(crate) fn new(input: Input) -> Box<Self> {
        Box::new(Self { input, output: Pieces::default(), read: 0, sent: 0 })
    }

    /// So much of the output has been sent already.
    pub(crate) fn skip(&mut self, sent: usize) {
        self.sent = sent;
    }

    /// Nothing is unsent.
    pub(crate) fn is_spent(&self) -> bool {
        self.sent >= self.output.total()
    }

    /// What is unsent.
    pub(crate) fn rest(&self) -> Vec<u8> {
        let slices: Vec<_> = self.output.slices(&self.input).collect();
        slices.concat().split_off(self.sent)
    }

    /// One write of what is unsent; None when nothing is.
    pub(crate) fn send(&mut self, to: &mut Leg) -> Option<Sent> {
        let sent = match self.output.only(&self.input) {
            Some(bytes) if self.sent < bytes.len() => to.send(&[IoSlice::new(&bytes[self.sent..])]),
            Some(_) => return None,
            None => self.send_slices(to)?,
        };
        if let Sent::Bytes(n) = sent {
            self.sent += n;
        }
        Some(sent)
    }

    fn send_slices(&self, to: &mut Leg) -> Option<Sent> {
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
        (count > 0).then(|| to.send(&slices[..count]))
    }
}
