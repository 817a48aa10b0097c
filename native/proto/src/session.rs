//! The life of one relayed session: two legs find their connections, are joined, and end together.
//!
//! A value without sockets: [`Session::handle`] takes what happened and the time, [`Session::poll`]
//! gives what the caller must do, [`Session::deadline`] when it wants [`Input::Timeout`]. Bytes are
//! not its business, only their consequences. The table of states stands in `docs/states.md`.

mod event;
mod outputs;
mod pairing;
mod reason;
mod renewal;
mod shown;
mod terms;

use crate::Moment;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use event::{Input, NoticeKind, Output};
use outputs::Outputs;
use pairing::Pairing;
pub use pairing::{Aim, Plan};
pub use reason::{CloseReason, LegReason};
use renewal::Renewals;
pub use terms::{Policy, Role, Side, Stage, Timers};

/// One relayed session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    policy: Policy,
    /// The configuration's, not the session's own.
    #[serde(skip)]
    timers: Arc<Timers>,
    /// The relay dials neither leg: the peers of a lost session may come again by themselves.
    returns: bool,
    state: State,
    /// Another process goes on: who tells the next answer cannot know whether it was heard before.
    #[serde(skip)]
    resumed: bool,
    #[serde(skip)]
    outputs: Outputs,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
enum State {
    /// The legs look for their connections. Boxed: joined sessions are the many.
    Pairing(Box<Pairing>),
    /// Bytes move both ways. A side whose peer has moved waits for its new connection.
    Joined { renewals: Renewals },
    /// `first` has sent FIN and it was passed on; the other direction may finish.
    HalfClosed { first: Side, until: Moment },
    /// Closed by the control plane, still relaying what is in flight; `first` as above.
    Lingering { reason: CloseReason, until: Moment, first: Option<Side> },
    /// Nothing is relayed any more, connections are being ended.
    Parting { reason: CloseReason, until: Moment },
    /// Over.
    Closed,
}

impl Session {
    /// A session whose offer is out: both listeners are open.
    pub fn new(policy: Policy, timers: impl Into<Arc<Timers>>) -> Self {
        let state = State::Pairing(Box::default());
        let outputs = Outputs::default();
        Self { policy, timers: timers.into(), returns: false, state, resumed: false, outputs }
    }

    /// A session that somebody else has begun and was read back, when all it had to do was done.
    pub fn resumed(self, timers: impl Into<Arc<Timers>>) -> Self {
        Self { timers: timers.into(), resumed: true, ..self }
    }

    /// The next thing to do; `None` when all is done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Pairing(pairing) => pairing.deadline(),
            State::HalfClosed { until, .. }
            | State::Lingering { until, .. }
            | State::Parting { until, .. } => Some(*until),
            State::Joined { renewals } => renewals.deadline(),
            State::Closed => None,
        }
    }

    /// Takes one event. Drain [`Session::poll`] afterwards. Events that make no sense in the
    /// present state (a late timer, a second FIN) change nothing.
    pub fn handle(&mut self, input: Input, now: Moment) {
        match (&mut self.state, input) {
            (State::Closed, _) => {}
            (_, Input::Fault) => self.abort(CloseReason::Internal, now),
            (State::Parting { reason, .. }, Input::Parted) => {
                let reason = *reason;
                self.over(Output::Close, reason, now);
            }
            (State::Parting { reason, until }, Input::Timeout) if now >= *until => {
                let reason = *reason;
                self.abort(reason, now);
            }
            // It cannot come back from this, whatever reason it had to end before.
            (State::Parting { .. }, Input::Close { .. }) => self.returns = false,
            (State::Parting { .. }, _) => {}
            (State::Pairing(_), input) => self.pair(input, now),
            (State::Joined { .. }, input) => {
                if let Some(input) = self.renew(input, now) {
                    self.relay(input, now);
                }
            }
            (_, input) => self.relay(input, now),
        }
        self.resumed &= !matches!(input, Input::Answered(_));
    }

    /// Before the join.
    fn pair(&mut self, input: Input, now: Moment) {
        let again = self.resumed;
        let State::Pairing(pairing) = &mut self.state else { return };
        match input {
            Input::Close { reason, .. } => {
                let reason = pairing.lost_to().unwrap_or(reason);
                return self.end(reason, now);
            }
            Input::Idle => return self.end(CloseReason::Idle, now),
            Input::Timeout => match pairing.expire(now, &mut self.outputs) {
                Some(reason) => return self.end(reason, now),
                None => return,
            },
            Input::Answered(plans) => {
                pairing.answer(plans, again, now + self.timers.join, &mut self.outputs);
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
            _ => {}
        }
        let own_bind = now + self.timers.own_bind;
        if pairing.advance(self.policy.is_aware(), own_bind, &mut self.outputs) {
            self.join();
        }
    }

    /// Both legs are bound. A leg whose peer has moved since waits on for another connection, where
    /// there are chunks to change over between.
    fn join(&mut self) {
        let State::Pairing(pairing) = &self.state else { return };
        self.returns = pairing.both_accept();
        let aware = self.policy.is_aware();
        let expected = Side::BOTH.map(|side| pairing.expected(side).filter(|_| aware));
        for side in Side::BOTH {
            if pairing.wants(side) && expected[side.index()].is_none() {
                self.outputs.push(Output::CloseListener(side));
            }
        }
        self.outputs.extend([Output::Join, Output::Notify(NoticeKind::Joined)]);
        let renewals = Renewals::go_on(expected, &mut self.outputs);
        self.state = State::Joined { renewals };
    }

    /// Joined: what concerns a side that gets a new connection; gives back what does not.
    fn renew(&mut self, input: Input, now: Moment) -> Option<Input> {
        let State::Joined { renewals } = &mut self.state else { return Some(input) };
        match input {
            Input::Answered(plans) if self.policy.is_aware() => {
                self.returns = plans.iter().all(|plan| plan.role == Role::Accept);
                renewals.begin(plans, now + self.timers.join, &mut self.outputs);
            }
            Input::Reoffered(side) if self.policy.is_aware() => {
                renewals.ask(side, &mut self.outputs);
            }
            Input::Settled(side) => {
                renewals.settle(side, now + self.timers.join, &mut self.outputs);
            }
            Input::Unpaused => renewals.begin_to_wait(now + self.timers.grace),
            Input::Timeout => {
                if let Some(reason) = renewals.expire(now, &mut self.outputs) {
                    self.part(reason, now);
                }
            }
            input => return renewals.take(input, &self.timers, now, &mut self.outputs),
        }
        None
    }

    /// Joined, half-closed or lingering.
    fn relay(&mut self, input: Input, now: Moment) {
        match input {
            Input::Fin { side, whole: false } => {
                self.notify_lost(side, LegReason::Fin);
                self.abort(self.reason_or(CloseReason::CutChunk(side)), now);
            }
            Input::Fin { side, whole: true } => self.finish(side, now),
            // It had said all it had to say, and closed its connection altogether.
            Input::Broken(side, _) if self.has_finished(side) => {
                self.part(self.reason_or(CloseReason::Hangup(side)), now);
            }
            Input::Broken(side, how) => {
                self.notify_lost(side, how);
                self.abort(self.reason_or(broken(side, how)), now);
            }
            Input::Idle => self.end(self.reason_or(CloseReason::Idle), now),
            Input::Spent => self.end(self.reason_or(CloseReason::ByteLimit), now),
            Input::Answered(plans) => self.ignore_answer(plans),
            Input::Unpaused => {
                if let State::HalfClosed { until, .. } = &mut self.state {
                    *until = now + self.timers.grace;
                }
            }
            Input::Close { reason, linger } => {
                self.returns = false;
                self.linger(reason, now + linger, now);
            }
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

    /// The legs keep their connections: there are no chunks to change over between, or no use.
    fn ignore_answer(&mut self, plans: [Plan; 2]) {
        let changed = Side::BOTH.into_iter().zip(plans).filter(|(_, plan)| plan.changed);
        self.outputs
            .extend(changed.map(|(side, _)| Output::Notify(NoticeKind::AnswerIgnored(side))));
    }

    /// One direction has ended whole.
    fn finish(&mut self, side: Side, now: Moment) {
        let first = match self.state {
            State::HalfClosed { first, .. } | State::Lingering { first: Some(first), .. } => first,
            State::Joined { ref renewals } if renewals.is_vacant() => {
                // There is no connection to pass it on to.
                self.notify_lost(side, LegReason::Fin);
                return self.part(CloseReason::Hangup(side), now);
            }
            State::Joined { ref renewals } => {
                renewals.cancel(&mut self.outputs);
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
            self.over(Output::Close, self.reason_or(CloseReason::Hangup(first)), now);
        }
    }

    /// This side has sent FIN, and it was passed on.
    pub fn has_finished(&self, side: Side) -> bool {
        match self.state {
            State::HalfClosed { first, .. } => first == side,
            State::Lingering { first, .. } => first == Some(side),
            _ => false,
        }
    }

    fn pass_fin(&mut self, from: Side) {
        self.notify_lost(from, LegReason::Fin);
        self.outputs.push(Output::ShutdownWrite(from.other()));
    }

    fn linger(&mut self, reason: CloseReason, until: Moment, now: Moment) {
        let is_vacant = matches!(&self.state, State::Joined { renewals } if renewals.is_vacant());
        if until <= now || is_vacant {
            return self.part(self.reason_or(reason), now);
        }
        self.state = match self.state {
            State::Joined { ref renewals } => {
                renewals.cancel(&mut self.outputs);
                State::Lingering { reason, until, first: None }
            }
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
        self.outputs.push(Output::Notify(NoticeKind::LegLost(side, how)));
    }

    /// For good.
    fn end(&mut self, reason: CloseReason, now: Moment) {
        self.returns = false;
        self.part(reason, now);
    }

    fn part(&mut self, reason: CloseReason, now: Moment) {
        self.state = State::Parting { reason, until: now + self.timers.grace };
        self.outputs.push(Output::Part);
    }

    fn abort(&mut self, reason: CloseReason, now: Moment) {
        self.over(Output::Abort, reason, now);
    }

    /// No connection is left. Where the relay dials nobody and both peers dialled before, they may
    /// do so again.
    fn over(&mut self, how: Output, reason: CloseReason, now: Moment) {
        if self.returns && reason.is_loss() && !self.timers.reconnect.is_zero() {
            let until = now + self.timers.reconnect;
            // First: who is told that it is over comes again at once.
            let open = |side| self.wants(side) || self.is_asked(side);
            let closed = Side::BOTH.into_iter().filter(|side| !open(*side));
            self.outputs.extend(closed.map(Output::Listen).collect::<Vec<_>>());
            self.state = State::Pairing(Box::new(Pairing::again(reason, until)));
            self.outputs.extend([how, Output::Notify(NoticeKind::Reconnecting(reason))]);
        } else {
            self.state = State::Closed;
            self.outputs.extend([how, Output::Notify(NoticeKind::Closed(reason))]);
        }
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
