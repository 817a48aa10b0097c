//! One session on its thread: carries out what [`session::Session`] decides.

mod approach;
mod carry_out;
mod parting;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp_proto::session::{self, CloseReason, Input, LegReason, Policy, Side};

use approach::Approach;

use crate::board::Board;
use crate::leg::Leg;
use crate::mover::{Direction, Moved, Turn};
use crate::poller::{Part, Readiness};
use crate::ring::RingWhat;
use crate::spec::OpenSpec;
use crate::thread::Thread;

/// A session on its way to its thread.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) id: u64,
    pub(crate) spec: OpenSpec,
    pub(crate) listeners: [OwnedFd; 2],
    pub(crate) board: Arc<Board>,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Pair {
    id: u64,
    /// Its place in the thread's table.
    key: usize,
    life: session::Session,
    board: Arc<Board>,
    policy: Policy,
    tos: Option<u8>,
    idle: Option<Duration>,
    ends: [End; 2],
    /// From A, from B; since the join.
    flows: Option<Box<[Direction; 2]>>,
    /// The earliest timer entry that is certain to come up.
    armed: Option<Instant>,
    /// Connections are being ended, nothing is relayed.
    parting: bool,
    over: bool,
}

/// One side of a session.
#[derive(Debug)]
struct End {
    leg: Option<Leg>,
    /// The way to its connection, until the join.
    approach: Option<Box<Approach>>,
    /// Tells whether a later answer names the same peer; 0 while there is none.
    peer: u64,
}

impl Pair {
    pub(crate) fn new(opening: Opening, key: usize, thread: &mut Thread) -> Self {
        let Opening { id, spec, listeners: [at_a, at_b], board } = opening;
        let timers = session::Timers {
            join: thread.config.join,
            own_bind: thread.config.own_bind,
            grace: thread.config.grace,
        };
        let [leg_a, leg_b] = spec.legs;
        let a = Approach::new((key, Side::A), leg_a, at_a, board.local(Side::A), thread);
        let b = Approach::new((key, Side::B), leg_b, at_b, board.local(Side::B), thread);
        thread.counters.opened(1);
        Self {
            id,
            key,
            life: session::Session::new(spec.policy, timers),
            board,
            policy: spec.policy,
            tos: spec.tos,
            idle: spec.idle,
            ends: [a, b].map(|approach| End {
                leg: None,
                peer: approach.peer(),
                approach: Some(Box::new(approach)),
            }),
            flows: None,
            armed: None,
            parting: false,
            over: false,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Nothing is left of it.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side.index()]
    }

    /// Something happened to one of its descriptors.
    pub(crate) fn event(&mut self, part: Part, readiness: Readiness, thread: &mut Thread) {
        match part {
            Part::Listener(side) => self.accept(side, thread),
            Part::Caller(side, place) => self.hear(side, place.into(), thread),
            Part::Dial(side) => self.advance_dial(side, thread),
            Part::Leg(side) => self.leg_event(side, readiness, thread),
        }
    }

    /// Its rounds were used up in the last turn.
    pub(crate) fn resume(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            self.accept(side, thread);
        }
        self.go_on(thread);
    }

    pub(crate) fn close(&mut self, reason: CloseReason, linger: Duration, thread: &mut Thread) {
        self.feed(Input::Close { reason, linger }, thread);
    }

    /// A panic in this session, or an error with no better name.
    pub(crate) fn fail(&mut self, thread: &mut Thread) {
        self.feed(Input::Fault, thread);
    }

    fn leg_event(&mut self, side: Side, readiness: Readiness, thread: &mut Thread) {
        let parting = self.parting;
        let Some(leg) = &mut self.end(side).leg else { return };
        leg.note(readiness);
        if readiness.error && !parting {
            // Also where backpressure keeps us from reading it: the other peer must learn of it.
            let ended = leg.ended().filter(|how| *how != LegReason::Fin);
            if let Some(how) = ended {
                return self.lost(side, how, thread);
            }
        }
        self.go_on(thread);
        if self.flows.is_none() && !self.parting {
            self.watch_unjoined(side, thread);
        }
    }

    fn fin(&mut self, side: Side, whole: bool, thread: &mut Thread) {
        self.board.event(thread.now, Some(side), RingWhat::Fin, 0);
        self.board.leg(side).set_reason(LegReason::Fin);
        self.feed(Input::Fin { side, whole }, thread);
    }

    fn lost(&mut self, side: Side, how: LegReason, thread: &mut Thread) {
        self.board.event(thread.now, Some(side), RingWhat::Lost, 0);
        self.board.leg(side).set_reason(how);
        self.feed(Input::Broken(side, how), thread);
    }

    /// Moves what can be moved, or goes on with ending.
    fn go_on(&mut self, thread: &mut Thread) {
        if self.parting {
            return self.part_on(thread);
        }
        // Twice: an answer of the relay's own may have come up for a direction that had its turn.
        for side in Side::BOTH.into_iter().chain(Side::BOTH) {
            match self.turn(side, thread) {
                None => return,
                Some(Moved::Waits) => {}
                Some(Moved::More) => thread.runnable.push(self.key),
                Some(Moved::Fin { whole }) => return self.fin(side, whole, thread),
                Some(Moved::Broken(side, how)) => return self.lost(side, how, thread),
            }
        }
    }

    /// One turn of the direction from `side`; `None` where there is none.
    fn turn(&mut self, side: Side, thread: &mut Thread) -> Option<Moved> {
        let [from_a, from_b] = &mut **self.flows.as_mut()?;
        let (flow, back) = if side == Side::A { (from_a, from_b) } else { (from_b, from_a) };
        let [a, b] = &mut self.ends;
        let (from, to) = if side == Side::A { (a, b) } else { (b, a) };
        let (from, to) = (from.leg.as_mut()?, to.leg.as_mut()?);
        Some(flow.turn(from, &mut Turn { to, board: &self.board, thread }, back))
    }

    /// Looks at every deadline of the session.
    pub(crate) fn expire(&mut self, thread: &mut Thread) {
        self.armed = None;
        for side in Side::BOTH {
            self.expire_approach(side, thread);
        }
        if let Some(side) = self.stalled(thread) {
            return self.lost(side, LegReason::Stalled, thread);
        }
        if self.idle_until().is_some_and(|at| at <= thread.now) {
            self.feed(Input::Idle, thread);
        }
        self.feed(Input::Timeout, thread);
    }

    fn stalled(&self, thread: &Thread) -> Option<Side> {
        let flows = self.flows.as_ref().filter(|_| !self.parting)?;
        Side::BOTH.into_iter().find(|side| {
            let since = flows[side.index()].stalled_since();
            since.is_some_and(|since| since + thread.config.stall <= thread.now)
        })
    }

    fn idle_until(&self) -> Option<Instant> {
        let flows = self.flows.as_ref().filter(|_| !self.parting)?;
        let moved = flows.iter().map(Direction::moved).max()?;
        Some(moved + self.idle?)
    }

    /// The earliest deadline.
    fn deadline(&self, thread: &Thread) -> Option<Instant> {
        let approaches = self.ends.iter().filter_map(|end| end.approach.as_ref()?.deadline());
        let flows = self.flows.iter().filter(|_| !self.parting).flat_map(|flows| flows.iter());
        let stalls = flows.filter_map(Direction::stalled_since).map(|at| at + thread.config.stall);
        approaches.chain(stalls).chain(self.idle_until()).chain(self.life.deadline()).min()
    }

    /// The moment to be woken at, if it is not arranged yet.
    pub(crate) fn arm(&mut self, thread: &Thread) -> Option<Instant> {
        let at = self.deadline(thread)?;
        if self.armed.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.armed = Some(at);
        Some(at)
    }

    /// See [`Leg::sweep`].
    pub(crate) fn sweep(&mut self, thread: &Thread) {
        for leg in self.ends.iter_mut().filter_map(|end| end.leg.as_mut()) {
            leg.sweep(thread);
        }
    }
}
