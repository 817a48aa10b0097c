//! Memory in a file without a name: other processes may map it too, and it outlives this one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, fstat, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

/// A file mapped whole, with address space for it to grow. Ranges are checked against its length.
#[derive(Debug)]
pub(super) struct Shared {
    base: NonNull<u8>,
    file: OwnedFd,
}

/// Address space set aside; pages cost nothing until they are touched.
const ROOM: usize = 1 << 38;

// SAFETY: the pointer is to memory that lives as long as the value and is bound to no thread; what
// is read and written through it is the business of the functions below.
unsafe impl Send for Shared {}
// SAFETY: as above; none of the functions below writes through `&self` but to words, which are
// atomic, and to ranges whose callers promise that nobody else looks at them.
unsafe impl Sync for Shared {}

impl Shared {
    /// An empty file.
    pub(super) fn create(name: &str) -> io::Result<Self> {
        Self::map(memfd_create(name, MemfdFlags::CLOEXEC)?)
    }

    /// A file that somebody has made.
    pub(super) fn map(file: OwnedFd) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that is there.
        let base = unsafe { mmap(ptr::null_mut(), ROOM, protection, flags, &file, 0)? };
        // SAFETY: about the mapping just made, of which it changes nothing. A process that crashes
        // would be kept from its successor for as long as all of this takes to be dumped.
        let _ = unsafe { madvise(base, ROOM, Advice::LinuxDontDump) };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, file })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> io::Result<usize> {
        usize::try_from(fstat(&self.file)?.st_size).map_err(io::Error::other)
    }

    /// Makes the file longer; what is new is zero.
    pub(super) fn grow(&self, len: usize) -> io::Result<()> {
        if len > ROOM {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(ftruncate(&self.file, len as u64)?)
    }

    /// The word at `at`, a multiple of 8 within the file.
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at < ROOM - 8);
        // SAFETY: in the mapping, aligned (the mapping is to a page), and only ever used as a word:
        // the arena keeps its own words and those of records apart from what is lent as bytes.
        unsafe { AtomicU64::from_ptr(self.base.add(at).cast().as_ptr()) }
    }

    /// Where `len` bytes from `at` on are.
    pub(super) fn place(&self, at: usize, len: usize) -> NonNull<u8> {
        assert!(at <= ROOM && len <= ROOM - at);
        // SAFETY: in the mapping, as just checked.
        unsafe { self.base.add(at) }
    }

    /// Gives the pages of a range back; they read as zero afterwards.
    pub(super) fn forget(&self, at: usize, len: usize) {
        let place = self.place(at, len).as_ptr();
        // SAFETY: the caller owns the range and does not care for what is in it. An error leaves it
        // as it is, which does no harm.
        let _ = unsafe { madvise(place.cast(), len, Advice::LinuxRemove) };
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: whoever was lent a part of it holds the arena, and with it this value.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), ROOM) };
    }
}
