//! One TCP connection of a session.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Role};
use rustix::io::Errno;

use crate::caps::Caps;
use crate::keep::Held;
use crate::pipe::Pipe;
use crate::poller::Readiness;
use crate::sys::tcp;
use crate::sys::tcp_info::{self, State, tcp_info};
use crate::thread::Thread;

/// A connection and what edge-triggered events have said of it.
#[derive(Debug)]
pub(crate) struct Leg {
    socket: Held,
    /// How it came about.
    pub(crate) origin: Role,
    /// Bytes at its beginning that belong to the relay itself: the answer to its own bind SEND, and
    /// that SEND.
    pub(crate) prologue: [u32; 2],
    readable: bool,
    writable: bool,
    /// A short read does not prove the receive buffer empty: a FIN or an urgent mark stands there.
    read_on: bool,
    fin_sent: bool,
    /// The peer closed altogether: what it sent before its FIN can still be read, what is for it
    /// goes nowhere.
    deaf: bool,
    /// Bytes were sent since the sweep last saw everything acknowledged.
    unacknowledged: bool,
    /// The user timeout is off because the peer's window is closed.
    patient: bool,
    /// How a connection of a dead process had failed, until that is asked for: the kernel says it
    /// once.
    failed: Option<Errno>,
    pub(crate) caps: Caps,
}

/// Outcome of a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Received {
    Bytes(usize),
    Nothing,
    Fin,
    Broken(LegReason),
}

/// Outcome of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sent {
    /// So many bytes; fewer than offered means that the socket is full.
    Bytes(usize),
    /// The peer no longer takes anything; all of it is dropped.
    Nowhere,
    Broken(LegReason),
}

impl Leg {
    pub(crate) fn new(socket: Held, origin: Role) -> Self {
        Self {
            socket,
            origin,
            prologue: [0; 2],
            readable: true,
            writable: true,
            read_on: false,
            fin_sent: false,
            deaf: false,
            unacknowledged: false,
            patient: false,
            failed: None,
            caps: Caps::default(),
        }
    }

    /// The connection of a dead process.
    pub(crate) fn inherit(socket: Held, origin: Role, prologue: [u32; 2]) -> Self {
        let (fin_sent, failed) = (tcp_info::has_sent_fin(&socket), tcp::take_error(&socket));
        let caps = Caps::of(&socket);
        // Whether all that was sent has arrived is not known.
        Self { prologue, fin_sent, failed, unacknowledged: true, caps, ..Self::new(socket, origin) }
    }

    /// What is left of the answer to the relay's own bind SEND, which was dealt with.
    pub(crate) fn skip_prologue(&mut self) {
        let taken = self.counts().map_or(u64::MAX, |[taken, _]| taken);
        if let Some(rest) = u64::from(self.prologue[0]).checked_sub(taken) {
            self.skip(rest as usize);
        }
    }

    /// How it has failed, if it has.
    pub(crate) fn error(&mut self) -> Option<LegReason> {
        let error = self.take_error();
        // See `ended`.
        self.deaf |= error == Some(Errno::PIPE);
        error.filter(|_| !self.deaf).map(broken_by)
    }

    fn take_error(&mut self) -> Option<Errno> {
        self.failed.take().or_else(|| tcp::take_error(&self.socket))
    }

    /// Bytes taken from it and given to it so far, as the kernel counts them. Only for a connection
    /// that nobody uses at this moment.
    pub(crate) fn counts(&self) -> io::Result<[u64; 2]> {
        let was_reset = self.failed == Some(Errno::CONNRESET);
        let taken = tcp_info::taken(&self.socket, was_reset)?;
        // The SYN counts on the side that sent it.
        let syn = u64::from(self.origin == Role::Dial);
        Ok([taken, tcp_info::given(&self.socket)?.saturating_sub(syn)])
    }

    /// When the last data came from it, and when the last was sent to it, as the kernel knows: over
    /// the death of a process, too. `None` where it does not tell.
    pub(crate) fn moved(&self, now: Moment) -> Option<[Moment; 2]> {
        Some(tcp_info::quiet(&self.socket).ok()?.map(|quiet| now - quiet))
    }

    /// Reset or ended both ways. The kernel does not tell which, and one byte less than it has
    /// counted where no FIN was among them.
    pub(crate) fn is_gone(&self) -> bool {
        tcp_info(&self.socket).is_ok_and(|info| info.state == State::Dead)
    }

    /// What a record calls it.
    pub(crate) fn token(&self) -> u32 {
        self.socket.token()
    }

    /// See [`Held::register`].
    pub(crate) fn register(&self) {
        self.socket.register();
    }

    pub(crate) fn note(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        self.read_on |= readiness.read_on;
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The peer may have ended: FIN or worse was hinted at.
    pub(crate) fn may_have_ended(&self) -> bool {
        self.read_on
    }

    /// One read. When it says that nothing more is there, an event will tell.
    pub(crate) fn recv(&mut self, buf: &mut [u8]) -> Received {
        match tcp::recv(&self.socket, buf) {
            Ok(0) => {
                self.readable = false;
                Received::Fin
            }
            Ok(n) => {
                self.readable = self.read_on || n == buf.len();
                Received::Bytes(n)
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                Received::Nothing
            }
            Err(error) => Received::Broken(broken_by(error)),
        }
    }

    /// What the next reads will bring. When more is there, an event will tell.
    pub(crate) fn peek(&mut self, buf: &mut [u8]) -> Received {
        self.readable = false;
        match tcp::peek(&self.socket, buf) {
            Ok(0) => Received::Fin,
            Ok(n) => Received::Bytes(n),
            Err(Errno::AGAIN) => Received::Nothing,
            Err(error) => Received::Broken(broken_by(error)),
        }
    }

    /// Takes so many bytes, which were looked at, out of the way.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.readable = true;
        tcp::skip(&self.socket, bytes);
    }

    /// One read of up to `most` bytes into an empty pipe. A FIN it speaks of may also be urgent
    /// data that splice(2) cannot pass: a [`recv`](Self::recv) tells.
    pub(crate) fn fill(&mut self, pipe: &mut Pipe, most: usize) -> Received {
        match pipe.fill(&self.socket, most) {
            Ok(0) => {
                self.read_on = true;
                Received::Fin
            }
            // Nor does a short read prove the receive buffer empty: pages fill a pipe as bytes do.
            Ok(n) => Received::Bytes(n),
            Err(Errno::AGAIN) => {
                self.readable = false;
                Received::Nothing
            }
            Err(error) => Received::Broken(broken_by(error)),
        }
    }

    /// One write of everything in `slices`.
    pub(crate) fn send(&mut self, slices: &[IoSlice<'_>]) -> Sent {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let sent = tcp::send(&self.socket, slices);
        self.sent(offered, sent)
    }

    /// One write of everything in `pipe`.
    pub(crate) fn pour(&mut self, pipe: &mut Pipe) -> Sent {
        let offered = pipe.held();
        let sent = pipe.pour(&self.socket);
        self.sent(offered, sent)
    }

    fn sent(&mut self, offered: usize, sent: Result<usize, Errno>) -> Sent {
        let sent = match sent {
            Ok(n) => n,
            Err(Errno::AGAIN) => 0,
            Err(Errno::PIPE) => {
                self.deaf = true;
                return Sent::Nowhere;
            }
            Err(error) => return Sent::Broken(broken_by(error)),
        };
        self.writable = sent == offered;
        self.unacknowledged |= sent > 0;
        Sent::Bytes(sent)
    }

    /// FIN, once.
    pub(crate) fn fin(&mut self) {
        if !self.fin_sent {
            self.fin_sent = true;
            tcp::fin(&self.socket);
        }
    }

    pub(crate) fn has_sent_fin(&self) -> bool {
        self.fin_sent
    }

    /// Ends it with RST.
    pub(crate) fn reset(self, thread: &Thread) {
        thread.poller.remove(&self.socket);
        tcp::reset(&self.socket);
    }

    /// Ends it after both directions have ended, or where the peer is gone.
    pub(crate) fn close(mut self, thread: &Thread) {
        thread.poller.remove(&self.socket);
        // What was written leaves also without us; FIN was sent before, or is now.
        self.fin();
    }

    /// How the peer has ended it, if it has; asks the kernel because events may be late.
    pub(crate) fn ended(&mut self) -> Option<LegReason> {
        match tcp_info(&self.socket).map(|info| info.state) {
            Ok(State::Open | State::Opening) => return None,
            Ok(State::PeerClosed) => return Some(LegReason::Fin),
            Ok(State::Dead) | Err(_) => {}
        }
        // EPIPE stands for an RST that came behind the peer's FIN: it closed, and was sent more.
        let error = self.take_error();
        self.deaf |= error == Some(Errno::PIPE);
        match (self.deaf, error) {
            (true, _) => Some(LegReason::Fin),
            (false, error) => Some(error.map_or(LegReason::Reset, broken_by)),
        }
    }

    /// TCP_USER_TIMEOUT also counts while the peer keeps its window closed, and a slow reader is
    /// alive: so it is much longer while nothing can be sent for want of window.
    pub(crate) fn sweep(&mut self, thread: &Thread) {
        if !self.unacknowledged {
            return;
        }
        let Ok(info) = tcp_info(&self.socket) else { return };
        self.unacknowledged = info.unacked > 0 || info.notsent > 0;
        // Nothing in flight and yet something to send: the window has no room for a segment.
        let closed = self.unacknowledged && (info.window == 0 || info.unacked == 0);
        if closed != self.patient {
            self.patient = closed;
            let config = &thread.config;
            let timeout = if closed { config.closed_window } else { config.user_timeout };
            // An error can only mean a dead connection, which has its own event.
            let _ = tcp::set_user_timeout(&self.socket, timeout);
        }
    }
}

impl AsFd for Leg {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn broken_by(error: Errno) -> LegReason {
    match error {
        Errno::TIMEDOUT | Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN => {
            LegReason::Timeout
        }
        _ => LegReason::Reset,
    }
}
