//! The life of one relayed session: two legs find their connections, are joined, and end together.
//!
//! A value without sockets: [`Session::handle`] takes what happened and the time, [`Session::poll`]
//! gives what the caller must do, [`Session::deadline`] when it wants [`Input::Timeout`]. Bytes are
//! not its business, only their consequences. The table of states stands in `docs/states.md`.

mod event;
mod pairing;
mod reason;
mod terms;

use std::collections::VecDeque;
use std::time::Instant;

pub use event::{Input, NoticeKind, Output};
use pairing::Pairing;
pub use pairing::{Aim, Plan};
pub use reason::{CloseReason, LegReason};
pub use terms::{Policy, Role, Side, Stage, Timers};

/// One relayed session.
#[derive(Debug)]
pub struct Session {
    policy: Policy,
    timers: Timers,
    state: State,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    /// The legs look for their connections. Boxed: joined sessions are the many.
    Pairing(Box<Pairing>),
    /// Bytes move both ways.
    Joined,
    /// `first` has sent FIN and it was passed on; the other direction may finish.
    HalfClosed { first: Side, until: Instant },
    /// Closed by the control plane, still relaying what is in flight; `first` as above.
    Lingering { reason: CloseReason, until: Instant, first: Option<Side> },
    /// Nothing is relayed any more, connections are being ended.
    Parting { reason: CloseReason, until: Instant },
    /// Over.
    Closed,
}

impl Session {
    /// A session whose offer is out: both listeners are open.
    pub fn new(policy: Policy, timers: Timers) -> Self {
        let state = State::Pairing(Box::default());
        Self { policy, timers, state, outputs: VecDeque::new() }
    }

    /// The next thing to do; `None` when all is done.
    pub fn poll(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            // Most sessions are idle: an empty queue keeps no memory.
            self.outputs = VecDeque::new();
        }
        next
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Pairing(pairing) => pairing.deadline(),
            State::HalfClosed { until, .. }
            | State::Lingering { until, .. }
            | State::Parting { until, .. } => Some(*until),
            State::Joined | State::Closed => None,
        }
    }

    /// The stage, for reports.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::Pairing(pairing) if pairing.is_answered() => Stage::Answered,
            State::Pairing(_) => Stage::Offered,
            State::Joined => Stage::Joined,
            State::HalfClosed { .. } | State::Lingering { .. } | State::Parting { .. } => {
                Stage::Draining
            }
            State::Closed => Stage::Closed,
        }
    }

    /// Why it is being ended, once that is decided.
    pub fn ending(&self) -> Option<CloseReason> {
        match &self.state {
            State::Lingering { reason, .. } | State::Parting { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// True while a valid first frame on this side's listener is welcome; else it gets 506.
    pub fn wants(&self, side: Side) -> bool {
        matches!(&self.state, State::Pairing(pairing) if pairing.wants(side))
    }

    /// Takes one event. Drain [`Session::poll`] afterwards. Events that make no sense in the
    /// present state (a late timer, a second FIN) change nothing.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match (&mut self.state, input) {
            (State::Closed, _) => {}
            (_, Input::Fault) => self.abort(CloseReason::Internal),
            (State::Parting { reason, .. }, Input::Parted) => {
                let reason = *reason;
                self.over(Output::Close, reason);
            }
            (State::Parting { reason, until }, Input::Timeout) if now >= *until => {
                let reason = *reason;
                self.abort(reason);
            }
            (State::Parting { .. }, _) => {}
            (State::Pairing(_), input) => self.pair(input, now),
            (_, input) => self.relay(input, now),
        }
    }

    /// Before the join.
    fn pair(&mut self, input: Input, now: Instant) {
        let State::Pairing(pairing) = &mut self.state else { return };
        match input {
            Input::Close { reason, .. } => return self.part(reason, now),
            Input::Idle => return self.part(CloseReason::Idle, now),
            Input::Timeout => match pairing.expired(now) {
                Some(reason) => return self.part(reason, now),
                None => return,
            },
            Input::Answered(plans) => {
                pairing.answer(plans, now + self.timers.join, &mut self.outputs);
            }
            Input::Aimed(side, aim) => pairing.aim(side, aim),
            Input::Bound { side, body } => pairing.bind(side, body, &mut self.outputs),
            Input::Connected(side) => pairing.connected(side),
            Input::DialFailed(side) => pairing.dial_failed(side, &mut self.outputs),
            Input::OwnBindAnswered { side, accepted: true } => {
                pairing.accepted(side, &mut self.outputs);
            }
            Input::OwnBindAnswered { side, accepted: false } => {
                return self.part(CloseReason::OwnBindRefused(side), now);
            }
            Input::Fin { side, .. } if pairing.is_binding(side) => {
                return self.part(CloseReason::OwnBindRefused(side), now);
            }
            Input::Broken(side, _) if pairing.is_binding(side) => {
                return self.part(CloseReason::OwnBindRefused(side), now);
            }
            Input::Fin { side, .. } => pairing.fin(side, &mut self.outputs),
            Input::Broken(side, how) => pairing.lost(side, how, &mut self.outputs),
            Input::Parted | Input::Fault => {}
        }
        let own_bind = now + self.timers.own_bind;
        if pairing.advance(self.policy.is_aware(), own_bind, &mut self.outputs) {
            self.state = State::Joined;
            self.outputs.extend([Output::Join, Output::Notify(NoticeKind::Joined)]);
        }
    }

    /// Joined, half-closed or lingering.
    fn relay(&mut self, input: Input, now: Instant) {
        match input {
            Input::Fin { side, whole: false } => {
                self.notify_lost(side, LegReason::Fin);
                self.abort(self.reason_or(CloseReason::CutChunk(side)));
            }
            Input::Fin { side, whole: true } => self.finish(side, now),
            // It had said all it had to say, and closed its connection altogether.
            Input::Broken(side, _) if self.has_finished(side) => {
                self.part(self.reason_or(CloseReason::Hangup(side)), now);
            }
            Input::Broken(side, how) => {
                // The reconnect window will start here: a lost leg then keeps session and ports.
                self.notify_lost(side, how);
                self.abort(self.reason_or(broken(side, how)));
            }
            Input::Idle => self.part(self.reason_or(CloseReason::Idle), now),
            Input::Answered(plans) => self.ignore_answer(plans),
            Input::Close { reason, linger } => self.linger(reason, now + linger, now),
            Input::Timeout => match self.state {
                State::HalfClosed { first, until } if now >= until => {
                    self.part(CloseReason::Hangup(first), now);
                }
                State::Lingering { reason, until, .. } if now >= until => self.part(reason, now),
                _ => {}
            },
            _ => {}
        }
    }

    /// Joined legs keep their connections, whatever a later answer says.
    fn ignore_answer(&mut self, plans: [Plan; 2]) {
        let changed = Side::BOTH.into_iter().zip(plans).filter(|(_, plan)| plan.changed);
        self.outputs
            .extend(changed.map(|(side, _)| Output::Notify(NoticeKind::AnswerIgnored(side))));
    }

    /// One direction has ended whole.
    fn finish(&mut self, side: Side, now: Instant) {
        let first = match self.state {
            State::HalfClosed { first, .. } | State::Lingering { first: Some(first), .. } => first,
            State::Joined => {
                self.state = State::HalfClosed { first: side, until: now + self.timers.grace };
                return self.pass_fin(side);
            }
            State::Lingering { reason, until, first: None } => {
                self.state = State::Lingering { reason, until, first: Some(side) };
                return self.pass_fin(side);
            }
            _ => return,
        };
        if side != first {
            self.pass_fin(side);
            self.over(Output::Close, self.reason_or(CloseReason::Hangup(first)));
        }
    }

    fn has_finished(&self, side: Side) -> bool {
        match self.state {
            State::HalfClosed { first, .. } => first == side,
            State::Lingering { first, .. } => first == Some(side),
            _ => false,
        }
    }

    fn pass_fin(&mut self, from: Side) {
        self.notify_lost(from, LegReason::Fin);
        self.outputs.push_back(Output::ShutdownWrite(from.other()));
    }

    fn linger(&mut self, reason: CloseReason, until: Instant, now: Instant) {
        if until <= now {
            return self.part(self.reason_or(reason), now);
        }
        self.state = match self.state {
            State::Joined => State::Lingering { reason, until, first: None },
            State::HalfClosed { first, until: grace } => {
                State::Lingering { reason, until: until.min(grace), first: Some(first) }
            }
            State::Lingering { reason, until: earlier, first } => {
                State::Lingering { reason, until: until.min(earlier), first }
            }
            _ => return,
        };
        self.outputs.extend(Side::BOTH.map(Output::CloseListener));
    }

    /// The reason of a close already under way goes before `other`.
    fn reason_or(&self, other: CloseReason) -> CloseReason {
        match self.state {
            State::Lingering { reason, .. } => reason,
            _ => other,
        }
    }

    fn notify_lost(&mut self, side: Side, how: LegReason) {
        self.outputs.push_back(Output::Notify(NoticeKind::LegLost(side, how)));
    }

    fn part(&mut self, reason: CloseReason, now: Instant) {
        self.state = State::Parting { reason, until: now + self.timers.grace };
        self.outputs.push_back(Output::Part);
    }

    fn abort(&mut self, reason: CloseReason) {
        self.over(Output::Abort, reason);
    }

    fn over(&mut self, how: Output, reason: CloseReason) {
        self.state = State::Closed;
        self.outputs.extend([how, Output::Notify(NoticeKind::Closed(reason))]);
    }
}

fn broken(side: Side, how: LegReason) -> CloseReason {
    match how {
        LegReason::Malformed => CloseReason::Malformed(side),
        LegReason::Stalled => CloseReason::ChunkStalled(side),
        LegReason::Timeout => CloseReason::PeerTimeout(side),
        _ => CloseReason::PeerReset(side),
    }
}

#[cfg(test)]
mod tests;
