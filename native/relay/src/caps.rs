//! Socket buffers of a leg: as large as the budget allows.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::AsFd;

use crate::leg::Leg;
use crate::sys::mem_info::mem_info;
use crate::sys::tcp;
use crate::sys::tcp_info::tcp_info;
use crate::thread::Thread;

/// The caps that were set since a leg was born, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Caps {
    send: Option<NonZeroU32>,
    receive: Option<NonZeroU32>,
}

impl Caps {
    /// Those of a connection that another process has had.
    pub(crate) fn of(socket: impl AsFd) -> Self {
        let (send, receive) = tcp::caps(socket);
        let grown = receive.filter(|cap| *cap > tcp::BORN_RECEIVE);
        Self { send: send.map(narrow), receive: grown.map(narrow) }
    }
}

impl Leg {
    /// The send buffer is larger than for so many halvings.
    pub(crate) fn sends_beyond(&self, halvings: u32, thread: &Thread) -> bool {
        self.send_cap(thread) > thread.budget.send_cap(halvings)
    }

    /// Gives the send buffer the size for so many halvings.
    pub(crate) fn fit_send(&mut self, halvings: u32, thread: &mut Thread) {
        let (before, cap) = (self.send_cap(thread), thread.budget.send_cap(halvings));
        if cap != before && tcp::set_send_cap(&*self, cap).is_ok() {
            self.caps.send = Some(narrow(cap));
            note(before, cap, thread);
        }
    }

    /// The receive buffer is the one it was born with.
    pub(crate) fn is_born(&self) -> bool {
        self.caps.receive.is_none()
    }

    /// Gives the receive buffer the size for so many halvings.
    pub(crate) fn fit_receive(&mut self, halvings: u32, thread: &mut Thread) {
        let before = self.receive_cap(thread);
        let cap = match thread.budget.receive_cap(halvings) {
            cap if cap < before => cap.max(self.promised(before)).min(before),
            cap => cap,
        };
        if self.caps.receive != Some(narrow(cap)) && tcp::set_receive_cap(&*self, cap).is_ok() {
            self.caps.receive = Some(narrow(cap));
            note(before, cap, thread);
        }
    }

    /// A buffer is smaller than it would be if nothing pressed.
    pub(crate) fn is_shrunk(&self, thread: &Thread) -> bool {
        let caps = [self.caps.send, self.caps.receive];
        caps.into_iter().flatten().any(|cap| cap < narrow(thread.budget.cap()))
    }

    /// What the receive buffer must have room for. The peer may send all that its window allows,
    /// and what finds no room comes again only when its timer, doubled each time, says so: that may
    /// be longer than a chunk may stand still.
    fn promised(&self, all: usize) -> usize {
        let window = tcp_info(self).ok().and_then(|info| info.offered);
        match (mem_info(self), window) {
            // Before it drops anything, the kernel packs small packets densely.
            (Ok(memory), Some(window)) => memory.received + window as usize * 9 / 8,
            _ => all,
        }
    }

    /// Bytes that the sender's leg and this one, the receiver's, hold or may come to hold.
    pub(crate) fn may_hold(&self, from: &Self, thread: &Thread) -> usize {
        self.send_cap(thread) + from.receive_cap(thread)
    }

    /// The same with what is beyond the caps already.
    pub(crate) fn holds(&self, from: &Self, thread: &Thread) -> io::Result<usize> {
        let unsent = mem_info(self)?.unsent.max(self.send_cap(thread));
        let received = mem_info(from)?.received.max(from.receive_cap(thread));
        Ok(unsent + received)
    }

    fn send_cap(&self, thread: &Thread) -> usize {
        self.caps.send.map_or(thread.budget.cap(), wide)
    }

    fn receive_cap(&self, thread: &Thread) -> usize {
        let born = || thread.budget.cap().min(tcp::BORN_RECEIVE);
        self.caps.receive.map_or_else(born, wide)
    }
}

/// The kernel counts buffers in less, and none is empty.
fn narrow(cap: usize) -> NonZeroU32 {
    let cap = u32::try_from(cap).unwrap_or(u32::MAX);
    NonZeroU32::new(cap).unwrap_or(NonZeroU32::MIN)
}

fn wide(cap: NonZeroU32) -> usize {
    cap.get() as usize
}

fn note(before: usize, cap: usize, thread: &mut Thread) {
    if cap < before {
        thread.counters.buffers_shrunk(1);
    }
    thread.budget.shrunk |= cap < thread.budget.cap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sys::tcp::Options;

    #[test]
    fn a_process_that_goes_on_finds_the_buffers_as_they_are() {
        let any = "127.0.0.1:0".parse().unwrap();
        let socket = tcp::listen(any, &Options::new(&Config::default(), None)).unwrap();
        let born = Caps::of(&socket);
        assert_eq!(born.send, Some(narrow(Config::default().buffer_cap)));
        assert_eq!(born.receive, None);
        tcp::set_receive_cap(&socket, 400_000).unwrap();
        tcp::set_send_cap(&socket, 200_000).unwrap();
        let caps = Caps::of(&socket);
        assert_eq!((caps.send.map(wide), caps.receive.map(wide)), (Some(200_000), Some(400_000)));
    }
}
