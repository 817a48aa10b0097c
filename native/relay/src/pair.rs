//! One session on its thread: carries out what [`session::Session`] decides.

mod carry_out;
mod parting;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp_proto::session::{self, Aim, CloseReason, Input, LegReason, Plan, Policy, Role, Side};
use msrp_proto::{Key, Uri};

use crate::board::Board;
use crate::dial::{Answered, Dial, Dialled, OwnBind};
use crate::leg::{Leg, Received};
use crate::listener::{Door, Guest};
use crate::mover::{Direction, Moved, Turn};
use crate::poller::{Part, Readiness, Source};
use crate::ring::RingWhat;
use crate::spec::{AnswerSpec, OpenSpec, Target};
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
    local: SocketAddr,
    own_uri: Box<[u8]>,
    path: Vec<Vec<u8>>,
    targets: Vec<SocketAddr>,
    door: Option<Box<Door>>,
    dial: Option<Box<Dial>>,
    own_bind: Option<Box<OwnBind>>,
    leg: Option<Leg>,
    /// Read from the leg before the join.
    early: Vec<u8>,
}

impl Pair {
    pub(crate) fn new(opening: Opening, key: usize, thread: &mut Thread) -> Self {
        let Opening { id, spec, listeners, board } = opening;
        let timers = session::Timers {
            join: thread.config.join,
            own_bind: thread.config.own_bind,
            grace: thread.config.grace,
        };
        let report = board.report();
        let mut sides =
            Side::BOTH.into_iter().zip(listeners).zip(spec.legs).map(|((side, listener), open)| {
                End {
                    local: report.legs[side.index()].local,
                    own_uri: open.own_uri.into(),
                    path: open.peer_path,
                    targets: Vec::new(),
                    door: Some(Box::new(Door::new(key, side, listener, thread))),
                    dial: None,
                    own_bind: None,
                    leg: None,
                    early: Vec::new(),
                }
            });
        let ends = std::array::from_fn(|_| sides.next().expect("two sides"));
        drop(sides);
        thread.counters.opened(1);
        Self {
            id,
            key,
            life: session::Session::new(spec.policy, timers),
            board,
            policy: spec.policy,
            tos: spec.tos,
            idle: spec.idle,
            ends,
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

    pub(crate) fn answer(&mut self, spec: AnswerSpec, thread: &mut Thread) {
        let plans = Side::BOTH.map(|side| self.plan(side, &spec));
        if self.flows.is_some() {
            // Joined legs keep their connections.
            return;
        }
        for (side, leg) in Side::BOTH.into_iter().zip(spec.legs) {
            self.board.leg(side).set_role(leg.role);
            let end = self.end(side);
            end.path = leg.peer_path;
            if let Target::Addrs(targets) = leg.target {
                end.targets = targets;
            }
        }
        self.feed(Input::Answered(plans), thread);
        // What a first frame must name may have become known.
        for side in Side::BOTH {
            let callers = self.end(side).door.as_ref().map_or(0, |door| door.places());
            for place in 0..callers {
                self.hear(side, place, thread);
            }
        }
    }

    fn plan(&self, side: Side, spec: &AnswerSpec) -> Plan {
        let leg = &spec.legs[side.index()];
        let end = &self.ends[side.index()];
        let changed = !end.path.is_empty() && end.path != leg.peer_path;
        Plan { role: leg.role, aim: aim(&leg.target), changed }
    }

    pub(crate) fn set_target(&mut self, side: Side, target: Target, thread: &mut Thread) {
        let aim = aim(&target);
        if let Target::Addrs(targets) = target {
            self.end(side).targets = targets;
        }
        self.feed(Input::Aimed(side, aim), thread);
    }

    pub(crate) fn close(&mut self, reason: CloseReason, linger: Duration, thread: &mut Thread) {
        self.feed(Input::Close { reason, linger }, thread);
    }

    /// A panic in this session, or an error with no better name.
    pub(crate) fn fail(&mut self, thread: &mut Thread) {
        self.feed(Input::Fault, thread);
    }

    fn accept(&mut self, side: Side, thread: &mut Thread) {
        let end = &mut self.ends[side.index()];
        if let Some(door) = &mut end.door {
            door.accept(&self.board, thread);
        }
    }

    /// A caller's first frame.
    fn hear(&mut self, side: Side, place: usize, thread: &mut Thread) {
        let wanted = self.life.wants(side);
        let [a, b] = &mut self.ends;
        let (end, other) = if side == Side::A { (a, b) } else { (b, a) };
        let Some(door) = &mut end.door else { return };
        let key = key(self.policy, &end.own_uri, &other.path);
        let guest = door.hear(place, key.as_ref(), wanted, &self.board, thread);
        if let Some(guest) = guest {
            self.bind(side, guest, thread);
        }
        self.end(side).door.take_if(|door| door.is_idle());
    }

    /// The caller is the leg's peer.
    fn bind(&mut self, side: Side, guest: Guest, thread: &mut Thread) {
        let Guest { socket, from, seen, has_body } = guest;
        self.end(side).cancel_dial(thread);
        self.end(side).drop_leg(thread);
        if thread.poller.rename(&socket, Source::Pair(self.key, Part::Leg(side))).is_err() {
            return thread.counters.refused("unwatched");
        }
        self.board.event(thread.now, Some(side), RingWhat::FirstFrame, from.port().into());
        self.board.leg(side).set_peer(from);
        self.board.leg(side).add_in(seen.len());
        let end = self.end(side);
        end.leg = Some(Leg::new(socket, Role::Accept));
        end.early = seen;
        self.feed(Input::Bound { side, body: has_body }, thread);
    }

    fn advance_dial(&mut self, side: Side, thread: &mut Thread) {
        let end = &mut self.ends[side.index()];
        let Some(dial) = &mut end.dial else { return };
        let dialled = dial.advance(&self.board, thread);
        self.dialled(side, dialled, thread);
    }

    fn dialled(&mut self, side: Side, dialled: Dialled, thread: &mut Thread) {
        match dialled {
            Dialled::Connecting => {}
            Dialled::Connected(socket, to) => {
                self.end(side).dial = None;
                let source = Source::Pair(self.key, Part::Leg(side));
                if thread.poller.rename(&socket, source).is_err() {
                    return self.feed(Input::DialFailed(side), thread);
                }
                self.board.leg(side).set_peer(to);
                self.board.event(thread.now, Some(side), RingWhat::Connected, to.port().into());
                self.end(side).leg = Some(Leg::new(socket, Role::Dial));
                self.feed(Input::Connected(side), thread);
            }
            Dialled::Failed => {
                self.end(side).dial = None;
                self.feed(Input::DialFailed(side), thread);
            }
        }
    }

    fn leg_event(&mut self, side: Side, readiness: Readiness, thread: &mut Thread) {
        let Some(leg) = &mut self.end(side).leg else { return };
        leg.note(readiness);
        if readiness.error && !self.parting {
            // Also where backpressure keeps us from reading it: the other peer must learn of it.
            let ended = self.end(side).leg.as_mut().and_then(Leg::ended);
            if let Some(how) = ended.filter(|how| *how != LegReason::Fin) {
                return self.lost(side, how, thread);
            }
        }
        self.go_on(thread);
        if self.flows.is_none() && !self.parting {
            self.watch_unjoined(side, thread);
        }
    }

    /// Before the join a leg is not read, except for the answer to the relay's own bind SEND.
    fn watch_unjoined(&mut self, side: Side, thread: &mut Thread) {
        let end = &mut self.ends[side.index()];
        let (Some(leg), own_bind) = (&mut end.leg, &mut end.own_bind) else { return };
        let heard = match own_bind {
            Some(own_bind) => own_bind.hear(leg, &self.board, side),
            None => match leg.may_have_ended().then(|| leg.ended()).flatten() {
                Some(LegReason::Fin) => Answered::Ended(Received::Fin),
                Some(how) => Answered::Ended(Received::Broken(how)),
                None => Answered::Not,
            },
        };
        match heard {
            Answered::Not => {}
            Answered::With(status, rest) => {
                end.own_bind = None;
                end.early = rest;
                let what = RingWhat::OwnBindAnswer;
                self.board.event(thread.now, Some(side), what, status.into());
                self.feed(Input::OwnBindAnswered { side, accepted: status == 200 }, thread);
            }
            Answered::Unexpected => {
                self.feed(Input::OwnBindAnswered { side, accepted: false }, thread);
            }
            Answered::Ended(Received::Broken(how)) => self.lost(side, how, thread),
            Answered::Ended(_) => self.fin(side, true, thread),
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
        let flows = self.flows.as_mut()?;
        let [a, b] = &mut self.ends;
        let (from, to) = if side == Side::A { (a, b) } else { (b, a) };
        let (from, to) = (from.leg.as_mut()?, to.leg.as_mut()?);
        let [from_a, from_b] = &mut **flows;
        let (flow, back) = if side == Side::A { (from_a, from_b) } else { (from_b, from_a) };
        Some(flow.turn(&mut Turn { from, to, board: &self.board, thread }, back))
    }

    /// Looks at every deadline of the session.
    pub(crate) fn expire(&mut self, thread: &mut Thread) {
        self.armed = None;
        let now = thread.now;
        for side in Side::BOTH {
            let end = &mut self.ends[side.index()];
            if let Some(door) = &mut end.door {
                door.expire(&self.board, thread);
            }
            end.door.take_if(|door| door.is_idle());
            let late = |dial: &&mut Box<Dial>| dial.deadline().is_some_and(|at| at <= now);
            if let Some(dial) = end.dial.as_mut().filter(late) {
                let dialled = dial.next(&self.board, thread);
                self.dialled(side, dialled, thread);
            }
        }
        if let Some(side) = self.stalled(thread) {
            return self.lost(side, LegReason::Stalled, thread);
        }
        if self.idle_until().is_some_and(|at| at <= now) {
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
        let doors = self.ends.iter().filter_map(|end| end.door.as_ref()?.deadline());
        let dials = self.ends.iter().filter_map(|end| end.dial.as_ref()?.deadline());
        let flows = self.flows.iter().filter(|_| !self.parting).flat_map(|flows| flows.iter());
        let stalls = flows.filter_map(Direction::stalled_since).map(|at| at + thread.config.stall);
        doors.chain(dials).chain(stalls).chain(self.idle_until()).chain(self.life.deadline()).min()
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

impl End {
    fn cancel_dial(&mut self, thread: &Thread) {
        if let Some(mut dial) = self.dial.take() {
            dial.cancel(thread);
        }
        self.own_bind = None;
        if self.leg.as_ref().is_some_and(|leg| leg.origin == Role::Dial) {
            self.drop_leg(thread);
        }
    }

    fn drop_leg(&mut self, thread: &Thread) {
        self.early = Vec::new();
        if let Some(leg) = self.leg.take() {
            leg.close(thread);
        }
    }

    fn shut_door(&mut self, thread: &Thread) {
        if let Some(mut door) = self.door.take() {
            door.shut(thread);
        }
    }
}

fn aim(target: &Target) -> Aim {
    match target {
        Target::None => Aim::None,
        Target::Pending => Aim::Pending,
        Target::Addrs(addrs) if addrs.is_empty() => Aim::Failed,
        Target::Addrs(_) => Aim::Ready,
        Target::Denied => Aim::Denied,
    }
}

/// What the first frame on a leg must name; `None` while it is not known.
fn key<'a>(policy: Policy, own_uri: &'a [u8], other_path: &'a [Vec<u8>]) -> Option<Key<'a>> {
    if policy.is_aware() {
        return Some(Key::Uri(own_uri));
    }
    let uri = Uri::parse(other_path.first()?).ok()?;
    uri.session_id.map(Key::SessionId)
}
