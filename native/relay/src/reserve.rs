//! The last descriptors of the process are not for strangers: whoever finds a port open could take
//! them all, and control sockets, files and connections that are asked for would find none.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use msrp_proto::Moment;
use rustix::process::{Resource, getrlimit};

/// What a thread knows of it. The kernel gives the lowest number that is free, so that the number of
/// the last descriptor tells how many there are.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// Its first number, by the limit as it was when that was looked at.
    begins: RawFd,
    /// The last descriptor was one of it, or there was none.
    touched: bool,
    /// When it was asked last: many ports may want to know at once.
    asked: Moment,
}

/// So many descriptors, or an eighth where there are few.
const RESERVE: u64 = 64;

impl Reserve {
    pub(crate) fn new() -> Self {
        Self { begins: begins(), touched: false, asked: Moment::default() }
    }

    /// Whether strangers may have another descriptor. Asks only when the last one was near the end.
    pub(crate) fn spares(&mut self, any: impl AsFd, now: Moment) -> bool {
        if self.touched && self.asked != now {
            self.asked = now;
            self.begins = begins();
            let next = rustix::io::fcntl_dupfd_cloexec(any, 0);
            self.touched = next.map_or(true, |next| next.as_raw_fd() >= self.begins);
        }
        !self.touched
    }

    /// A stranger has got this one.
    pub(crate) fn note(&mut self, descriptor: impl AsFd) {
        self.touched = descriptor.as_fd().as_raw_fd() >= self.begins;
    }

    /// A stranger has got none.
    pub(crate) fn used_up(&mut self) {
        self.touched = true;
    }
}

fn begins() -> RawFd {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return RawFd::MAX };
    RawFd::try_from(limit - RESERVE.min(limit / 8)).unwrap_or(RawFd::MAX)
}
