//! Dialling a leg: its addresses one after the other, and the relay's own bind SEND.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::Side;
use msrp_proto::{Answer, BindAnswer};

use crate::board::Board;
use crate::leg::{Leg, Received};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::sys::tcp::{self, Options};
use crate::sys::tcp_info::{State, tcp_info};
use crate::thread::Thread;

/// A dial under way.
#[derive(Debug)]
pub(crate) struct Dial {
    key: usize,
    side: Side,
    source: IpAddr,
    options: Options,
    /// Not tried yet.
    rest: VecDeque<SocketAddr>,
    /// What each address gets: an equal share of the join time.
    share: Duration,
    attempt: Option<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    socket: OwnedFd,
    to: SocketAddr,
    until: Moment,
}

/// Where a dial stands.
#[derive(Debug)]
pub(crate) enum Dialled {
    Connecting,
    Connected(OwnedFd, SocketAddr),
    Failed,
}

impl Dial {
    /// Not begun: [`next`](Self::next) begins.
    pub(crate) fn new(
        (key, side): (usize, Side),
        source: IpAddr,
        targets: &[SocketAddr],
        options: Options,
        thread: &Thread,
    ) -> Self {
        let share = thread.config.join / u32::try_from(targets.len().max(1)).unwrap_or(u32::MAX);
        let rest = targets.iter().copied().collect();
        Self { key, side, source, options, rest, share, attempt: None }
    }

    /// Gives up the present address, if any, and begins with the next that lets itself be begun.
    pub(crate) fn next(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        self.cancel(thread);
        while let Some(to) = self.rest.pop_front() {
            thread.counters.dials(1);
            board.event(thread.now, Some(self.side), RingWhat::Dialling, to.port().into());
            let Ok(socket) = tcp::dial(to, self.source, &self.options) else { continue };
            let source = Source::Pair(self.key, Part::Dial(self.side));
            if thread.poller.add(&socket, source).is_err() {
                continue;
            }
            self.attempt = Some(Attempt { socket, to, until: thread.now + self.share });
            return Dialled::Connecting;
        }
        Dialled::Failed
    }

    /// After an event on its socket.
    pub(crate) fn advance(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        let Some(attempt) = &self.attempt else { return Dialled::Connecting };
        match tcp_info(&attempt.socket).map(|info| info.state) {
            Ok(State::Opening) => Dialled::Connecting,
            Ok(State::Open | State::PeerClosed) => match self.attempt.take() {
                Some(attempt) => Dialled::Connected(attempt.socket, attempt.to),
                None => Dialled::Connecting,
            },
            Ok(State::Dead) | Err(_) => self.next(board, thread),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.attempt.as_ref().map(|attempt| attempt.until)
    }

    pub(crate) fn cancel(&mut self, thread: &Thread) {
        if let Some(attempt) = self.attempt.take() {
            thread.poller.remove(&attempt.socket);
        }
    }
}

/// The relay's own bind SEND is out, its answer awaited.
#[derive(Debug)]
pub(crate) struct OwnBind {
    answer: BindAnswer,
    seen: Vec<u8>,
}

/// What the peer made of it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Answered {
    Not,
    /// The status, and what the peer sent behind the answer.
    With(u16, Vec<u8>),
    Unexpected,
    Ended(Received),
}

/// Read in steps of this: what stands behind the answer has to be kept.
const STEP: usize = 4096;

impl OwnBind {
    pub(crate) fn new(answer: BindAnswer) -> Self {
        Self { answer, seen: Vec::new() }
    }

    /// Reads as far as the answer. Counts what it reads.
    pub(crate) fn hear(&mut self, leg: &mut Leg, board: &Board, side: Side) -> Answered {
        while leg.is_readable() {
            let start = self.seen.len();
            self.seen.resize(start + STEP, 0);
            let received = leg.recv(&mut self.seen[start..]);
            let Received::Bytes(n) = received else {
                self.seen.truncate(start);
                match received {
                    Received::Nothing => break,
                    ended => return Answered::Ended(ended),
                }
            };
            self.seen.truncate(start + n);
            board.leg(side).add_in(n);
            match self.answer.look(&self.seen) {
                Answer::NeedMore => {}
                Answer::Response { status, len } => {
                    return Answered::With(status, self.seen.split_off(len.min(self.seen.len())));
                }
                Answer::Unexpected => return Answered::Unexpected,
            }
        }
        Answered::Not
    }
}
