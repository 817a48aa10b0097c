//! Dialling a leg: its addresses one after the other, and the relay's own bind SEND.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Side};
use msrp_proto::{Answer, BindAnswer, Limits};

use crate::board::Board;
use crate::keep::{DialState, Held, Keep, Kind, OwnBindState};
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
    session: u64,
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
    socket: Held,
    to: SocketAddr,
    until: Moment,
}

/// Where a dial stands.
#[derive(Debug)]
pub(crate) enum Dialled {
    Connecting,
    Connected(Held, SocketAddr),
    Failed,
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
        Self { key, session, side, source, options, rest, share, attempt: None }
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
        let Some(to) = self.rest.pop_front() else { return Dialled::Failed };
        let source = Source::Pair(self.key, Part::Dial(self.side));
        let goes_on =
            tcp::connect(&socket, to).is_ok() && thread.poller.add(&socket, source).is_ok();
        if !goes_on {
            return self.next(board, thread);
        }
        let until = until.unwrap_or(thread.now + self.share);
        self.attempt = Some(Attempt { socket, to, until });
        Dialled::Connecting
    }

    /// For a successor.
    pub(crate) fn state(&self) -> Option<DialState> {
        let attempt = self.attempt.as_ref()?;
        let rest = std::iter::once(attempt.to).chain(self.rest.iter().copied()).collect();
        Some(DialState { rest, until: attempt.until })
    }

    /// See [`Held::register`].
    pub(crate) fn register(&self) {
        self.attempt.iter().for_each(|attempt| attempt.socket.register());
    }

    /// Gives up the present address, if any, and begins with the next that lets itself be begun.
    pub(crate) fn next(&mut self, board: &Board, thread: &mut Thread) -> Dialled {
        self.cancel(thread);
        while let Some(to) = self.rest.pop_front() {
            thread.counters.dials(1);
            board.event(thread.now, Some(self.side), RingWhat::Dialling, to.port().into());
            let Ok(socket) = tcp::dialler(to, self.source, &self.options) else { continue };
            // Kept before the peer knows of it: a passive peer takes one connection only.
            let keep = thread.keep.as_ref();
            let socket = Keep::hold(keep, socket, Kind::Dialled, self.side, self.session);
            let source = Source::Pair(self.key, Part::Dial(self.side));
            if tcp::connect(&socket, to).is_err() || thread.poller.add(&socket, source).is_err() {
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
    pub(crate) ids: OwnBindState,
    /// What its connection has not taken of it yet.
    pub(crate) rest: Vec<u8>,
}

/// What the peer made of it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Answered {
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
    pub(crate) fn hear(&mut self, leg: &mut Leg, thread: &mut Thread) -> Answered {
        if !leg.is_readable() {
            return Answered::Not;
        }
        let mut buffer = thread.buffers.lease();
        let heard = match leg.peek(&mut buffer.input) {
            Received::Bytes(n) => self.judge(&buffer.input[..n]),
            Received::Nothing => Answered::Not,
            Received::Fin => Answered::Ended(LegReason::Fin),
            Received::Broken(how) => Answered::Ended(how),
        };
        thread.buffers.give_back(buffer);
        match heard {
            // What stays unread hides that nothing more will come.
            Answered::Not if leg.may_have_ended() => {
                leg.ended().map_or(Answered::Not, Answered::Ended)
            }
            heard => heard,
        }
    }

    fn judge(&mut self, seen: &[u8]) -> Answered {
        match self.answer.look(seen) {
            Answer::NeedMore => Answered::Not,
            Answer::Response { status, len } => Answered::With(status, len),
            Answer::Unexpected => Answered::Unexpected,
        }
    }
}
