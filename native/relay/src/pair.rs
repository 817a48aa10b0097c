//! One session on its thread: carries out what [`session::Session`] decides.

mod approach;
mod arriving;
mod carry_out;
mod dialling;
mod inherit;
mod moving;
mod parting;
mod renew;
mod state;

use std::sync::Arc;
use std::time::Duration;

use msrp_proto::session::{self, CloseReason, Input, LegReason, Policy, Side};
use msrp_proto::{LegPaths, Moment};

use approach::{Approach, Spare, text};
pub(crate) use inherit::Inheritance;

use crate::board::Board;
use crate::keep::{Held, Record};
use crate::leg::Leg;
use crate::listener::Door;
use crate::meter::Meter;
use crate::mover::Direction;
use crate::poller::{Part, Readiness};
use crate::ring::RingWhat;
use crate::spec::{LegOpen, OpenSpec, Sources};
use crate::thread::Thread;

/// A session on its way to its thread.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) id: u64,
    pub(crate) spec: OpenSpec,
    pub(crate) listeners: [Held; 2],
    pub(crate) board: Arc<Board>,
    /// Where there is a keeper; it holds the state already.
    pub(crate) record: Option<Box<Record>>,
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
    /// Opened before a command was given, until it is carried out.
    spares: [Option<Box<Spare>>; 2],
    /// Listeners to be opened when there are descriptors.
    unopened: [bool; 2],
    /// What a successor of this process would know of it. Before the directions: it is dropped first.
    record: Option<Box<Record>>,
    /// From A, from B; since the join. See [`drop_directions`](Self::drop_directions).
    directions: Option<Box<[Direction; 2]>>,
    /// The record's state is not the present one.
    changed: bool,
    /// Where a session has a limit.
    meter: Option<Box<Meter>>,
    /// The timer entry that counts, the earliest.
    armed: Option<Moment>,
    /// It is among the thread's runnable sessions.
    queued: bool,
    /// It is among those that are in want of descriptors or memory.
    starved: bool,
    /// Nothing is relayed until the control plane says so.
    paused: bool,
    /// Connections are being ended, nothing is relayed.
    parting: bool,
    over: bool,
}

/// One side of a session.
#[derive(Debug)]
struct End {
    leg: Option<Leg>,
    /// The way to its connection, or to another one.
    approach: Option<Box<Approach>>,
    /// The URI this peer is given, and what it gave as its path.
    paths: LegPaths,
    sources: Sources,
}

impl End {
    fn new(open: LegOpen, door: Door) -> Self {
        Self {
            leg: None,
            approach: Some(Box::new(Approach { door: Some(door), ..Approach::default() })),
            paths: LegPaths::new(&open.own_uri, &text(&open.peer_path)),
            sources: open.sources,
        }
    }
}

impl Pair {
    pub(crate) fn new(opening: Opening, key: usize, thread: &mut Thread) -> Self {
        let Opening { id, spec, listeners, board, record } = opening;
        let [leg_a, leg_b] = spec.legs;
        let [at_a, at_b] = listeners;
        let mut door = |side, listener| {
            let mut door = Door::new(key, id, side);
            door.open(listener, thread);
            door
        };
        let a = End::new(leg_a, door(Side::A, at_a));
        let b = End::new(leg_b, door(Side::B, at_b));
        thread.counters.opened(1);
        Self {
            id,
            key,
            life: session::Session::new(spec.policy, Arc::clone(&thread.timers)),
            board,
            policy: spec.policy,
            tos: spec.tos,
            idle: spec.idle,
            ends: [a, b],
            spares: [None, None],
            unopened: [false; 2],
            directions: None,
            record,
            changed: false,
            meter: Meter::new(&thread.config, thread.now),
            armed: None,
            queued: false,
            starved: false,
            paused: false,
            parting: false,
            over: false,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
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
            Part::Dial(side) => self.dial_event(side, readiness, thread),
            Part::Leg(side) => self.leg_event(side, readiness, thread),
        }
    }

    /// Has it go on in the next turn of the loop, once.
    pub(crate) fn queue(&mut self, thread: &mut Thread) {
        if !std::mem::replace(&mut self.queued, true) {
            thread.runnable.push(self.key);
        }
    }

    /// Has it try again when there may be descriptors or memory, once.
    fn starve(&mut self, thread: &mut Thread) {
        if !std::mem::replace(&mut self.starved, true) {
            thread.starved.push(self.key);
        }
    }

    /// There may be what it was [in want of](Self::starve).
    pub(crate) fn try_again(&mut self, thread: &mut Thread) {
        self.starved = false;
        self.listen_again(thread);
        self.dial_starved(thread);
        for side in Side::BOTH {
            self.accept(side, thread);
        }
    }

    /// It was [queued](Self::queue): its rounds were used up, or it has just begun to move bytes or to
    /// end.
    pub(crate) fn resume(&mut self, thread: &mut Thread) {
        self.queued = false;
        for side in Side::BOTH {
            self.accept(side, thread);
        }
        self.go_on(thread);
    }

    /// Reads nothing from either peer, or goes on. The time in between stands still for the session.
    pub(crate) fn pause(&mut self, paused: bool, thread: &mut Thread) {
        if paused == self.paused {
            return;
        }
        (self.paused, self.changed) = (paused, true);
        let what = if paused { RingWhat::Paused } else { RingWhat::Unpaused };
        self.board.event(thread.now, None, what, 0);
        if !paused {
            let directions =
                self.directions.iter_mut().flat_map(|directions| directions.iter_mut());
            directions.for_each(|direction| direction.begin_to_wait(thread.now));
            self.feed(Input::Unpaused, thread);
            self.go_on(thread);
        }
    }

    pub(crate) fn close(&mut self, reason: CloseReason, linger: Duration, thread: &mut Thread) {
        self.feed(Input::Close { reason, linger }, thread);
        if self.meter.is_some() {
            // What waited for its turn does so no longer.
            self.queue(thread);
        }
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
        if self.directions.is_none() && !self.parting {
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
        if self.directions.is_some() {
            // First: the kernel says it once only, and nothing of it when we have reset the
            // connection. A successor could take that for a FIN.
            self.write_down();
        }
        self.feed(Input::Broken(side, how), thread);
    }

    /// Looks at every deadline of the session.
    pub(crate) fn expire(&mut self, thread: &mut Thread) {
        self.armed = None;
        for side in Side::BOTH {
            self.expire_approach(side, thread);
            self.expire_spare(side, thread.now);
        }
        if let Some(side) = self.stalled(thread) {
            return self.lost(side, LegReason::Stalled, thread);
        }
        if self.meter.as_ref().is_some_and(|meter| meter.resumed() <= thread.now) {
            self.go_on(thread);
        }
        if self.idle_until().is_some_and(|at| at <= thread.now) {
            self.feed(Input::Idle, thread);
        }
        if !self.stands_still(thread.now) {
            self.feed(Input::Timeout, thread);
        }
    }

    /// What the life of the session waits for cannot come.
    fn stands_still(&self, now: Moment) -> bool {
        (self.paused || self.pauses(now).is_some()) && self.life.waits_for_bytes()
    }

    fn stalled(&self, thread: &Thread) -> Option<Side> {
        Side::BOTH
            .into_iter()
            .find(|side| self.stalls(*side, thread).is_some_and(|at| at <= thread.now))
    }

    /// When the chunk of this side has stood still too long, unless it goes on: only while the
    /// relay would read on.
    fn stalls(&self, side: Side, thread: &Thread) -> Option<Moment> {
        let directions = self.directions.as_ref().filter(|_| self.is_read())?;
        let since = directions[side.index()].stalled_since()?;
        let since = self.meter.as_ref().map_or(since, |meter| since.max(meter.resumed()));
        Some(since + thread.config.stall)
    }

    /// Bytes would be relayed if there were some.
    fn is_read(&self) -> bool {
        !self.paused && !self.parting && self.vacant().is_none()
    }

    fn idle_until(&self) -> Option<Moment> {
        let idle = self.idle?;
        let directions = self.directions.as_ref().filter(|_| self.is_read())?;
        let moved = directions.iter().map(Direction::moved).max()?;
        // While the relay itself does not read, nobody is idle.
        let moved = self.meter.as_ref().map_or(moved, |meter| moved.max(meter.resumed()));
        Some(moved + idle)
    }

    /// The earliest deadline.
    fn deadline(&self, thread: &Thread) -> Option<Moment> {
        let approaches = self.ends.iter().filter_map(|end| end.approach.as_ref()?.deadline());
        let stalls = Side::BOTH.into_iter().filter_map(|side| self.stalls(side, thread));
        let pauses = self.pauses(thread.now).filter(|_| !self.parting);
        let life = self.life.deadline().filter(|_| !self.stands_still(thread.now));
        let others = [self.idle_until(), pauses, life].into_iter().flatten();
        let spares = self.spares.iter().flatten().filter_map(|spare| spare.until);
        approaches.chain(stalls).chain(others).chain(spares).min()
    }

    /// The moment to be woken at, if it is not arranged yet.
    pub(crate) fn arm(&mut self, thread: &Thread) -> Option<Moment> {
        let at = self.deadline(thread)?;
        if self.armed.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.armed = Some(at);
        Some(at)
    }

    /// Whether this is the timer entry that counts: others were pushed before a nearer deadline.
    pub(crate) fn is_armed(&self, at: Moment) -> bool {
        self.armed == Some(at)
    }

    /// See [`Leg::sweep`] and [`Direction::review`].
    pub(crate) fn sweep(&mut self, thread: &mut Thread) {
        let [a, b] = &mut self.ends;
        for leg in [&mut a.leg, &mut b.leg].into_iter().flatten() {
            leg.sweep(thread);
        }
        if let (Some(directions), Some(a), Some(b)) = (&mut self.directions, &mut a.leg, &mut b.leg)
        {
            let [from_a, from_b] = &mut **directions;
            from_a.review(a, b, thread);
            from_b.review(b, a, thread);
        }
    }
}
