//! A session whose process was killed goes on: from its record, and from what the kernel says of its
//! connections.

use std::sync::Arc;

use msrp_proto::session::{Input, LegReason, Side, Stage};
use msrp_proto::{LegPaths, bind_request};

use super::approach::{Approach, Fresh, Spare};
use super::{End, Pair};
use crate::board::{Board, LegState};
use crate::dial::OwnBind;
use crate::keep::{Claim, ConnectionState, EndState, Held, Kind, Label, Record, Written};
use crate::leg::Leg;
use crate::listener::Door;
use crate::meter::Meter;
use crate::mover::{Direction, Left};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::sys::tcp;
use crate::sys::tcp_info::{has_sent_fin, is_forgotten};
use crate::thread::Thread;

/// All that a dead process has left of a session.
#[derive(Debug)]
pub(crate) struct Inheritance {
    pub(crate) id: u64,
    pub(crate) record: Box<Record>,
    pub(crate) state: Written,
    pub(crate) claims: [Claim; 2],
    /// Of the pipes in the claims: exit and entry.
    pub(crate) pipes: [Option<[Held; 2]>; 2],
    /// Oldest first.
    pub(crate) held: Vec<(Label, Held)>,
    pub(crate) board: Arc<Board>,
}

impl Inheritance {
    /// Takes out what the record calls by this token.
    fn take(&mut self, token: u32) -> Option<Held> {
        let at = self.held.iter().position(|(label, _)| label.token == token)?;
        Some(self.held.remove(at).1)
    }

    /// A connection that the record names; `None` where the keeper does not have it, or the dead
    /// process was about to have it let go of.
    fn leg(&mut self, state: &ConnectionState) -> Option<Leg> {
        let held = self.take(state.token).filter(|held| !is_forgotten(held))?;
        let mut leg = Leg::inherit(held, state.origin, state.prologue);
        leg.skip_prologue();
        Some(leg)
    }
}

impl Pair {
    /// Goes on with it, in this place of the thread's table.
    pub(crate) fn inherit(mut left: Inheritance, key: usize, thread: &mut Thread) -> Self {
        let mut pair = Self::read(&left, key, thread);
        let mut missing = Vec::new();
        for side in Side::BOTH {
            if !pair.take_connections(side, &mut left, thread) {
                missing.push(side);
            }
        }
        let joined = left.state.joined;
        if joined {
            pair.inherit_directions(&mut left, thread);
        }
        for (side, state) in Side::BOTH.into_iter().zip(&left.state.ends) {
            pair.inherit_board(side, state);
        }
        if let Some(meter) = &mut pair.meter {
            meter.inherit(pair.board.bytes());
        }
        let Inheritance { record, held, state, .. } = left;
        pair.record = Some(record);
        held.into_iter().for_each(|(label, held)| pair.take_in(label, held, thread));
        pair.board.event(thread.now, None, RingWhat::Resumed, 0);
        pair.begin_again(joined, &missing, &state.ends, thread);
        pair
    }

    /// What the record says, without any connection.
    fn read(left: &Inheritance, key: usize, thread: &Thread) -> Self {
        let state = &left.state;
        let life = state.life.clone().resumed(Arc::clone(&thread.timers));
        let limits = thread.config.limits;
        Self {
            id: left.id,
            key,
            parting: life.is_parting(),
            life,
            board: Arc::clone(&left.board),
            policy: state.policy,
            tos: state.tos,
            idle: state.idle,
            ends: Side::BOTH.map(|side| End::inherit(&state.ends[side.index()], limits)),
            spares: [None, None],
            unopened: [false; 2],
            directions: None,
            record: None,
            changed: true,
            meter: Meter::new(&thread.config, thread.now),
            armed: None,
            queued: false,
            starved: false,
            paused: state.paused,
            over: false,
        }
    }

    /// The connections that the record names; false where one that carries the leg is missing.
    fn take_connections(
        &mut self,
        side: Side,
        left: &mut Inheritance,
        thread: &mut Thread,
    ) -> bool {
        let EndState { leg, fresh, listener, .. } = &left.state.ends[side.index()];
        let (leg, fresh, listener) = (*leg, *fresh, *listener);
        let watch = |leg: &Leg, part: Part, thread: &Thread| {
            thread.poller.add(leg, Source::Pair(self.key, part)).is_ok()
        };
        let found = leg.and_then(|state| left.leg(&state));
        let found = found.filter(|leg| watch(leg, Part::Leg(side), thread));
        let is_there = found.is_some() || leg.is_none();
        let found_fresh = fresh.and_then(|state| Some((left.leg(&state)?, state.peer?)));
        let found_fresh = found_fresh.filter(|(leg, _)| watch(leg, Part::Dial(side), thread));
        self.end(side).leg = found;
        if let Some((leg, peer)) = found_fresh {
            self.end(side).approach().fresh = Some(Box::new(Fresh { leg, peer }));
        }
        // One that does not listen any more the dead process was about to close, for the sake of
        // somebody who may have gone since.
        let listener =
            listener.and_then(|token| left.take(token)).filter(|it| tcp::is_listening(it));
        if let Some(listener) = listener {
            self.door(side).open(listener, thread);
        }
        is_there
    }

    fn door(&mut self, side: Side) -> &mut Door {
        let (key, id) = (self.key, self.id);
        self.end(side).approach().door.get_or_insert_with(|| Door::new(key, id, side))
    }

    /// Both directions as they stood; none where the kernel's counts say that this cannot be.
    fn inherit_directions(&mut self, left: &mut Inheritance, thread: &mut Thread) {
        let [a, b] = Side::BOTH.map(|side| self.inherit_direction(side, left, thread));
        let (Some(a), Some(b)) = (a, b) else { return };
        let mut directions = Box::new([a, b]);
        for side in Side::BOTH {
            if self.life.has_finished(side) {
                directions[side.index()].has_ended();
            }
            if self.ends[side.index()].leg.is_none() {
                directions[side.index()].cut();
                let tokens = self.tokens_towards(side);
                directions[side.other().index()].forsake(tokens, Some(&mut left.record), thread);
            }
        }
        self.directions = Some(directions);
    }

    fn inherit_direction(
        &self,
        side: Side,
        left: &mut Inheritance,
        thread: &mut Thread,
    ) -> Option<Direction> {
        let [from_a, from_b] = self.paths();
        let paths = if side == Side::A { from_a } else { from_b };
        let paths = self.policy.is_aware().then_some(paths);
        let leg = |side: Side| self.ends[side.index()].leg.as_ref();
        let pipe = left.pipes[side.index()].take();
        let left = Left {
            claim: std::mem::take(&mut left.claims[side.index()]),
            pipe: pipe.and_then(|ends| thread.pipes.inherit(ends).ok()),
            moved: left.state.moved[side.index()],
            record: &left.record,
            from: leg(side),
            to: leg(side.other()),
        };
        Direction::inherit(side, paths, left, thread)
    }

    /// What others may read of it.
    fn inherit_board(&self, side: Side, state: &EndState) {
        let [mut bytes_in, mut bytes_out, mut chunks] = state.earlier;
        if let Some(directions) = &self.directions {
            let [taken, _, seen] = directions[side.index()].counts();
            let [_, given, _] = directions[side.other().index()].counts();
            (bytes_in, bytes_out, chunks) = (bytes_in + taken, bytes_out + given, chunks + seen);
        }
        let board = self.board.leg(side);
        board.inherit([bytes_in, bytes_out, chunks]);
        board.set_state(match (&self.ends[side.index()].leg, self.life.stage()) {
            (Some(_), Stage::Joined) => LegState::Joined,
            (Some(_), Stage::Draining) => LegState::Draining,
            (Some(_), _) => LegState::Bound,
            (None, _) if state.dial.is_some() => LegState::Dialling,
            (None, _) => LegState::Listening,
        });
        self.board.set_course(self.life.stage(), self.life.ending());
    }

    /// A descriptor that the record does not name. An accepted connection that we have not ended
    /// is one that waits at the gate; one that the relay began to make is needed when it dials.
    fn take_in(&mut self, label: Label, held: Held, thread: &mut Thread) {
        let Label { kind, side, .. } = label;
        match kind {
            Kind::Accepted if !has_sent_fin(&held) && !self.parting => {
                let Some(from) = tcp::peer_address(&held) else { return };
                let board = Arc::clone(&self.board);
                let door = self.door(side);
                door.admit(held, from, &board, thread);
                while let Some(place) = door.newcomer() {
                    door.watch(place, &board, thread);
                }
            }
            Kind::Dialled if !self.parting && self.end(side).leg.is_none() => {
                self.end(side).approach().found = Some(held);
            }
            // Whoever has come to it waits until the control plane says again what it is for; as long
            // as at the gate, for it may have been for nothing.
            Kind::Listener if !self.parting && tcp::is_listening(&held) => {
                let until = Some(thread.now + thread.config.gate);
                self.spares[side.index()] = Some(Box::new(Spare { listener: held, until }));
            }
            Kind::Listener => tcp::stop_listening(&held),
            _ => tcp::fin(&held),
        }
    }

    /// Everything is there again: what may have been missed is looked at, and what was under way is
    /// done again.
    fn begin_again(
        &mut self,
        joined: bool,
        missing: &[Side],
        states: &[EndState; 2],
        thread: &mut Thread,
    ) {
        self.lose_again(missing, states, thread);
        if joined && self.directions.is_none() {
            // Either that was its end, or what is there does not fit together.
            if !matches!(self.life.stage(), Stage::Reconnecting | Stage::Closed) {
                self.fail(thread);
            }
            return;
        }
        if self.over || self.parting {
            return self.queue(thread);
        }
        self.open_again(thread);
        for (side, state) in Side::BOTH.into_iter().zip(states) {
            if let Some(dial) = &state.dial {
                self.dial_again(side, dial, thread);
            }
            self.bind_again(side, state, thread);
        }
        self.feed(Input::Resumed, thread);
        for side in Side::BOTH {
            if self.directions.is_none() && !self.parting {
                self.watch_unjoined(side, thread);
            }
        }
        self.leave_doors();
        self.queue(thread);
    }

    /// Listeners that are to be open and are not: lost with the process, or it had no descriptors for
    /// them.
    fn open_again(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            let is_to_be = self.life.wants(side) || self.life.is_asked(side);
            let approach = self.ends[side.index()].approach.as_ref();
            let is_open = approach.and_then(|it| it.door.as_ref()).is_some_and(Door::listens);
            if is_to_be && !is_open && !self.unopened[side.index()] {
                self.listen(side, thread);
            }
        }
    }

    /// What the dead process had lost already and what was lost with it; one loss may be the end of
    /// the session, with the reason it gives.
    fn lose_again(&mut self, missing: &[Side], states: &[EndState; 2], thread: &mut Thread) {
        let known = Side::BOTH.map(|side| states[side.index()].lost);
        let gone = Side::BOTH.map(|side| {
            let broken = self.end(side).leg.as_mut().and_then(Leg::error);
            missing.contains(&side).then_some(LegReason::Reset).or(broken)
        });
        let stage = self.life.stage();
        for (how, side) in known.into_iter().chain(gone).zip(Side::BOTH.into_iter().cycle()) {
            // Who is parting closes what is missing.
            if let (Some(how), false) = (how, self.parting || self.life.stage() != stage) {
                self.lost(side, how, thread);
            }
        }
    }

    /// The relay's own bind SEND was written down before it was sent.
    fn bind_again(&mut self, side: Side, state: &EndState, thread: &mut Thread) {
        let End { leg, approach: Some(approach), paths, .. } = &mut self.ends[side.index()] else {
            return;
        };
        let (leg, path) = match &approach.fresh {
            Some(fresh) => (Some(&fresh.leg), &*approach.path),
            None => (leg.as_ref(), paths.path()),
        };
        if state.fresh.is_some() && approach.fresh.is_none() {
            // The connection that was to take over is gone.
            let lost = if approach.replacing {
                Input::Fault
            } else {
                Input::OwnBindAnswered { side, accepted: false }
            };
            return self.feed(lost, thread);
        }
        let (Some(leg), Some(own_bind)) = (leg, &approach.own_bind) else { return };
        let request = bind_request(path, paths.own(), &own_bind.ids.tid, &own_bind.ids.message_id);
        let given = leg.counts().map_or(0, |[_, given]| given as usize);
        if let Some(rest) = request.get(given..).filter(|rest| !rest.is_empty()) {
            self.say_bind(side, rest, thread);
        }
    }
}

impl End {
    fn inherit(state: &EndState, limits: msrp_proto::Limits) -> Self {
        let own_bind = state.own_bind.map(|ids| Box::new(OwnBind::new(ids, limits)));
        let approach = Approach {
            targets: state.targets.clone(),
            path: state.expected.clone().into(),
            replacing: state.replacing,
            own_bind,
            ..Approach::default()
        };
        Self {
            leg: None,
            approach: Some(Box::new(approach)),
            paths: LegPaths::new(&state.own_uri, &state.path),
            sources: state.sources.clone(),
        }
    }
}
