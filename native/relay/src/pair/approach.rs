//! The way of each leg to its connection: what it needs until it has one.

use std::net::{IpAddr, SocketAddr};

use msrp_proto::LegPaths;
use msrp_proto::Moment;
use msrp_proto::session::{Aim, Input, Plan, Side, Stage};

use super::{End, Pair};
use crate::command::Answered;
use crate::dial::{Dial, OwnBind};
use crate::keep::Held;
use crate::leg::Leg;
use crate::listener::Door;
use crate::ring::RingWhat;
use crate::spec::{LegAnswer, Target};
use crate::sys::tcp;
use crate::thread::Thread;
use crate::why::DialFailure;

/// What a side needs while it has no connection, or waits for another one.
#[derive(Debug, Default)]
pub(super) struct Approach {
    pub(super) targets: Vec<SocketAddr>,
    pub(super) door: Option<Door>,
    /// A connection that a dead process has begun to make, until it is known what for.
    pub(super) found: Option<Held>,
    pub(super) dial: Option<Box<Dial>>,
    /// Why that came to nothing, until it is told.
    pub(super) failure: Option<Box<DialFailure>>,
    pub(super) own_bind: Option<Box<OwnBind>>,
    /// After the join: the path that the peer has named since, empty where it has not. That of the
    /// connection that is expected, or of the one that comes when the present one is lost.
    pub(super) path: Box<[u8]>,
    /// After the join: its connection, bound or being bound.
    pub(super) fresh: Option<Box<Fresh>>,
    /// It takes over at the next chance.
    pub(super) replacing: bool,
}

/// A connection that will take a leg over.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) leg: Leg,
    pub(super) peer: SocketAddr,
}

/// A listener that no door has yet.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) listener: Held,
    /// Of one that a dead process had opened: when to close it.
    pub(super) until: Option<Moment>,
}

impl Approach {
    pub(super) fn deadline(&self) -> Option<Moment> {
        let door = self.door.as_ref().and_then(Door::deadline);
        door.into_iter().chain(self.dial.as_deref().and_then(Dial::deadline)).min()
    }

    /// After the join: nobody comes, and nobody has another path.
    pub(super) fn is_idle(&self) -> bool {
        self.door.is_none() && self.path.is_empty() && self.fresh.is_none() && self.dial.is_none()
    }

    fn close_listener(&mut self, thread: &Thread) {
        if let Some(door) = &mut self.door {
            door.close_listener(thread);
        }
        self.door.take_if(|door| door.is_idle());
    }

    /// Gives up what is being dialled, and what has not taken over.
    pub(super) fn cancel(&mut self, thread: &Thread) {
        self.found = None;
        if let Some(mut dial) = self.dial.take() {
            dial.cancel(thread);
        }
        if let Some(fresh) = self.fresh.take() {
            fresh.leg.close(thread);
        }
        self.own_bind = None;
        self.replacing = false;
    }

    fn shut(&mut self, thread: &Thread) {
        self.cancel(thread);
        if let Some(mut door) = self.door.take() {
            door.shut(thread);
        }
    }
}

impl End {
    pub(super) fn approach(&mut self) -> &mut Approach {
        self.approach.get_or_insert_default()
    }

    pub(super) fn close_listener(&mut self, thread: &Thread) {
        if let Some(approach) = &mut self.approach {
            approach.close_listener(thread);
        }
    }

    pub(super) fn drop_leg(&mut self, thread: &Thread) {
        if let Some(leg) = self.leg.take() {
            leg.close(thread);
        }
    }

    /// Lets go of everything but the leg, and the path of who may come when that is lost.
    pub(super) fn shut(&mut self, thread: &Thread) {
        if let Some(mut approach) = self.approach.take() {
            approach.shut(thread);
            let path = approach.path;
            let named = !path.is_empty();
            self.approach = named.then(|| Box::new(Approach { path, ..Approach::default() }));
        }
    }

    /// The leg is lost: whoever comes now has the path named last, and finds the door open.
    pub(super) fn shut_all_but_door(&mut self, thread: &Thread) {
        if let Some(mut approach) = self.approach.take() {
            approach.cancel(thread);
            let Approach { door, path, .. } = *approach;
            if !path.is_empty() {
                self.name(&path);
            }
            self.approach = Some(Box::new(Approach { door, ..Approach::default() }));
        }
    }

    /// The peer of its connection, or of the one that comes, has this path.
    pub(super) fn name(&mut self, path: &[u8]) {
        if path != self.paths.path() {
            self.paths = LegPaths::new(self.paths.own(), path);
        }
    }

    /// The peer is given this URI.
    fn give(&mut self, own_uri: &[u8]) {
        if own_uri != self.paths.own() {
            self.paths = LegPaths::new(own_uri, self.paths.path());
        }
    }

    /// The path named last, whether its connection is there yet or not.
    fn latest_path(&self) -> &[u8] {
        match &self.approach {
            Some(approach) if !approach.path.is_empty() => &approach.path,
            _ => self.paths.path(),
        }
    }
}

impl Pair {
    pub(crate) fn answer(&mut self, answered: Answered, thread: &mut Thread) {
        self.changed = true;
        let Answered { spec, listeners } = answered;
        let plans = Side::BOTH.map(|side| self.plan(side, &spec.legs[side.index()]));
        if !self.parting || self.directions.is_some() {
            for ((side, leg), plan) in Side::BOTH.into_iter().zip(spec.legs).zip(plans) {
                self.describe(side, leg, plan, thread);
            }
        }
        let brought = listeners.each_ref().map(Option::is_some);
        for (side, listener) in Side::BOTH.into_iter().zip(listeners) {
            self.spare(side, listener);
        }
        self.feed(Input::Answered(plans), thread);
        for side in Side::BOTH {
            if self.board.leg(side).has_moved() {
                self.feed(Input::Settled(side), thread);
            }
        }
        for (spare, _) in self.spares.iter_mut().zip(brought).filter(|(_, brought)| *brought) {
            *spare = None;
        }
        // What a first frame must name may have become known.
        for side in Side::BOTH {
            self.hear_all(side, thread);
        }
        self.leave_doors();
    }

    /// The peer of this side has a re-offer.
    pub(crate) fn reoffer(&mut self, side: Side, listener: Option<Held>, thread: &mut Thread) {
        self.spare(side, listener);
        self.feed(Input::Reoffered(side), thread);
        self.spares[side.index()] = None;
    }

    /// It is over; an answer that has moved the peer has come before. One that will, after another
    /// re-offer, has found the listener open, and its peer may have called already: it settles this.
    pub(crate) fn settle(&mut self, side: Side, thread: &mut Thread) {
        if self.board.leg(side).is_moving() {
            return;
        }
        self.spares[side.index()] = None;
        self.feed(Input::Settled(side), thread);
    }

    /// A listener to open a door with. Where a dead process had one open already, none could be
    /// brought, and that one is kept until it is needed or [settled](Self::settle), or nobody can
    /// wait there any more.
    fn spare(&mut self, side: Side, listener: Option<Held>) {
        if let Some(listener) = listener {
            self.spares[side.index()] = Some(Box::new(Spare { listener, until: None }));
        }
    }

    pub(super) fn expire_spare(&mut self, side: Side, now: Moment) {
        let spare = &mut self.spares[side.index()];
        if let Some(spare) = spare.take_if(|spare| spare.until.is_some_and(|at| at <= now)) {
            tcp::stop_listening(&spare.listener);
        }
    }

    /// The first frames of all that wait at this side's door.
    pub(super) fn hear_all(&mut self, side: Side, thread: &mut Thread) {
        let door = self.end(side).approach.as_ref().and_then(|it| it.door.as_ref());
        for place in 0..door.map_or(0, Door::places) {
            self.hear(side, place, thread);
        }
    }

    fn plan(&self, side: Side, leg: &LegAnswer) -> Plan {
        let end = &self.ends[side.index()];
        let joined = self.directions.is_some() && !self.life.is_moving(side);
        let before = if joined { end.paths.path() } else { end.latest_path() };
        let changed = !before.is_empty() && before != &*text(&leg.peer_path);
        Plan { role: leg.role, aim: aim(&leg.target), changed }
    }

    /// Notes what the answer says about a side.
    fn describe(&mut self, side: Side, leg: LegAnswer, plan: Plan, thread: &Thread) {
        if self.directions.is_some() {
            return self.expect(side, leg, plan, thread);
        }
        self.board.leg(side).set_role(leg.role);
        let end = self.end(side);
        end.sources = leg.sources;
        if let Some(own_uri) = &leg.own_uri {
            end.give(own_uri);
        }
        end.name(&text(&leg.peer_path));
        if end.approach.is_some() {
            self.aim_at(side, leg.target, thread);
        }
    }

    /// The same of a side that has been joined: it keeps its path for as long as it keeps its
    /// connection.
    fn expect(&mut self, side: Side, leg: LegAnswer, plan: Plan, thread: &Thread) {
        let (moving, joined) = (self.life.is_moving(side), self.life.stage() == Stage::Joined);
        if !plan.changed {
            // It is the connection's own again, if another one was named that nobody came with.
            if let (Some(approach), false) = (&mut self.end(side).approach, moving) {
                approach.path = Box::default();
            }
            return;
        }
        let renewed = joined && self.policy.is_aware();
        if renewed {
            self.board.leg(side).set_role(leg.role);
        }
        let end = self.end(side);
        end.sources = leg.sources;
        end.approach().path = text(&leg.peer_path);
        if renewed {
            self.aim_at(side, leg.target, thread);
        }
    }

    /// Notes whom to dial.
    fn aim_at(&mut self, side: Side, target: Target, thread: &Thread) {
        match (&mut self.end(side).approach, target) {
            (Some(approach), Target::Addrs(targets)) => approach.targets = targets,
            (Some(_), Target::Denied) => {
                self.board.event(thread.now, Some(side), RingWhat::DialDenied, 0);
            }
            _ => {}
        }
    }

    pub(crate) fn set_target(&mut self, side: Side, target: Target, thread: &mut Thread) {
        let aim = aim(&target);
        self.aim_at(side, target, thread);
        self.feed(Input::Aimed(side, aim), thread);
    }

    /// Where the relay dials from.
    pub(super) fn source(&self, side: Side) -> IpAddr {
        self.board.local(side).ip()
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

/// A path as the header field has it.
pub(super) fn text(path: &[Vec<u8>]) -> Box<[u8]> {
    path.join(&b' ').into()
}
