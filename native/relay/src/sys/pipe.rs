//! Kernel pipes and splice(2): bytes from socket to socket that never enter this process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{self, PipeFlags, SpliceFlags};

/// An empty pipe, and the bytes it holds at most. The kernel gives what the user's share of pipe
/// memory allows, which may be less than `room` asks for: with CAP_SYS_RESOURCE up to the asked,
/// else at least its default of 64 KiB or, once that share is used up, 8 KiB.
pub(crate) fn pipe(room: usize) -> Result<(OwnedFd, OwnedFd, usize), Errno> {
    let (exit, entry) = pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // Refused beyond the user's share: the pipe stays as it was born.
    let _ = pipe::fcntl_setpipe_size(&entry, room);
    let room = pipe::fcntl_getpipe_size(&entry)?;
    Ok((exit, entry, room))
}

/// Moves up to `len` bytes; one end is a socket, the other a pipe. 0 = the socket's FIN.
///
/// Never with SPLICE_F_MORE: the last bytes would wait 200 ms for more. Nor may `len` exceed what
/// an exit holds, which the kernel takes for the same. A connection that is gone also raises
/// SIGPIPE, which the runtimes of Rust and of Python ignore.
pub(crate) fn splice(from: impl AsFd, to: impl AsFd, len: usize) -> Result<usize, Errno> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    loop {
        match pipe::splice(from.as_fd(), None, to.as_fd(), None, len, flags) {
            Err(Errno::INTR) => {}
            other => {
                super::kill_point();
                return other;
            }
        }
    }
}
