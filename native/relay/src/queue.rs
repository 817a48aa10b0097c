//! A queue between threads with a descriptor that is readable while it holds something.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// Many writers, one reader. One signal a batch: only the first of several items rings, and none
/// while the reader looks by itself.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    held: Mutex<Contents<T>>,
    /// A hint, to be seen without the lock.
    holds: AtomicBool,
    bell: OwnedFd,
}

#[derive(Debug)]
struct Contents<T> {
    items: Vec<T>,
    /// The reader comes soon.
    attended: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let held = Contents { items: Vec::new(), attended: false };
        Ok(Self { held: Mutex::new(held), holds: AtomicBool::new(false), bell })
    }

    pub(crate) fn push(&self, item: T) {
        self.add(|items| items.push(item));
    }

    /// Takes all of `new`, which is not empty.
    pub(crate) fn append(&self, new: &mut Vec<T>) {
        self.add(|items| items.append(new));
    }

    fn add(&self, put: impl FnOnce(&mut Vec<T>)) {
        let mut held = self.held();
        let rings = held.items.is_empty() && !held.attended;
        put(&mut held.items);
        self.holds.store(true, Ordering::Release);
        drop(held);
        if rings {
            self.ring();
        }
    }

    /// Not under the lock, which whoever is woken wants next.
    fn ring(&self) {
        // Fails only when the counter is full: then the reader has a signal already.
        let _ = write(&self.bell, &1u64.to_ne_bytes());
    }

    /// Everything since the last call, oldest first; silences the bell.
    pub(crate) fn drain(&self) -> Vec<T> {
        // The bell first: an item pushed in between rings again.
        let _ = read(&self.bell, &mut [0; 8]);
        self.take(false)
    }

    /// Everything since the last call, for a reader whom only the next ring wakes. While it `stays`
    /// nobody rings: it has to call again soon.
    pub(crate) fn take(&self, stays: bool) -> Vec<T> {
        let mut held = self.held();
        held.attended = stays;
        self.holds.store(false, Ordering::Relaxed);
        mem::take(&mut held.items)
    }

    /// Whether there is something to take.
    pub(crate) fn holds(&self) -> bool {
        self.holds.load(Ordering::Acquire)
    }

    fn held(&self) -> MutexGuard<'_, Contents<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn is_silent_while_its_reader_looks_by_itself() {
        let queue = Queue::new().unwrap();
        assert!(queue.take(true).is_empty());
        queue.push(1);
        assert!(queue.holds() && !rings(&queue));
        assert_eq!(queue.take(false), [1]);
        assert!(!queue.holds());
        queue.push(2);
        assert!(rings(&queue));
    }
}
