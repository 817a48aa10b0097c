//! A queue between threads with a descriptor that is readable while it holds something.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// Many writers, one reader. One signal a batch: only the first of several items rings.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: Mutex<Vec<T>>,
    bell: OwnedFd,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { items: Mutex::new(Vec::new()), bell })
    }

    pub(crate) fn push(&self, item: T) {
        let mut items = self.items();
        let rings = items.is_empty();
        items.push(item);
        drop(items);
        if rings {
            self.ring();
        }
    }

    /// Takes all of `new`, which is not empty.
    pub(crate) fn append(&self, new: &mut Vec<T>) {
        let mut items = self.items();
        let rings = items.is_empty();
        items.append(new);
        drop(items);
        if rings {
            self.ring();
        }
    }

    /// Not under the lock, which whoever is woken wants next.
    fn ring(&self) {
        // Fails only when the counter is full: then the reader has a signal already.
        let _ = write(&self.bell, &1u64.to_ne_bytes());
    }

    /// Everything since the last call, oldest first.
    pub(crate) fn drain(&self) -> Vec<T> {
        // The bell first: an item pushed in between rings again.
        let _ = read(&self.bell, &mut [0; 8]);
        mem::take(&mut *self.items())
    }

    fn items(&self) -> MutexGuard<'_, Vec<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> AsFd for Queue<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(queue: &Queue<u8>) -> bool {
        let mut fds = [rustix::event::PollFd::new(queue, rustix::event::PollFlags::IN)];
        let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&at_once)).unwrap() == 1
    }

    #[test]
    fn rings_until_drained() {
        let queue = Queue::new().unwrap();
        assert!(!rings(&queue));
        queue.push(1);
        queue.push(2);
        assert!(rings(&queue));
        assert_eq!(queue.drain(), [1, 2]);
        assert!(!rings(&queue));
        queue.push(3);
        assert!(rings(&queue));
        assert_eq!(queue.drain(), [3]);
        queue.append(&mut vec![4, 5]);
        assert!(rings(&queue));
        assert_eq!(queue.drain(), [4, 5]);
    }
}
