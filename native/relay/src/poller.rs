//! Readiness of descriptors, edge-triggered; knows no MSRP.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::Side;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use crate::keep::Held;

/// Whose descriptor an event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The thread's command queue.
    Commands,
    /// A descriptor of a session, by its place in the thread's table.
    Pair(usize, Part),
}

/// Which descriptor of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// The leg's listener.
    Listener(Side),
    /// The leg's connection.
    Leg(Side),
    /// The connection being dialled.
    Dial(Side),
    /// An accepted connection that has not shown its first frame, by its place at the door.
    Caller(Side, u8),
}

/// What an event says. A hint only: it may be late, so nothing is ended because of it without
/// asking the socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// A short read is no proof of emptiness any more: FIN, error or urgent data wait.
    pub(crate) read_on: bool,
    /// The connection is in error.
    pub(crate) error: bool,
}

/// One epoll instance.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

/// What one wait brought.
pub(crate) struct Events(Vec<Event>);

/// Some of it, in order.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a>(&'a [Event]);

/// Events taken at once.
const BATCH: usize = 256;
/// So many sessions fit into the caches beside what the kernel does for each of them.
const GROUP: usize = 8;

const ALL: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::PRI)
    .union(EventFlags::ET);

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// One that cannot be waited on.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        Self { epoll: std::fs::File::open("/dev/null").unwrap().into() }
    }

    /// Watches for everything, once and for good.
    pub(crate) fn add(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, encode(source), ALL)?)
    }

    /// Watches a bell: every ring is an event of its own, nobody has to silence it.
    pub(crate) fn add_bell(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, encode(source), EventFlags::IN | EventFlags::ET)?)
    }

    /// The same descriptor under another name; reports its present readiness again.
    pub(crate) fn rename(&self, fd: impl AsFd, source: Source) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, encode(source), ALL)?)
    }

    /// To be called before a descriptor is closed, which does the same where nobody else has a
    /// duplicate.
    pub(crate) fn remove(&self, fd: &Held) {
        if fd.is_kept() {
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    /// Waits until `until`, for ever if `None`.
    pub(crate) fn wait(
        &self,
        until: Option<Moment>,
        now: Moment,
        events: &mut Events,
    ) -> io::Result<()> {
        events.0.clear();
        let timeout = until.map(|until| timespec(until.saturating_duration_since(now)));
        let space = rustix::buffer::spare_capacity(&mut events.0);
        match epoll::wait(&self.epoll, space, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// All of them, a few at a time.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.0.chunks(GROUP).map(Group)
    }
}

impl<'a> Group<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = (Source, Readiness)> + use<'a> {
        self.0.iter().filter_map(|event| Some((decode(event.data)?, readiness(event.flags))))
    }
}

fn readiness(flags: EventFlags) -> Readiness {
    let hints = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR | EventFlags::PRI;
    Readiness {
        readable: flags.intersects(EventFlags::IN | hints),
        writable: flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR),
        read_on: flags.intersects(hints),
        error: flags.contains(EventFlags::ERR),
    }
}

fn timespec(wait: Duration) -> Timespec {
    // Rounded up: waking a moment early would only poll again.
    let wait = wait + Duration::from_nanos(999_999);
    Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) }
}

fn encode(source: Source) -> EventData {
    let word = match source {
        Source::Commands => u64::MAX,
        Source::Pair(key, part) => (key as u64) << 16 | u64::from(code(part)),
    };
    EventData::new_u64(word)
}

fn code(part: Part) -> u16 {
    let (kind, side, place) = match part {
        Part::Listener(side) => (0, side, 0),
        Part::Leg(side) => (1, side, 0),
        Part::Dial(side) => (2, side, 0),
        Part::Caller(side, place) => (3, side, place),
    };
    u16::from(place) << 8 | kind << 1 | side.index() as u16
}

fn decode(data: EventData) -> Option<Source> {
    let word = data.u64();
    if word == u64::MAX {
        return Some(Source::Commands);
    }
    let side = Side::BOTH[(word & 1) as usize];
    let part = match word >> 1 & 0x7f {
        0 => Part::Listener(side),
        1 => Part::Leg(side),
        2 => Part::Dial(side),
        3 => Part::Caller(side, (word >> 8 & 0xff) as u8),
        _ => return None,
    };
    Some(Source::Pair((word >> 16) as usize, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_give_every_event_once_and_in_order() {
        let sources: Vec<_> =
            (0..2 * GROUP + 3).map(|key| Source::Pair(key, Part::Leg(Side::A))).collect();
        let event = |source: &Source| Event { flags: EventFlags::IN, data: encode(*source) };
        let events = Events(sources.iter().map(event).collect());
        let given = events.groups().flat_map(Group::iter).map(|(source, _)| source);
        assert_eq!(given.collect::<Vec<_>>(), sources);
        assert_eq!(events.groups().count(), 3);
    }

    #[test]
    fn every_source_survives_the_kernel() {
        let mut sources = vec![Source::Commands];
        for side in Side::BOTH {
            for key in [0, 1, 40_000] {
                let parts = [Part::Listener(side), Part::Leg(side), Part::Dial(side)];
                let callers = [0, 3, 99].map(|place| Part::Caller(side, place));
                sources.extend(parts.into_iter().chain(callers).map(|p| Source::Pair(key, p)));
            }
        }
        for source in sources {
            assert_eq!(decode(encode(source)), Some(source));
        }
    }
}
