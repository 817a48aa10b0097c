//! Edge-triggered epoll.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{Timespec, epoll};

/// What is reported at most at once.
const EVENTS: usize = 512;

pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

/// What a socket is ready for; errors make it ready for everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS) })
    }

    pub(crate) fn add(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(key), flags())?)
    }

    /// Reports under another key from now on; what is ready is reported again.
    pub(crate) fn rename(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, socket, epoll::EventData::new_u64(key), flags())?)
    }

    /// Waits at most so many milliseconds; forever if None.
    pub(crate) fn wait(&mut self, milliseconds: Option<u32>) -> io::Result<Vec<Ready>> {
        let timeout = milliseconds.map(|wait| Timespec {
            tv_sec: i64::from(wait / 1000),
            tv_nsec: i64::from(wait % 1000 * 1_000_000),
        });
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, spare, timeout.as_ref())?;
        Ok(self.events.iter().map(ready).collect())
    }
}

fn flags() -> epoll::EventFlags {
    use epoll::EventFlags as E;
    E::IN | E::OUT | E::RDHUP | E::ET
}

fn ready(event: &epoll::Event) -> Ready {
    use epoll::EventFlags as E;
    let flags = event.flags;
    let ended = flags.intersects(E::ERR | E::HUP);
    Ready {
        key: event.data.u64(),
        readable: ended || flags.intersects(E::IN | E::RDHUP),
        writable: ended || flags.contains(E::OUT),
    }
}
