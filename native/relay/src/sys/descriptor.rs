//! Descriptors that come as numbers: from an environment, or from another language.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The descriptor of that number, from now on the caller's alone.
///
/// # Errors
/// `EBADF`: it is not open.
pub fn descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: asks for flags, touches nothing.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, as was just seen. That nobody else closes it is what whoever passes a
    // number promises; it could not be said in a type on the other side.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Another descriptor for what that number stands for.
///
/// # Errors
/// `EBADF`: it is not open; `EMFILE`.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: makes a new descriptor, touches no memory.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    descriptor(copy)
}
