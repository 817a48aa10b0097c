//! The way of each leg to its connection: its door, its dial, the relay's own bind.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use msrp_proto::session::{Aim, Input, LegReason, Plan, Policy, Role, Side};
use msrp_proto::{BindAnswer, Key, Uri, bind_request};
use rustix::rand::{GetRandomFlags, getrandom};

use super::{End, Pair};
use crate::board::LegState;
use crate::dial::{Answered, Dial, Dialled, OwnBind};
use crate::leg::{Leg, Received, Sent};
use crate::listener::{Door, Guest};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::spec::{AnswerSpec, LegOpen, Target};
use crate::sys::tcp;
use crate::thread::Thread;

/// What a side needs until the join.
#[derive(Debug)]
pub(super) struct Approach {
    local: SocketAddr,
    pub(super) own_uri: Vec<u8>,
    pub(super) path: Vec<Vec<u8>>,
    targets: Vec<SocketAddr>,
    door: Option<Door>,
    dial: Option<Dial>,
    own_bind: Option<OwnBind>,
    /// Read from the leg before the join.
    pub(super) early: Vec<u8>,
}

impl Approach {
    pub(super) fn new(
        (key, side): (usize, Side),
        open: LegOpen,
        listener: OwnedFd,
        local: SocketAddr,
        thread: &mut Thread,
    ) -> Self {
        Self {
            local,
            own_uri: open.own_uri,
            path: open.peer_path,
            targets: Vec::new(),
            door: Some(Door::new(key, side, listener, thread)),
            dial: None,
            own_bind: None,
            early: Vec::new(),
        }
    }

    pub(super) fn peer(&self) -> u64 {
        mark(&self.path)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let door = self.door.as_ref().and_then(Door::deadline);
        door.into_iter().chain(self.dial.as_ref().and_then(Dial::deadline)).min()
    }

    fn close_listener(&mut self, thread: &Thread) {
        if let Some(door) = &mut self.door {
            door.close_listener(thread);
        }
        self.door.take_if(|door| door.is_idle());
    }

    fn cancel_dial(&mut self, thread: &Thread) {
        if let Some(mut dial) = self.dial.take() {
            dial.cancel(thread);
        }
        self.own_bind = None;
    }

    fn shut(&mut self, thread: &Thread) {
        self.cancel_dial(thread);
        if let Some(mut door) = self.door.take() {
            door.shut(thread);
        }
    }
}

impl End {
    pub(super) fn close_listener(&mut self, thread: &Thread) {
        if let Some(approach) = &mut self.approach {
            approach.close_listener(thread);
        }
    }

    pub(super) fn cancel_dial(&mut self, thread: &Thread) {
        if let Some(approach) = &mut self.approach {
            approach.cancel_dial(thread);
        }
        if self.leg.as_ref().is_some_and(|leg| leg.origin == Role::Dial) {
            self.drop_leg(thread);
        }
    }

    pub(super) fn drop_leg(&mut self, thread: &Thread) {
        if let Some(approach) = &mut self.approach {
            approach.early = Vec::new();
        }
        if let Some(leg) = self.leg.take() {
            leg.close(thread);
        }
    }

    /// Lets go of everything but the leg.
    pub(super) fn shut(&mut self, thread: &Thread) {
        if let Some(mut approach) = self.approach.take() {
            approach.shut(thread);
        }
    }
}

impl Pair {
    pub(crate) fn answer(&mut self, spec: AnswerSpec, thread: &mut Thread) {
        let plans = Side::BOTH.map(|side| self.plan(side, &spec));
        if self.flows.is_none() && !self.parting {
            for (side, leg) in Side::BOTH.into_iter().zip(spec.legs) {
                self.board.leg(side).set_role(leg.role);
                self.end(side).peer = mark(&leg.peer_path);
                let Some(approach) = &mut self.end(side).approach else { continue };
                approach.path = leg.peer_path;
                if let Target::Addrs(targets) = leg.target {
                    approach.targets = targets;
                }
            }
        }
        self.feed(Input::Answered(plans), thread);
        // What a first frame must name may have become known.
        for side in Side::BOTH {
            let door = self.end(side).approach.as_ref().and_then(|it| it.door.as_ref());
            for place in 0..door.map_or(0, Door::places) {
                self.hear(side, place, thread);
            }
        }
    }

    fn plan(&self, side: Side, spec: &AnswerSpec) -> Plan {
        let leg = &spec.legs[side.index()];
        let before = self.ends[side.index()].peer;
        let changed = before != 0 && before != mark(&leg.peer_path);
        Plan { role: leg.role, aim: aim(&leg.target), changed }
    }

    pub(crate) fn set_target(&mut self, side: Side, target: Target, thread: &mut Thread) {
        let aim = aim(&target);
        if let (Some(approach), Target::Addrs(targets)) = (&mut self.end(side).approach, target) {
            approach.targets = targets;
        }
        self.feed(Input::Aimed(side, aim), thread);
    }

    pub(super) fn accept(&mut self, side: Side, thread: &mut Thread) {
        let approach = self.ends[side.index()].approach.as_mut();
        if let Some(door) = approach.and_then(|approach| approach.door.as_mut()) {
            door.accept(&self.board, thread);
        }
    }

    /// A caller's first frame.
    pub(super) fn hear(&mut self, side: Side, place: usize, thread: &mut Thread) {
        let wanted = self.life.wants(side);
        let [a, b] = &mut self.ends;
        let (end, other) = if side == Side::A { (a, b) } else { (b, a) };
        let Some(approach) = &mut end.approach else { return };
        let Some(door) = &mut approach.door else { return };
        let other_path = other.approach.as_ref().and_then(|other| other.path.first());
        let key = key(self.policy, &approach.own_uri, other_path);
        let guest = door.hear(place, key.as_ref(), wanted, &self.board, thread);
        if let Some(guest) = guest {
            self.bind(side, guest, thread);
        }
        self.leave_doors();
    }

    /// Joined, both sides give up their approach when no caller is left that needs an answer.
    pub(super) fn leave_doors(&mut self) {
        let mut idle = true;
        for approach in self.ends.iter_mut().filter_map(|end| end.approach.as_mut()) {
            approach.door.take_if(|door| door.is_idle());
            idle &= approach.door.is_none();
        }
        if idle && self.flows.is_some() {
            self.ends.iter_mut().for_each(|end| end.approach = None);
        }
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
        if let Some(approach) = &mut end.approach {
            approach.early = seen;
        }
        self.feed(Input::Bound { side, body: has_body }, thread);
    }

    pub(super) fn listen(&mut self, side: Side, thread: &mut Thread) {
        let (key, options) = (self.key, tcp::Options::new(&thread.config, self.tos));
        let Some(approach) = &mut self.end(side).approach else { return };
        let Ok(listener) = tcp::listen(approach.local, &options) else {
            return thread.counters.refused("port-lost");
        };
        match &mut approach.door {
            Some(door) => door.open(listener, thread),
            None => approach.door = Some(Door::new(key, side, listener, thread)),
        }
    }

    pub(super) fn dial(&mut self, side: Side, thread: &mut Thread) {
        let options = tcp::Options::new(&thread.config, self.tos);
        let at = (self.key, side);
        let Some(approach) = &mut self.ends[side.index()].approach else { return };
        let mut dial = Dial::new(at, approach.local.ip(), &approach.targets, options, thread);
        let dialled = dial.next(&self.board, thread);
        approach.dial = Some(dial);
        self.board.leg(side).set_state(LegState::Dialling);
        self.dialled(side, dialled, thread);
    }

    pub(super) fn advance_dial(&mut self, side: Side, thread: &mut Thread) {
        let approach = self.ends[side.index()].approach.as_mut();
        if let Some(dial) = approach.and_then(|approach| approach.dial.as_mut()) {
            let dialled = dial.advance(&self.board, thread);
            self.dialled(side, dialled, thread);
        }
    }

    fn dialled(&mut self, side: Side, dialled: Dialled, thread: &mut Thread) {
        if let (Some(approach), false) =
            (&mut self.end(side).approach, matches!(dialled, Dialled::Connecting))
        {
            approach.dial = None;
        }
        match dialled {
            Dialled::Connecting => {}
            Dialled::Connected(socket, to) => self.connected(side, socket, to, thread),
            Dialled::Failed => self.feed(Input::DialFailed(side), thread),
        }
    }

    fn connected(&mut self, side: Side, socket: OwnedFd, to: SocketAddr, thread: &mut Thread) {
        let source = Source::Pair(self.key, Part::Leg(side));
        if thread.poller.rename(&socket, source).is_err() {
            return self.feed(Input::DialFailed(side), thread);
        }
        self.board.leg(side).set_peer(to);
        self.board.event(thread.now, Some(side), RingWhat::Connected, to.port().into());
        self.end(side).leg = Some(Leg::new(socket, Role::Dial));
        self.feed(Input::Connected(side), thread);
    }

    pub(super) fn send_bind(&mut self, side: Side, thread: &mut Thread) {
        let End { leg: Some(leg), approach: Some(approach), .. } = &mut self.ends[side.index()]
        else {
            return;
        };
        let (Ok(tid), Ok(message_id)) = (ident(), ident()) else {
            return self.feed(Input::Fault, thread);
        };
        let to_path = approach.path.join(&b' ');
        let request = bind_request(&to_path, &approach.own_uri, &tid, &message_id);
        let answer = BindAnswer::new(&tid, thread.config.limits);
        approach.own_bind = Some(OwnBind::new(answer));
        thread.counters.own_binds(1);
        self.board.event(thread.now, Some(side), RingWhat::OwnBind, 0);
        match leg.send(&[IoSlice::new(&request)]) {
            Sent::Bytes(n) => self.board.leg(side).add_out(n),
            // Its end is noticed where the answer is awaited.
            Sent::Nowhere => {}
            Sent::Broken(how) => self.lost(side, how, thread),
        }
    }

    /// Before the join a leg is not read, except for the answer to the relay's own bind SEND.
    pub(super) fn watch_unjoined(&mut self, side: Side, thread: &mut Thread) {
        let End { leg: Some(leg), approach: Some(approach), .. } = &mut self.ends[side.index()]
        else {
            return;
        };
        let heard = match &mut approach.own_bind {
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
                approach.own_bind = None;
                approach.early = rest;
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

    pub(super) fn expire_approach(&mut self, side: Side, thread: &mut Thread) {
        let Some(approach) = &mut self.ends[side.index()].approach else { return };
        if let Some(door) = &mut approach.door {
            door.expire(&self.board, thread);
        }
        let late = |dial: &&mut Dial| dial.deadline().is_some_and(|at| at <= thread.now);
        if let Some(dial) = approach.dial.as_mut().filter(late) {
            let dialled = dial.next(&self.board, thread);
            self.dialled(side, dialled, thread);
        }
        self.leave_doors();
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
fn key<'a>(policy: Policy, own_uri: &'a [u8], other_path: Option<&'a Vec<u8>>) -> Option<Key<'a>> {
    if policy.is_aware() {
        return Some(Key::Uri(own_uri));
    }
    Uri::parse(other_path?).ok()?.session_id.map(Key::SessionId)
}

/// A path as a number, to tell paths apart when the path itself is kept no longer; 0 for none.
fn mark(path: &[Vec<u8>]) -> u64 {
    if path.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish().max(1)
}

/// 128 random bits as an `ident` of RFC 4975 §9.
fn ident() -> rustix::io::Result<[u8; 32]> {
    let mut random = [0; 16];
    getrandom(&mut random, GetRandomFlags::empty())?;
    let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    Ok(std::array::from_fn(|i| hex(random[i / 2] >> (4 * (i % 2)))))
}
