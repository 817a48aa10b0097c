//! A connection that has not shown who it is.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use msrp_proto::{Gate, Key, Moment, Verdict};
use rustix::io::Errno;

use crate::half_open::Place;
use crate::keep::Held;
use crate::sys::tcp;
use crate::sys::tcp_info::{State, tcp_info};
use crate::thread::Thread;
use crate::why::RefusedFor;

/// How often a caller that was refused is read before it counts as a flood.
const READS: usize = 16;
/// Looked at first; hardly any first frame is longer.
const GLANCE: usize = 4096;

#[derive(Debug)]
pub(super) struct Caller {
    pub(super) socket: Held,
    pub(super) from: SocketAddr,
    pub(super) since: Moment,
    /// Counts from when its first frame could be judged.
    pub(super) until: Option<Moment>,
    /// Its descriptor is: not before it has been heard once, for most need no second time.
    pub(super) watched: bool,
    /// More has been looked at than a glance takes; the gate goes on behind it.
    is_long: bool,
    /// `None` once refused: its answer is out, and its input is read away so that our close does
    /// not destroy the answer on the way.
    pub(super) gate: Option<Gate>,
    _place: Place,
}

pub(super) enum Judged {
    Waits,
    /// There may be more of it than was looked at.
    Longer,
    Left,
    /// With a body?
    Valid(bool),
    /// What is answered, and the cause.
    Refused(Option<Vec<u8>>, RefusedFor),
}

impl Caller {
    /// One that has just come and counts as half open.
    pub(super) fn new(socket: Held, from: SocketAddr, place: Place, thread: &Thread) -> Self {
        Self {
            socket,
            from,
            since: thread.now,
            until: None,
            watched: false,
            is_long: false,
            gate: Some(Gate::new(thread.config.limits)),
            _place: place,
        }
    }

    /// Reset, so that what it has said is of no use. Of time alone it would not go while nobody can
    /// judge it.
    pub(super) fn is_gone(&self) -> bool {
        tcp_info(&self.socket).is_ok_and(|info| info.state == State::Dead)
    }

    /// Looks at what there is of the first header block.
    pub(super) fn judge(&mut self, key: &Key<'_>, wanted: bool, thread: &mut Thread) -> Judged {
        let mut buffer = thread.buffers.lease();
        let mut judged = Judged::Longer;
        if !self.is_long {
            judged = self.glance(key, wanted, &mut buffer.input[..GLANCE]);
            self.is_long = matches!(judged, Judged::Longer);
        }
        if self.is_long {
            judged = self.glance(key, wanted, &mut buffer.input);
        }
        thread.buffers.give_back(buffer);
        match judged {
            // What stays unread hides that nothing more will come.
            Judged::Longer | Judged::Waits if has_ended(&self.socket) => Judged::Left,
            judged => judged,
        }
    }

    fn glance(&mut self, key: &Key<'_>, wanted: bool, input: &mut [u8]) -> Judged {
        let seen = match tcp::peek(&self.socket, input) {
            Ok(0) => return Judged::Left,
            Ok(there) => &input[..there],
            Err(Errno::AGAIN) => return Judged::Waits,
            Err(_) => return Judged::Left,
        };
        let Some(gate) = &mut self.gate else { return Judged::Left };
        match gate.look(seen, key) {
            Verdict::NeedMore if seen.len() == input.len() => Judged::Longer,
            Verdict::NeedMore => Judged::Waits,
            Verdict::Bind { has_body } if wanted => Judged::Valid(has_body),
            Verdict::Bind { .. } => {
                Judged::Refused(gate.session_bound(seen), RefusedFor::AlreadyBound)
            }
            Verdict::Refuse { reply, cause } => Judged::Refused(reply, cause.into()),
        }
    }

    /// Throws input away; false when the peer has ended too, or floods.
    pub(super) fn read_away(&mut self, thread: &mut Thread) -> bool {
        let mut buffer = thread.buffers.lease();
        let mut reads = (0..READS).map(|_| tcp::recv(&self.socket, &mut buffer.input));
        let end = reads.find(|read| !matches!(read, Ok(1..)));
        thread.buffers.give_back(buffer);
        matches!(end, Some(Err(Errno::AGAIN)))
    }

    pub(super) fn close(self, thread: &Thread) {
        thread.poller.remove(&self.socket);
        tcp::fin(&self.socket);
    }
}

fn has_ended(socket: impl AsFd) -> bool {
    !matches!(tcp_info(socket).map(|info| info.state), Ok(State::Opening | State::Open))
}
