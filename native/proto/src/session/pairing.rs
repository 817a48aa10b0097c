//! Before the join: each leg's way to its connection, and who may speak first.
//!
//! The active end of a connection sends the first frame, a passive end is silent until it gets one.
//! So an accepted leg is bound by its first valid frame, a dialled leg when it is connected, and a
//! leg is dialled when the other one is bound, so that the peer's own bind SEND follows at once.

use crate::Moment;

use serde::{Deserialize, Serialize};

use super::outputs::Outputs;
use super::{CloseReason, LegReason, NoticeKind, Output, Role, Side};

/// What the answer says about one leg.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who makes the connection.
    pub role: Role,
    /// Whether the peer can be dialled.
    pub aim: Aim,
    /// The peer's path differs from what an earlier answer said.
    pub changed: bool,
}

/// Whether a side can be dialled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Aim {
    /// There is no address to dial.
    None,
    /// Its name is being resolved.
    Pending,
    /// There are addresses.
    Ready,
    /// Its address must not be dialled.
    Denied,
    /// Every address was tried.
    Failed,
}

/// Both legs on the way to the join.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Pairing {
    legs: [Leg; 2],
    answer: Option<Answer>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Answer {
    roles: [Role; 2],
    aims: [Aim; 2],
    until: Moment,
    /// The legs were joined under this answer, and were lost.
    lost: Option<CloseReason>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
enum Leg {
    /// No connection yet.
    #[default]
    Waiting,
    /// connect(2) is under way.
    Dialling,
    /// Connected by us; whether an own bind SEND is due depends on the other leg.
    Connected,
    /// Our own bind SEND is out.
    Binding { until: Moment },
    /// The leg has its connection.
    Bound { opening: Opening, hold: Hold },
}

/// Whether another valid connection may take a bound one's place.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Hold {
    /// No.
    Firm,
    /// Yes: its peer has sent FIN already.
    Left,
    /// Yes: an answer has named another peer since.
    Moved,
}

/// How a bound leg's peer began.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Opening {
    /// With a bodiless request.
    Bare,
    /// With a request that has a body.
    Body,
    /// Not at all: it was dialled.
    Silent,
}

impl Pairing {
    /// Both legs, accepted ones, were lost: the peers may dial again until then, without new SDP.
    pub(super) fn again(lost: CloseReason, until: Moment) -> Self {
        let roles = [Role::Accept; 2];
        let answer = Answer { roles, aims: [Aim::None; 2], until, lost: Some(lost) };
        Self { answer: Some(answer), ..Self::default() }
    }

    /// Why the legs were lost that it waits for.
    pub(super) fn lost_to(&self) -> Option<CloseReason> {
        self.answer.as_ref()?.lost
    }

    /// Neither leg is one that the relay dials.
    pub(super) fn both_accept(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.roles == [Role::Accept; 2])
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn is_binding(&self, side: Side) -> bool {
        matches!(self.legs[side.index()], Leg::Binding { .. })
    }

    pub(super) fn wants(&self, side: Side) -> bool {
        !matches!(self.legs[side.index()], Leg::Bound { hold: Hold::Firm, .. })
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let binding = self.legs.iter().filter_map(|leg| match leg {
            Leg::Binding { until } => Some(*until),
            _ => None,
        });
        binding.chain(self.answer.as_ref().map(|answer| answer.until)).min()
    }

    /// The reason to give up at `now`, if it is time. A dial that is still under way has failed.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Outputs) -> Option<CloseReason> {
        for side in Side::BOTH {
            if matches!(self.legs[side.index()], Leg::Binding { until } if now >= until) {
                return Some(CloseReason::OwnBindTimeout(side));
            }
        }
        if self.answer.as_ref().is_none_or(|answer| now < answer.until) {
            return None;
        }
        for side in Side::BOTH {
            self.dial_failed(side, out);
        }
        let answer = self.answer.as_ref()?;
        if answer.lost.is_some() {
            return answer.lost;
        }
        let missing = Side::BOTH.map(|side| !matches!(self.legs[side.index()], Leg::Bound { .. }));
        Some(match missing {
            [true, false] => answer.missing(Side::A),
            [false, true] => answer.missing(Side::B),
            _ => answer.both_missing(),
        })
    }

    /// `again`: it may have been told before, to another process.
    pub(super) fn answer(
        &mut self,
        plans: [Plan; 2],
        again: bool,
        until: Moment,
        out: &mut Outputs,
    ) {
        let repeated = again && plans.iter().all(|plan| !plan.changed);
        for side in Side::BOTH {
            let plan = plans[side.index()];
            if self.answer.is_some() && plan.changed {
                self.renew(side, out);
            }
        }
        let mut aims = plans.map(|plan| plan.aim);
        if let Some(before) = &self.answer {
            for (side, plan) in Side::BOTH.into_iter().zip(plans) {
                // A passive peer is dialled once per path.
                if !plan.changed && before.aims[side.index()] == Aim::Failed {
                    aims[side.index()] = Aim::Failed;
                }
            }
        }
        let roles = plans.map(|plan| plan.role);
        // What is told again is due when it was.
        let before = self.answer.as_ref().filter(|_| repeated);
        let (until, lost) = before.map_or((until, None), |before| (before.until, before.lost));
        self.answer = Some(Answer { roles, aims, until, lost });
    }

    /// The peer of this side is another one now.
    fn renew(&mut self, side: Side, out: &mut Outputs) {
        let leg = &mut self.legs[side.index()];
        match leg {
            Leg::Waiting => {}
            Leg::Bound { opening: Opening::Bare | Opening::Body, hold } => {
                // The new peer may have dialled before its answer came: keep what is bound, but
                // let another one in.
                if std::mem::replace(hold, Hold::Moved) == Hold::Firm {
                    out.push(Output::Listen(side));
                }
            }
            Leg::Bound { opening: Opening::Silent, .. } => {
                *leg = Leg::Waiting;
                out.extend([Output::CancelDial(side), Output::Drop(side), Output::Listen(side)]);
            }
            Leg::Dialling | Leg::Connected | Leg::Binding { .. } => {
                *leg = Leg::Waiting;
                out.push(Output::CancelDial(side));
            }
        }
    }

    pub(super) fn aim(&mut self, side: Side, aim: Aim) {
        if let Some(answer) = &mut self.answer
            && answer.aims[side.index()] == Aim::Pending
        {
            answer.aims[side.index()] = aim;
        }
    }

    pub(super) fn bind(&mut self, side: Side, body: bool, out: &mut Outputs) {
        if !self.wants(side) {
            return;
        }
        let leg = &mut self.legs[side.index()];
        if matches!(leg, Leg::Dialling | Leg::Connected | Leg::Binding { .. }) {
            out.push(Output::CancelDial(side));
        }
        let opening = if body { Opening::Body } else { Opening::Bare };
        *leg = Leg::Bound { opening, hold: Hold::Firm };
        out.extend([Output::CloseListener(side), Output::Notify(NoticeKind::Bound(side))]);
    }

    pub(super) fn connected(&mut self, side: Side) {
        let leg = &mut self.legs[side.index()];
        if matches!(leg, Leg::Dialling) {
            *leg = Leg::Connected;
        }
    }

    pub(super) fn dial_failed(&mut self, side: Side, out: &mut Outputs) {
        if matches!(self.legs[side.index()], Leg::Dialling) {
            self.dial_over(side);
            out.push(Output::Notify(NoticeKind::DialFailed(side)));
        }
    }

    /// The listener stays until the join timer: the peer may still dial.
    fn dial_over(&mut self, side: Side) {
        self.legs[side.index()] = Leg::Waiting;
        if let Some(answer) = &mut self.answer {
            answer.aims[side.index()] = Aim::Failed;
        }
    }

    pub(super) fn accepted(&mut self, side: Side, out: &mut Outputs) {
        if self.is_binding(side) {
            self.bound_silent(side, out);
        }
    }

    fn bound_silent(&mut self, side: Side, out: &mut Outputs) {
        self.legs[side.index()] = Leg::Bound { opening: Opening::Silent, hold: Hold::Firm };
        out.extend([Output::CloseListener(side), Output::Notify(NoticeKind::Bound(side))]);
    }

    /// A peer that sent its FIN before the join may have left or may only have nothing more to say:
    /// what it said is kept, and its listener opens again in case it comes back.
    pub(super) fn fin(&mut self, side: Side, out: &mut Outputs) {
        match &mut self.legs[side.index()] {
            Leg::Bound { opening: Opening::Bare | Opening::Body, hold } => {
                if *hold == Hold::Firm {
                    *hold = Hold::Left;
                    out.push(Output::Listen(side));
                    out.push(Output::Notify(NoticeKind::LegLost(side, LegReason::Fin)));
                }
            }
            Leg::Connected | Leg::Bound { opening: Opening::Silent, .. } => {
                self.lost(side, LegReason::Fin, out);
            }
            Leg::Waiting | Leg::Dialling | Leg::Binding { .. } => {}
        }
    }

    pub(super) fn lost(&mut self, side: Side, how: LegReason, out: &mut Outputs) {
        let listener_is_closed = !self.wants(side);
        match self.legs[side.index()] {
            Leg::Bound { opening: Opening::Bare | Opening::Body, .. } => {
                self.legs[side.index()] = Leg::Waiting;
            }
            Leg::Connected | Leg::Bound { opening: Opening::Silent, .. } => self.dial_over(side),
            Leg::Waiting | Leg::Dialling | Leg::Binding { .. } => return,
        }
        out.extend([Output::CancelDial(side), Output::Drop(side)]);
        out.extend(listener_is_closed.then_some(Output::Listen(side)));
        out.push(Output::Notify(NoticeKind::LegLost(side, how)));
    }

    /// What is still to come for a leg that is joined although its peer has moved: as in an answer,
    /// and until when.
    pub(super) fn expected(&self, side: Side) -> Option<(Plan, Moment)> {
        let answer = self.answer.as_ref()?;
        let (role, aim) = (answer.roles[side.index()], answer.aims[side.index()]);
        let moved = matches!(self.legs[side.index()], Leg::Bound { hold: Hold::Moved, .. });
        moved.then_some((Plan { role, aim, changed: true }, answer.until))
    }

    /// Takes every step that has become possible; true when both legs are bound and answered.
    pub(super) fn advance(&mut self, aware: bool, own_bind: Moment, out: &mut Outputs) -> bool {
        let Some(answer) = &self.answer else { return false };
        let roles = answer.roles;
        let both_dial = roles == [Role::Dial; 2];
        for side in Side::BOTH {
            let other = self.legs[side.other().index()];
            let may_speak = both_dial || matches!(other, Leg::Bound { .. });
            if may_speak && self.may_dial(side) {
                self.legs[side.index()] = Leg::Dialling;
                out.push(Output::Dial(side));
            }
            if may_speak && matches!(self.legs[side.index()], Leg::Connected) {
                self.open_dialled(side, other, aware, own_bind, out);
            }
        }
        self.legs.iter().all(|leg| matches!(leg, Leg::Bound { .. }))
    }

    fn may_dial(&self, side: Side) -> bool {
        let ready = |answer: &Answer| {
            answer.roles[side.index()] == Role::Dial && answer.aims[side.index()] == Aim::Ready
        };
        matches!(self.legs[side.index()], Leg::Waiting) && self.answer.as_ref().is_some_and(ready)
    }

    /// A dialled leg is connected and may be spoken to. Blink crashes on a first SEND with a body,
    /// and where the other peer was dialled too nobody else would begin: then the relay does.
    fn open_dialled(
        &mut self,
        side: Side,
        other: Leg,
        aware: bool,
        until: Moment,
        out: &mut Outputs,
    ) {
        if aware && !matches!(other, Leg::Bound { opening: Opening::Bare, .. }) {
            self.legs[side.index()] = Leg::Binding { until };
            out.push(Output::SendBind(side));
        } else {
            self.bound_silent(side, out);
        }
    }
}

impl Answer {
    fn missing(&self, side: Side) -> CloseReason {
        match (self.roles[side.index()], self.aims[side.index()]) {
            (Role::Dial, Aim::Denied) => CloseReason::DialDenied(side),
            (Role::Dial, Aim::Failed) => CloseReason::DialFailed(side),
            _ => CloseReason::LegMissing(side),
        }
    }

    /// A dial that could not work explains more than that nobody came.
    fn both_missing(&self) -> CloseReason {
        Side::BOTH
            .map(|side| self.missing(side))
            .into_iter()
            .find(|reason| !matches!(reason, CloseReason::LegMissing(_)))
            .unwrap_or(CloseReason::JoinTimeout)
    }
}
