//! Dialling a leg: its addresses one after the other, and the relay's own bind SEND.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Side};
use msrp_proto::{BindAnswer, BindOutcome, Limits};

use crate::board::Board;
use crate::keep::{DialState, Held, Keep, Kind, OwnBindState};
use crate::leg::{Leg, Received};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::sys::tcp::{self, Options};
use crate::sys::tcp_info::{State, tcp_info};
use crate::thread::Thread;
use crate::why::{DialError, DialFailure, RingWhy};

/// A dial under way.
#[derive(Debug)]
pub(crate) struct Dial {
    key: usize,
    session: u64,
    side: Side,
    source: IpAddr,
    options: Options,
    /// Not tried yet.
    rest: VecDeque<SocketAddr>,
    /// What each address gets: an equal share of the join time.
    share: Duration,
    attempt: Option<Attempt>,
    /// Of the address before.
    failure: Option<DialFailure>,
}

#[derive(Debug)]
struct Attempt {
    socket: Held,
    to: SocketAddr,
    until: Moment,
}

/// Where a dial stands.
#[derive(Debug)]
pub(crate) enum Dialled {
    Connecting,
    /// There were no descriptors, or no memory: the next address has not been tried.
    Starved,
    Connected(Held, SocketAddr),
    /// At every address; what became of the last one.
    Failed(Option<DialFailure>),
}

impl Dial {
    /// Of the session `session`, whose place in the thread's table is `key`. Not begun:
    /// [`next`](Self::next) begins.
    pub(crate) fn new(
        (key, session, side): (usize, u64, Side),
        source: IpAddr,
        targets: &[SocketAddr],
        options: Options,
        thread: &Thread,
    ) -> Self {
        let share = thread.config.join / u32::try_from(targets.len().max(1)).unwrap_or(u32::MAX);
        let rest = targets.iter().copied().collect();
        Self { key, session, side, source, options, rest, share, attempt: None, failure: None }
    }

    /// Goes on with the connection that a dead process has begun, whose address is the first of
    /// those that are left.
    pub(crate) fn go_on(
        &mut self,
        socket: Held,
        until: Option<Moment>,
        board: &Board,
        thread: &mut Thread,
    ) -> Dialled {
        let Some(to) = self.rest.pop_front() else { return Dialled::Failed(None) };
        let until = until.unwrap_or(thread.now + self.share);
        match self.begin(socket, to, until, thread) {
            Ok(()) => Dialled::Connecting,
            Err(why) => {
                self.fail(to, why, board, thread);
                self.next(board, thread)
            }
        }
    }

    /// For a successor.
    pub(crate) fn state(&self) -> DialState {
        let tried = self.attempt.as_ref().map(|attempt| attempt.to);
        let rest = tried.into_iter().chain(self.rest.iter().copied()).collect();
        DialState { rest, until: self.deadline() }
    }

    /// See [`Held::register`].
    pub(crate) fn register(&self) {
        self.attempt.iter().for_each(|attempt| attempt.socket.register());
    }

    /// Begins with the next address that lets itself be begun.
    pub(crate) fn next(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        while let Some(to) = self.rest.pop_front() {
            let made = tcp::dialler(to, self.source, &self.options).map_err(DialError::from);
            if let Err(why) = made
                && why.is_want()
            {
                // Nothing has reached the peer.
                self.rest.push_front(to);
                if self.failure.is_none_or(|before| before.why != why) {
                    self.fail(to, why, board, thread);
                }
                return Dialled::Starved;
            }
            thread.counters.dials(1);
            board.event_with(thread.now, self.side, RingWhat::Dialling, to, None);
            let begun = made.and_then(|socket| {
                // Kept before the peer knows of it: a passive peer takes one connection only.
                let keep = thread.keep.as_ref();
                let socket = Keep::hold(keep, socket, Kind::Dialled, self.side, self.session);
                self.begin(socket, to, thread.now + self.share, thread)
            });
            match begun {
                Ok(()) => return Dialled::Connecting,
                Err(why) => self.fail(to, why, board, thread),
            }
        }
        Dialled::Failed(self.failure)
    }

    fn begin(
        &mut self,
        socket: Held,
        to: SocketAddr,
        until: Moment,
        thread: &Thread,
    ) -> Result<(), DialError> {
        tcp::connect(&socket, to)?;
        thread.poller.add(&socket, Source::Pair(self.key, Part::Dial(self.side)))?;
        self.attempt = Some(Attempt { socket, to, until });
        Ok(())
    }

    fn fail(&mut self, to: SocketAddr, why: DialError, board: &Board, thread: &Thread) {
        self.failure = Some(DialFailure { to, why });
        let told = Some(RingWhy::Dial(why));
        board.event_with(thread.now, self.side, RingWhat::DialFailed, to, told);
    }

    /// The present address has had its time.
    pub(crate) fn expire(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        self.give_up(DialError::TIMED_OUT, board, thread);
        self.next(board, thread)
    }

    /// There is no time left for any address.
    pub(crate) fn end(mut self, board: &Board, thread: &Thread) -> Option<DialFailure> {
        self.give_up(DialError::TIMED_OUT, board, thread);
        self.failure
    }

    fn give_up(&mut self, why: DialError, board: &Board, thread: &Thread) {
        if let Some(to) = self.attempt.as_ref().map(|attempt| attempt.to) {
            self.cancel(thread);
            self.fail(to, why, board, thread);
        }
    }

    /// After an event on its socket.
    pub(crate) fn advance(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        let Some(attempt) = &self.attempt else { return Dialled::Connecting };
        match tcp_info(&attempt.socket).map(|info| info.state) {
            Ok(State::Opening) => Dialled::Connecting,
            // Where nobody listens, the kernel may have chosen the very port that was dialled.
            Ok(_) if tcp::local_address(&attempt.socket) == Some(attempt.to) => {
                self.give_up(DialError::REFUSED, board, thread);
                self.next(board, thread)
            }
            Ok(State::Open | State::PeerClosed) => match self.attempt.take() {
                Some(attempt) => Dialled::Connected(attempt.socket, attempt.to),
                None => Dialled::Connecting,
            },
            Ok(State::Dead) | Err(_) => {
                let why = tcp::take_error(&attempt.socket).map_or(DialError::GONE, DialError::from);
                self.give_up(why, board, thread);
                self.next(board, thread)
            }
        }
    }

    /// No address is being tried.
    pub(crate) fn is_starved(&self) -> bool {
        self.attempt.is_none()
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
    pub(crate) ids: OwnBindState,
    /// What its connection has not taken of it yet.
    pub(crate) rest: Vec<u8>,
}

/// What the peer made of it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    Not,
    /// The status, and how long the answer is, which still waits to be [skipped](Leg::skip).
    With(u16, usize),
    Unexpected,
    Ended(LegReason),
}

impl OwnBind {
    pub(crate) fn new(ids: OwnBindState, limits: Limits) -> Self {
        Self { answer: BindAnswer::new(&ids.tid, limits), ids, rest: Vec::new() }
    }

    /// Looks for the answer; what stands behind it belongs to the session.
    pub(crate) fn hear(&mut self, leg: &mut Leg, thread: &mut Thread) -> Heard {
        if !leg.is_readable() {
            return Heard::Not;
        }
        let mut buffer = thread.buffers.lease();
        let heard = match leg.peek(&mut buffer.input) {
            Received::Bytes(n) => self.judge(&buffer.input[..n]),
            Received::Nothing => Heard::Not,
            Received::Fin => Heard::Ended(LegReason::Fin),
            Received::Broken(how) => Heard::Ended(how),
        };
        thread.buffers.give_back(buffer);
        match heard {
            // What stays unread hides that nothing more will come.
            Heard::Not if leg.may_have_ended() => leg.ended().map_or(Heard::Not, Heard::Ended),
            heard => heard,
        }
    }

    fn judge(&mut self, seen: &[u8]) -> Heard {
        match self.answer.look(seen) {
            BindOutcome::NeedMore => Heard::Not,
            BindOutcome::Response { status, len } => Heard::With(status, len),
            BindOutcome::Unexpected => Heard::Unexpected,
        }
    }
}
