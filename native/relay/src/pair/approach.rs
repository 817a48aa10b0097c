//! The way of each leg to its connection: its door, and who comes through it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use msrp_proto::Moment;
use msrp_proto::session::{Aim, Input, Plan, Policy, Role, Side, Stage};
use msrp_proto::{Key, LegPaths, Uri, path_uris};
use rustix::io::Errno;

use super::{End, Pair};
use crate::board::LegState;
use crate::command::Answered;
use crate::dial::{Dial, OwnBind};
use crate::keep::{Held, Keep, Kind};
use crate::leg::Leg;
use crate::listener::{Accepted, Door, Guest, Rule};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::spec::{LegAnswer, Target};
use crate::sys::tcp;
use crate::thread::Thread;
use crate::why::{DialFailure, RefusedFor, RingWhy};

/// Connections accepted at one door before others get their turn.
const CALLERS: usize = 16;

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
    fn is_idle(&self) -> bool {
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
        if !self.parting || self.flows.is_some() {
            for ((side, leg), plan) in Side::BOTH.into_iter().zip(spec.legs).zip(plans) {
                self.describe(side, leg, plan, thread);
            }
        }
        let brought = listeners.each_ref().map(Option::is_some);
        for (side, listener) in Side::BOTH.into_iter().zip(listeners) {
            self.spare(side, listener);
        }
        self.feed(Input::Answered(plans), thread);
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

    /// It is over; an answer that has moved the peer has come before.
    pub(crate) fn settle(&mut self, side: Side, thread: &mut Thread) {
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
        let joined = self.flows.is_some() && !self.life.is_moving(side);
        let before = if joined { end.paths.path() } else { end.latest_path() };
        let changed = !before.is_empty() && before != &*text(&leg.peer_path);
        Plan { role: leg.role, aim: aim(&leg.target), changed }
    }

    /// Notes what the answer says about a side.
    fn describe(&mut self, side: Side, leg: LegAnswer, plan: Plan, thread: &Thread) {
        if self.flows.is_some() {
            return self.expect(side, leg, plan, thread);
        }
        self.board.leg(side).set_role(leg.role);
        let end = self.end(side);
        end.sources = leg.sources;
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

    /// Takes the connections that wait in the kernel, until one is the peer's: asking for another
    /// costs as much as taking one.
    pub(super) fn accept(&mut self, side: Side, thread: &mut Thread) {
        for _ in 0..CALLERS {
            let approach = self.ends[side.index()].approach.as_mut();
            let Some(door) = approach.and_then(|approach| approach.door.as_mut()) else { return };
            match door.accept(&self.board, thread) {
                Accepted::One => {}
                Accepted::Nobody => return,
                Accepted::Starved => return self.starve(thread),
            }
            // Its first frame comes with a connection or right behind it.
            if let Some(place) = door.newcomer() {
                self.hear(side, place, thread);
            }
        }
        self.queue(thread);
    }

    /// A caller's first frame.
    pub(super) fn hear(&mut self, side: Side, place: usize, thread: &mut Thread) {
        let (wanted, asked) = (self.life.wants(side), self.life.is_asked(side));
        let [a, b] = &mut self.ends;
        let (end, other) = if side == Side::A { (a, b) } else { (b, a) };
        let Some(approach) = &mut end.approach else { return };
        let Some(door) = &mut approach.door else { return };
        // Whether it is the peer, and from where it may come, is in the answer.
        let key = key(self.policy, end.paths.own(), other.paths.path()).filter(|_| !asked);
        let rule = Rule { key, sources: &end.sources, wanted };
        let guest = door.hear(place, &rule, &self.board, thread);
        match guest {
            Some(guest) => self.bind(side, guest, thread),
            None => door.watch(place, &self.board, thread),
        }
        self.leave_doors();
    }

    /// Joined, a side gives up its approach when nobody is left there who needs an answer.
    pub(super) fn leave_doors(&mut self) {
        for end in &mut self.ends {
            if let Some(approach) = &mut end.approach {
                approach.door.take_if(|door| door.is_idle());
            }
            if self.flows.is_some() {
                end.approach.take_if(|approach| approach.is_idle());
            }
        }
    }

    /// The caller is the leg's peer.
    fn bind(&mut self, side: Side, guest: Guest, thread: &mut Thread) {
        let Guest { socket, from, has_body, watched } = guest;
        let fresh = self.flows.is_some();
        let part = if fresh { Part::Dial(side) } else { Part::Leg(side) };
        let source = Source::Pair(self.key, part);
        let named = match watched {
            true => thread.poller.rename(&socket, source),
            false => thread.poller.add(&socket, source),
        };
        if named.is_err() {
            // Whoever is dialled may still come.
            tcp::fin(&socket);
            let why = RefusedFor::Unwatched;
            thread.counters.refused(why.as_str());
            let (what, why) = (RingWhat::Refused, Some(RingWhy::Refused(why)));
            return self.board.event_with(thread.now, side, what, from, why);
        }
        self.cancel_dial(side, thread);
        self.board.event(thread.now, Some(side), RingWhat::FirstFrame, from.port().into());
        let leg = Leg::new(socket, Role::Accept);
        let end = self.end(side);
        if fresh {
            end.approach().fresh = Some(Box::new(Fresh { leg, peer: from }));
        } else {
            end.drop_leg(thread);
            end.leg = Some(leg);
            self.board.leg(side).set_peer(from);
        }
        self.feed(Input::Bound { side, body: has_body }, thread);
    }

    pub(super) fn listen(&mut self, side: Side, thread: &mut Thread) {
        let (key, options) = (self.key, tcp::Options::new(&thread.config, self.tos));
        if self.end(side).leg.is_none() {
            self.board.leg(side).set_state(LegState::Listening);
        }
        let spare = self.spares[side.index()].take();
        let reopened = || {
            let listener = tcp::listen(self.board.local(side), &options)?;
            Ok(Keep::hold(thread.keep.as_ref(), listener, Kind::Listener, side, self.id))
        };
        let listener = match spare.map_or_else(reopened, |spare| Ok(spare.listener)) {
            Ok(listener) => listener,
            Err(error) if is_want(&error) => {
                thread.counters.accept_pauses(1);
                self.unopened[side.index()] = true;
                return self.starve(thread);
            }
            Err(_) => return thread.counters.refused("port-lost"),
        };
        let session = self.id;
        let approach = self.end(side).approach();
        let door = approach.door.get_or_insert_with(|| Door::new(key, session, side));
        door.open(listener, thread);
    }

    /// Opens the listeners for which there were no descriptors, if they are still to be open.
    pub(super) fn listen_again(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            let unopened = std::mem::take(&mut self.unopened[side.index()]);
            if unopened && (self.life.wants(side) || self.life.is_asked(side)) {
                self.listen(side, thread);
            }
        }
    }

    /// Where the relay dials from.
    pub(super) fn source(&self, side: Side) -> IpAddr {
        self.board.local(side).ip()
    }
}

/// Neither descriptors nor memory: there may be some in a moment.
fn is_want(error: &io::Error) -> bool {
    let want = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|error| want.contains(&error))
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
fn key<'a>(policy: Policy, own_uri: &'a [u8], other_path: &'a [u8]) -> Option<Key<'a>> {
    if policy.is_aware() {
        return Some(Key::Uri(own_uri));
    }
    Uri::parse(path_uris(other_path).next()?).ok()?.session_id.map(Key::SessionId)
}

/// A path as the header field has it.
pub(super) fn text(path: &[Vec<u8>]) -> Box<[u8]> {
    path.join(&b' ').into()
}
