//! Scripts for a session, played by an honest caller: it feeds only what can happen, and checks
//! that what it is told to do can be done.

use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::{
    Aim, CloseReason, Input, LegReason, NoticeKind, Output, Plan, Policy, Role, Session, Side,
    Stage, Timers,
};

/// Plays the script in `data`: two octets of terms, then two octets an event.
pub fn play(data: &[u8]) {
    let [terms, window, script @ ..] = data else { return };
    let mut caller = Caller::new(*terms, *window);
    for event in script.chunks_exact(2) {
        caller.now += Duration::from_millis(u64::from(event[1]) * 100);
        if let Some(input) = caller.possible(event[0], event[1]) {
            caller.feed(input);
        }
    }
    caller.end();
}

/// What the caller has on one side.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    listening: bool,
    leg: Option<Leg>,
    /// After the join: a connection that will take over.
    fresh: Option<Leg>,
    replacing: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leg {
    Dialling,
    Connected,
    Binding,
    Bound,
}

struct Caller {
    session: Session,
    policy: Policy,
    now: Moment,
    places: [Place; 2],
    plans: Option<[Plan; 2]>,
    joined: bool,
    parting: bool,
    closed: bool,
}

impl Caller {
    fn new(terms: u8, window: u8) -> Self {
        let policy = [Policy::Aware, Policy::Cema, Policy::Sessmatch][usize::from(terms) % 3];
        let second = Duration::from_secs(1);
        let timers = Timers {
            join: 30 * second,
            own_bind: 10 * second,
            grace: 5 * second,
            reconnect: u32::from(window % 40) * second,
        };
        Self {
            session: Session::new(policy, timers),
            policy,
            now: Moment::default(),
            places: [Place { listening: true, ..Place::default() }; 2],
            plans: None,
            joined: false,
            parting: false,
            closed: false,
        }
    }

    /// The event that a script means, if it can happen now.
    fn possible(&self, code: u8, detail: u8) -> Option<Input> {
        let side = Side::BOTH[usize::from(code & 1)];
        let place = &self.places[side.index()];
        let newest = if self.joined { place.fresh } else { place.leg };
        let whole = !self.policy.is_aware() || detail & 2 == 0;
        let how = [LegReason::Reset, LegReason::Timeout, LegReason::Malformed, LegReason::Stalled];
        let leg = place.leg.is_some_and(|leg| leg != Leg::Dialling);
        match (code >> 1) % 15 {
            0 => Some(Input::Answered(plans(detail))),
            1 => Some(Input::Aimed(side, aim(detail))),
            2 => (place.listening && self.session.wants(side))
                .then_some(Input::Bound { side, body: detail & 1 == 1 }),
            3 => (newest == Some(Leg::Dialling)).then_some(Input::Connected(side)),
            4 => (newest == Some(Leg::Dialling)).then_some(Input::DialFailed(side)),
            5 => (newest == Some(Leg::Binding))
                .then_some(Input::OwnBindAnswered { side, accepted: detail & 1 == 1 }),
            6 => leg.then_some(Input::Fin { side, whole }),
            7 => leg.then_some(Input::Broken(side, how[usize::from(detail % 4)])),
            8 => self.joined.then_some(Input::Idle),
            9 => {
                let linger = Duration::from_secs(u64::from(detail % 8));
                Some(Input::Close { reason: CloseReason::Deleted, linger })
            }
            10 => self.parting.then_some(Input::Parted),
            11 => place.replacing.then_some(Input::Replaced(side)),
            12 => Some(Input::Reoffered(side)),
            13 => Some(Input::Settled(side)),
            _ => Some(Input::Timeout),
        }
    }

    fn feed(&mut self, input: Input) {
        match input {
            Input::Answered(plans) => self.plans = Some(plans),
            Input::Aimed(side, aim) => {
                if let Some(plan) = self.plans.as_mut().map(|plans| &mut plans[side.index()])
                    && plan.aim == Aim::Pending
                {
                    plan.aim = aim;
                }
            }
            Input::Bound { side, .. } => *self.newest(side) = Some(Leg::Bound),
            Input::Connected(side) => *self.newest(side) = Some(Leg::Connected),
            Input::DialFailed(side) => *self.newest(side) = None,
            Input::OwnBindAnswered { side, accepted: true } => {
                *self.newest(side) = Some(Leg::Bound);
            }
            Input::Replaced(side) => {
                let place = &mut self.places[side.index()];
                (place.leg, place.replacing) = (place.fresh.take(), false);
                assert_eq!(place.leg, Some(Leg::Bound));
            }
            _ => {}
        }
        let was_closed = self.closed;
        self.session.handle(input, self.now);
        while let Some(output) = self.session.poll() {
            assert!(!was_closed, "{output:?} after the end");
            self.carry_out(output);
        }
        let stage = self.session.stage();
        assert_eq!(stage == Stage::Closed, self.closed);
        assert!(!self.parting || self.session.deadline().is_some());
        assert!(stage != Stage::Reconnecting || self.session.deadline().is_some());
    }

    fn newest(&mut self, side: Side) -> &mut Option<Leg> {
        let place = &mut self.places[side.index()];
        if self.joined { &mut place.fresh } else { &mut place.leg }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Listen(side) => {
                let place = &mut self.places[side.index()];
                assert!(!std::mem::replace(&mut place.listening, true), "a second listener");
            }
            Output::CloseListener(side) => self.places[side.index()].listening = false,
            Output::Dial(side) => {
                let plan = self.plans.expect("dialled without an answer")[side.index()];
                assert!(plan.role == Role::Dial && plan.aim == Aim::Ready, "{plan:?}");
                let newest = self.newest(side);
                assert_eq!(*newest, None, "two connections");
                *newest = Some(Leg::Dialling);
            }
            Output::SendBind(side) => {
                assert!(self.policy.is_aware(), "a frame of ours in an opaque session");
                let newest = self.newest(side);
                assert_eq!(*newest, Some(Leg::Connected));
                *newest = Some(Leg::Binding);
            }
            Output::CancelDial(side) => {
                self.places[side.index()].replacing = false;
                let joined = self.joined;
                let newest = self.newest(side);
                // Before the join a peer may have dialled in meanwhile.
                if joined || *newest != Some(Leg::Bound) {
                    *newest = None;
                }
            }
            Output::Drop(side) => self.places[side.index()].leg = None,
            Output::Join => {
                assert!(self.places.iter().all(|place| place.leg.is_some()), "{:?}", self.places);
                assert!(!self.joined && self.plans.is_some());
                self.joined = true;
            }
            Output::Replace(side) => {
                let place = &mut self.places[side.index()];
                assert!(self.joined && self.policy.is_aware());
                assert_eq!(place.fresh, Some(Leg::Bound));
                place.replacing = true;
            }
            Output::Vacate(side) => {
                let gone = self.places[side.index()].leg.take();
                assert!(self.joined && gone.is_some());
            }
            Output::ShutdownWrite(side) => {
                assert!(self.joined && self.places[side.index()].leg.is_some());
            }
            Output::Part => {
                self.parting = true;
                self.places.iter_mut().for_each(|place| {
                    (place.listening, place.fresh, place.replacing) = (false, None, false);
                });
            }
            Output::Abort | Output::Close => {
                let listening = self.session.stage() == Stage::Reconnecting;
                self.places = [Place { listening, ..Place::default() }; 2];
                (self.joined, self.parting) = (false, false);
            }
            Output::Notify(NoticeKind::Closed(_)) => {
                assert!(!std::mem::replace(&mut self.closed, true), "closed twice");
                assert!(self.places.iter().all(|place| place.leg.is_none() && !place.listening));
            }
            Output::Notify(_) => {}
        }
    }

    /// Time alone ends an answered session that is not joined; a close ends every one.
    fn end(&mut self) {
        for _ in 0..8 {
            if let Some(deadline) = self.session.deadline() {
                self.now = self.now.max(deadline);
                self.feed(Input::Timeout);
            }
            for side in Side::BOTH {
                if self.places[side.index()].replacing {
                    self.feed(Input::Replaced(side));
                }
            }
        }
        let stage = self.session.stage();
        assert!(matches!(stage, Stage::Closed | Stage::Joined | Stage::Offered), "{stage:?}");
        assert_eq!(self.session.deadline(), None);
        self.feed(Input::Close { reason: CloseReason::Terminated, linger: Duration::ZERO });
        if self.parting {
            self.feed(Input::Parted);
        }
        assert!(self.closed);
    }
}

fn plans(detail: u8) -> [Plan; 2] {
    [detail, detail >> 4].map(|bits| Plan {
        role: if bits & 1 == 0 { Role::Accept } else { Role::Dial },
        aim: aim(bits >> 1 & 3),
        changed: bits & 8 != 0,
    })
}

fn aim(detail: u8) -> Aim {
    [Aim::Ready, Aim::None, Aim::Pending, Aim::Denied, Aim::Failed][usize::from(detail % 5)]
}
