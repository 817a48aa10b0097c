//! After the join, aware: a side whose peer has moved gets a new connection, the other side keeps
//! its own (RFC 4975 §5.4, §8.4).
//!
//! Make before break: the old connection goes on until the new one is bound, and is replaced
//! between two chunks. The peer at the other end of the session may be silent for ever, so a
//! connection that the relay dials is always bound by the relay's own SEND.
//!
//! A peer with a re-offer may dial before its answer has reached us, as it may after the first offer.
//! So its listener opens with the re-offer; whether it has moved is known, and whoever came is heard,
//! when the answer is there.

use crate::Moment;

use serde::{Deserialize, Serialize};

use super::outputs::Outputs;
use super::{Aim, CloseReason, Input, LegReason, NoticeKind, Output, Plan, Role, Side, Timers};

/// Each side's renewal, where there is one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Renewals([Option<Box<Renewal>>; 2]);

impl Renewals {
    /// Sides that were joined although their peer has moved; their listeners are open.
    pub(super) fn go_on(expected: [Option<(Plan, Moment)>; 2], out: &mut Outputs) -> Self {
        let mut renewals = Self::default();
        for side in Side::BOTH {
            renewals.0[side.index()] = expected[side.index()]
                .map(|(plan, until)| Box::new(Renewal::new(side, plan, until, out)));
        }
        renewals
    }

    /// An answer for a joined session: sides whose peer has moved are renewed.
    pub(super) fn begin(&mut self, plans: [Plan; 2], until: Moment, out: &mut Outputs) {
        for (side, plan) in Side::BOTH.into_iter().zip(plans) {
            match &mut self.0[side.index()] {
                Some(renewal) if plan.changed => renewal.again(plan, until, out),
                Some(renewal) if renewal.is_asked() => {}
                Some(renewal) => renewal.repeat(plan, out),
                place if plan.changed => {
                    out.push(Output::Listen(side));
                    *place = Some(Box::new(Renewal::new(side, plan, until, out)));
                }
                _ => {}
            }
        }
    }

    /// The peer of a side has a re-offer.
    pub(super) fn ask(&mut self, side: Side, out: &mut Outputs) {
        self.0[side.index()].get_or_insert_with(|| {
            out.push(Output::Listen(side));
            Box::new(Renewal::asked(side))
        });
    }

    /// The re-offer to the peer of this side is over and has not moved it. If it has left its
    /// connection meanwhile, it has until then to come again.
    pub(super) fn settle(&mut self, side: Side, until: Moment, out: &mut Outputs) {
        self.0[side.index()].take_if(|renewal| renewal.settle(until, out));
    }

    /// Takes an input about a side that is being renewed, gives back any other.
    pub(super) fn take(
        &mut self,
        input: Input,
        timers: &Timers,
        now: Moment,
        out: &mut Outputs,
    ) -> Option<Input> {
        let Some(side) = about(input) else { return Some(input) };
        let Some(renewal) = &mut self.0[side.index()] else { return Some(input) };
        let (own_bind, grace) = (now + timers.own_bind, now + timers.grace);
        match input {
            Input::Aimed(_, aim) => renewal.aim(aim, out),
            Input::Bound { .. } => renewal.bound(grace, out),
            Input::Connected(_) => renewal.connected(own_bind, out),
            Input::OwnBindAnswered { accepted: true, .. } => renewal.accepted(grace, out),
            Input::OwnBindAnswered { .. } | Input::DialFailed(_) => renewal.dial_failed(out),
            Input::NewBroken(_) => renewal.new_broken(out),
            Input::Fin { .. } => renewal.lost(LegReason::Fin, out),
            Input::Broken(_, how) => renewal.lost(how, out),
            Input::Replaced(_) => {
                self.0[side.index()] = None;
                out.push(Output::Notify(NoticeKind::Renewed(side)));
            }
            other => return Some(other),
        }
        None
    }

    /// Looks at the time; gives the reason to end a session one side of which has no connection.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Outputs) -> Option<CloseReason> {
        for place in &mut self.0 {
            match place.as_mut().map(|renewal| renewal.expire(now, out)) {
                Some(Expired::Kept) => *place = None,
                Some(Expired::Lost(reason)) => return Some(reason),
                Some(Expired::No) | None => {}
            }
        }
        None
    }

    /// No connection is renewed any more.
    pub(super) fn cancel(&self, out: &mut Outputs) {
        self.each().for_each(|renewal| renewal.cancel(out));
    }

    pub(super) fn wants(&self, side: Side) -> bool {
        self.0[side.index()].as_ref().is_some_and(|renewal| renewal.wants())
    }

    pub(super) fn is_asked(&self, side: Side) -> bool {
        self.0[side.index()].as_ref().is_some_and(|renewal| renewal.is_asked())
    }

    /// An answer has moved the peer of this side, and its new connection has not taken over.
    pub(super) fn is_moving(&self, side: Side) -> bool {
        self.0[side.index()].as_ref().is_some_and(|renewal| !renewal.is_asked())
    }

    /// A side has no connection.
    pub(super) fn is_vacant(&self) -> bool {
        self.each().any(|renewal| renewal.vacant)
    }

    /// An old connection is to end its chunk.
    pub(super) fn wait_for_bytes(&self) -> bool {
        self.each().any(|renewal| matches!(renewal.way, Way::Bound) && !renewal.vacant)
    }

    /// Bytes are relayed again: whoever has to end a chunk has until then at least.
    pub(super) fn begin_to_wait(&mut self, until: Moment) {
        for renewal in self.0.iter_mut().flatten().filter(|it| matches!(it.way, Way::Bound)) {
            renewal.until = renewal.until.max(until);
        }
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.each().filter_map(Renewal::deadline).min()
    }

    fn each(&self) -> impl Iterator<Item = &Renewal> {
        self.0.iter().flatten().map(Box::as_ref)
    }
}

/// Whose connection an input is about, if it could be a new one's.
fn about(input: Input) -> Option<Side> {
    match input {
        Input::Aimed(side, _)
        | Input::Bound { side, .. }
        | Input::Connected(side)
        | Input::DialFailed(side)
        | Input::OwnBindAnswered { side, .. }
        | Input::NewBroken(side)
        | Input::Replaced(side)
        | Input::Fin { side, .. }
        | Input::Broken(side, _) => Some(side),
        _ => None,
    }
}

/// A side on the way to its new connection.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Renewal {
    side: Side,
    role: Role,
    way: Way,
    /// The old connection is gone.
    vacant: bool,
    /// The new one must be bound by then, and have taken over when it is.
    until: Moment,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Way {
    /// The listener is open; `aim` tells whether there is somebody to dial.
    Waiting { aim: Aim },
    /// connect(2) is under way.
    Dialling,
    /// Our own bind SEND is out.
    Binding { until: Moment },
    /// It takes over at the next place between two chunks.
    Bound,
    /// A re-offer is out: the listener is open, and who comes waits for the answer.
    Asked,
}

/// What became of a renewal whose time is over.
#[derive(Clone, Copy, Debug)]
enum Expired {
    /// It goes on.
    No,
    /// The old connection stays.
    Kept,
    /// There is neither an old nor a new one.
    Lost(CloseReason),
}

impl Renewal {
    /// `plan` names another peer than the one that is joined. Its listener is open.
    fn new(side: Side, plan: Plan, until: Moment, out: &mut Outputs) -> Self {
        let way = Way::Waiting { aim: plan.aim };
        let mut renewal = Self { side, role: plan.role, way, vacant: false, until };
        renewal.dial(out);
        renewal
    }

    /// The peer may have moved by the time it answers a re-offer.
    fn asked(side: Side) -> Self {
        Self { side, role: Role::Accept, way: Way::Asked, vacant: false, until: Moment::default() }
    }

    fn is_asked(&self) -> bool {
        matches!(self.way, Way::Asked)
    }

    /// The re-offer has moved nobody; gives whether the old connection is there to go on.
    fn settle(&mut self, until: Moment, out: &mut Outputs) -> bool {
        if !self.is_asked() {
            return false;
        }
        if self.vacant {
            (self.way, self.until) = (Way::Waiting { aim: Aim::None }, until);
        } else {
            out.push(Output::CloseListener(self.side));
        }
        !self.vacant
    }

    /// The peer has moved, maybe once more.
    fn again(&mut self, plan: Plan, until: Moment, out: &mut Outputs) {
        if !self.is_asked() {
            out.push(Output::CancelDial(self.side));
        }
        if matches!(self.way, Way::Bound) {
            out.push(Output::Listen(self.side));
        }
        (self.role, self.way, self.until) = (plan.role, Way::Waiting { aim: plan.aim }, until);
        self.dial(out);
    }

    /// The same peer in another answer, maybe in another role.
    fn repeat(&mut self, plan: Plan, out: &mut Outputs) {
        self.role = plan.role;
        if let Way::Waiting { aim } = &mut self.way {
            // It is dialled once per path.
            if *aim != Aim::Failed {
                *aim = plan.aim;
            }
            self.dial(out);
        }
    }

    fn wants(&self) -> bool {
        !matches!(self.way, Way::Bound | Way::Asked)
    }

    fn deadline(&self) -> Option<Moment> {
        match self.way {
            Way::Binding { until } => Some(until.min(self.until)),
            // Nothing is in the way of the new connection.
            Way::Bound if self.vacant => None,
            // The control plane's.
            Way::Asked => None,
            _ => Some(self.until),
        }
    }

    fn aim(&mut self, aim: Aim, out: &mut Outputs) {
        if matches!(self.way, Way::Waiting { aim: Aim::Pending }) {
            self.way = Way::Waiting { aim };
            self.dial(out);
        }
    }

    fn dial(&mut self, out: &mut Outputs) {
        if self.role == Role::Dial && matches!(self.way, Way::Waiting { aim: Aim::Ready }) {
            self.way = Way::Dialling;
            out.push(Output::Dial(self.side));
        }
    }

    fn connected(&mut self, until: Moment, out: &mut Outputs) {
        if matches!(self.way, Way::Dialling) {
            self.way = Way::Binding { until };
            out.push(Output::SendBind(self.side));
        }
    }

    /// The dial, or the bind behind it, came to nothing. The peer may still dial.
    fn dial_failed(&mut self, out: &mut Outputs) {
        if matches!(self.way, Way::Dialling | Way::Binding { .. }) {
            self.way = Way::Waiting { aim: Aim::Failed };
            let failed = Output::Notify(NoticeKind::DialFailed(self.side));
            out.extend([Output::CancelDial(self.side), failed]);
        }
    }

    /// A valid first frame on the listener.
    fn bound(&mut self, until: Moment, out: &mut Outputs) {
        if self.wants() {
            self.replace(until, out);
        }
    }

    /// The peer took our own bind SEND.
    fn accepted(&mut self, until: Moment, out: &mut Outputs) {
        if matches!(self.way, Way::Binding { .. }) {
            self.replace(until, out);
        }
    }

    fn replace(&mut self, until: Moment, out: &mut Outputs) {
        self.way = Way::Bound;
        self.until = self.until.max(until);
        let told = Output::Notify(NoticeKind::Bound(self.side));
        out.extend([Output::CloseListener(self.side), told, Output::Replace(self.side)]);
    }

    /// The new connection has ended before its turn; its peer may come again.
    fn new_broken(&mut self, out: &mut Outputs) {
        if matches!(self.way, Way::Bound) {
            self.way = Way::Waiting { aim: Aim::Failed };
            out.extend([Output::CancelDial(self.side), Output::Listen(self.side)]);
        }
    }

    /// The old connection has ended.
    fn lost(&mut self, how: LegReason, out: &mut Outputs) {
        if !self.vacant {
            self.vacate(out);
            out.push(Output::Notify(NoticeKind::LegLost(self.side, how)));
        }
    }

    fn vacate(&mut self, out: &mut Outputs) {
        self.vacant = true;
        out.push(Output::Vacate(self.side));
    }

    /// Looks at the time.
    fn expire(&mut self, now: Moment, out: &mut Outputs) -> Expired {
        match self.way {
            Way::Binding { until } if now >= until => self.dial_failed(out),
            _ => {}
        }
        if now < self.until || self.is_asked() {
            return Expired::No;
        }
        if matches!(self.way, Way::Dialling) {
            self.way = Way::Waiting { aim: Aim::Failed };
            out.push(Output::Notify(NoticeKind::DialFailed(self.side)));
        }
        match self.way {
            // The old peer's chunk has no end, or nobody reads what is for it.
            Way::Bound => {
                if !self.vacant {
                    self.vacate(out);
                }
                Expired::No
            }
            _ if self.vacant => Expired::Lost(self.missing()),
            _ => {
                self.cancel(out);
                out.push(Output::Notify(NoticeKind::AnswerIgnored(self.side)));
                Expired::Kept
            }
        }
    }

    /// Gives the new connection up, however far it came.
    fn cancel(&self, out: &mut Outputs) {
        out.extend([Output::CancelDial(self.side), Output::CloseListener(self.side)]);
    }

    fn missing(&self) -> CloseReason {
        match (self.role, self.way) {
            (Role::Dial, Way::Waiting { aim: Aim::Denied }) => CloseReason::DialDenied(self.side),
            (Role::Dial, Way::Waiting { aim: Aim::Failed }) => CloseReason::DialFailed(self.side),
            _ => CloseReason::LegMissing(self.side),
        }
    }
}
