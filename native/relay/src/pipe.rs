//! Pipes of one thread, for bytes that pass untouched and in bulk.
//!
//! One empty pipe serves every session in turn, so that "the pipe is full" is never mistaken for
//! "the socket is empty". Only a direction whose receiver is slow keeps the pipe that holds its
//! residue, and the thread takes another. A pipe is made in one place and before anything is in it,
//! so that somebody else may be given a duplicate first.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::Errno;

use crate::keep::{Held, Keep};
use crate::sys::pipe;

/// A pipe on loan.
#[derive(Debug)]
pub(crate) struct Pipe {
    exit: Held,
    entry: Held,
    held: usize,
    /// Lives as long as the pipe: how the pool counts those on loan.
    _counted: Arc<()>,
}

/// Empty pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// Bytes asked for in each.
    room: usize,
    #[expect(clippy::vec_box, reason = "a direction keeps a pipe as one word")]
    free: Vec<Box<Pipe>>,
    counted: Arc<()>,
    keep: Option<Keep>,
    /// Leases to refuse before the kernel is asked again: it had no useful pipe to give.
    pause: u32,
}

/// Moved at most at once: a stalled direction holds no more than this beside its sockets' buffers,
/// and one busy session does not keep the others waiting.
pub(crate) const MOST: usize = 512 * 1024;
/// In a smaller pipe there is no gain over recv(2) and send(2).
const LEAST: usize = 64 * 1024;
/// Pipes of one thread; more stalled directions keep buffers.
const PIPES: usize = 64;
/// Empty pipes kept.
const KEEP: usize = 4;
/// See [`Pipes::pause`].
const PAUSE: u32 = 10_000;

impl Pipes {
    /// Pipes of `room` bytes; below [`LEAST`] there are none.
    pub(crate) fn new(room: usize, keep: Option<Keep>) -> Self {
        Self { room, free: Vec::new(), counted: Arc::new(()), keep, pause: 0 }
    }

    /// A pipe of a dead process, with what is in it.
    pub(crate) fn inherit(&self, [exit, entry]: [Held; 2]) -> Result<Box<Pipe>, Errno> {
        let held = rustix::io::ioctl_fionread(&exit)? as usize;
        Ok(Box::new(Pipe { exit, entry, held, _counted: Arc::clone(&self.counted) }))
    }

    /// Has the present keeper keep those that are free.
    pub(crate) fn register(&self) {
        self.free.iter().for_each(|pipe| pipe.register());
    }

    /// An empty pipe, if there is one of a useful size.
    pub(crate) fn lease(&mut self) -> Option<Box<Pipe>> {
        if let Some(pipe) = self.free.pop() {
            return Some(pipe);
        }
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        let made = self.make();
        if made.is_none() {
            self.pause = PAUSE;
        }
        made
    }

    /// The pipe must be empty.
    pub(crate) fn give_back(&mut self, pipe: Box<Pipe>) {
        debug_assert_eq!(pipe.held, 0);
        if self.free.len() < KEEP {
            self.free.push(pipe);
        }
    }

    fn make(&self) -> Option<Box<Pipe>> {
        let counted = Arc::clone(&self.counted);
        if self.room < LEAST || Arc::strong_count(&counted) - 2 >= PIPES {
            return None;
        }
        // Descriptors or pipe memory may be short, and others may give them back.
        let (exit, entry, room) = pipe::pipe(self.room).ok()?;
        (room >= LEAST).then(|| {
            let [exit, entry] = Keep::hold_pipe(self.keep.as_ref(), exit, entry);
            Box::new(Pipe { exit, entry, held: 0, _counted: counted })
        })
    }
}

impl Pipe {
    /// Takes up to `most` bytes from a socket into this pipe, which must be empty. 0: the peer's
    /// FIN, or urgent data stands in the way.
    pub(crate) fn fill(&mut self, from: impl AsFd, most: usize) -> Result<usize, Errno> {
        let taken = pipe::splice(from, &self.entry, most.min(MOST))?;
        self.held += taken;
        Ok(taken)
    }

    /// Gives what it holds to a socket; fewer bytes than [`held`](Self::held) mean a full one.
    pub(crate) fn pour(&mut self, to: impl AsFd) -> Result<usize, Errno> {
        let given = pipe::splice(&self.exit, to, self.held)?;
        self.held -= given;
        Ok(given)
    }

    /// What a record calls it.
    pub(crate) fn token(&self) -> u32 {
        self.exit.token()
    }

    /// See [`Held::register`].
    pub(crate) fn register(&self) {
        self.exit.register();
        self.entry.register();
    }

    /// Bytes in it.
    pub(crate) fn held(&self) -> usize {
        self.held
    }
}
