//! What a successor of this process must know, written down whenever it has changed.

use msrp_proto::Moment;
use msrp_proto::session::{LegReason, Session, Side, Timers};

use super::approach::{Approach, text};
use super::{End, Opening, Pair};
use crate::dial::{Dial, OwnBind};
use crate::keep::{ConnectionState, EndState, Keep, Record, State};
use crate::leg::Leg;
use crate::listener::Door;
use crate::mover::Direction;

impl Pair {
    /// At the end of everything that happens to a session.
    pub(crate) fn write_changes(&mut self) {
        if self.changed {
            self.write_down();
        }
    }

    /// Now, where something must not happen before it is written down.
    pub(super) fn write_down(&mut self) {
        self.changed = false;
        if self.record.is_none() || self.over {
            return;
        }
        let state = self.state();
        let (joined, state) = (state.joined, state.encode());
        if let Some(record) = &mut self.record {
            record.describe(self.id, &state, joined);
        }
    }

    fn state(&self) -> State<&Session> {
        State {
            policy: self.policy,
            tos: self.tos,
            idle: self.idle,
            opened: self.board.opened,
            life: &self.life,
            joined: self.directions.is_some(),
            paused: self.paused,
            moved: Side::BOTH.map(|side| self.moved(side)),
            ends: Side::BOTH.map(|side| self.end_state(side)),
        }
    }

    /// Beside what the kernel tells: that there was a pause, or that a peer has moved.
    fn moved(&self, from: Side) -> Moment {
        let directions = self.directions.as_ref();
        directions.map(|directions| directions[from.index()].moved()).unwrap_or_default()
    }

    fn end_state(&self, side: Side) -> EndState {
        let End { leg, approach, paths, sources } = &self.ends[side.index()];
        let board = self.board.leg(side);
        let (role, peer, reason) = board.facts();
        let lost = reason.filter(|how| leg.is_some() && *how != LegReason::Fin);
        let approach = approach.as_deref();
        let fresh = approach.and_then(|approach| approach.fresh.as_ref());
        EndState {
            own_uri: paths.own().to_vec(),
            path: paths.path().to_vec(),
            sources: sources.clone(),
            local: self.board.local(side),
            role,
            earlier: self.earlier(side),
            leg: leg.as_ref().map(|leg| connection(leg, peer)),
            lost,
            listener: approach.and_then(|approach| approach.door.as_ref()).and_then(Door::token),
            targets: approach.map(|approach| approach.targets.clone()).unwrap_or_default(),
            expected: approach.map(|approach| approach.path.to_vec()).unwrap_or_default(),
            dial: approach.and_then(|approach| approach.dial.as_deref()).map(Dial::state),
            own_bind: approach.and_then(own_bind).map(|own_bind| own_bind.ids),
            fresh: fresh.map(|fresh| connection(&fresh.leg, Some(fresh.peer))),
            replacing: approach.is_some_and(|approach| approach.replacing),
        }
    }

    /// What was counted before the present connections of this side.
    fn earlier(&self, side: Side) -> [u64; 3] {
        let [bytes_in, bytes_out, chunks] = self.board.leg(side).counts();
        let Some(directions) = &self.directions else { return [bytes_in, bytes_out, chunks] };
        let [taken, _, seen] = directions[side.index()].counts();
        let [_, given, _] = directions[side.other().index()].counts();
        let pairs = [(bytes_in, taken), (bytes_out, given), (chunks, seen)];
        pairs.map(|(all, present)| all.saturating_sub(present))
    }

    /// Has a new keeper keep every descriptor.
    pub(crate) fn register(&self) {
        for end in &self.ends {
            end.leg.iter().for_each(Leg::register);
            end.approach.iter().for_each(|approach| approach.register());
        }
        self.directions
            .iter()
            .flat_map(|directions| directions.iter())
            .for_each(Direction::register);
    }
}

impl Opening {
    /// A record of the session before anybody knows of it; `None` for want of memory.
    pub(crate) fn write_down(&self, keep: &Keep) -> Option<Box<Record>> {
        let life = Session::new(self.spec.policy, Timers::default());
        let end = |side: Side| {
            let (leg, listener) = (&self.spec.legs[side.index()], &self.listeners[side.index()]);
            EndState {
                own_uri: leg.own_uri.clone(),
                path: text(&leg.peer_path).into(),
                sources: leg.sources.clone(),
                local: self.board.local(side),
                listener: Some(listener.token()),
                role: None,
                earlier: [0; 3],
                leg: None,
                lost: None,
                targets: Vec::new(),
                expected: Vec::new(),
                dial: None,
                own_bind: None,
                fresh: None,
                replacing: false,
            }
        };
        let state = State {
            policy: self.spec.policy,
            tos: self.spec.tos,
            idle: self.spec.idle,
            opened: self.board.opened,
            life: &life,
            joined: false,
            paused: false,
            moved: [Moment::default(); 2],
            ends: Side::BOTH.map(end),
        };
        let mut record = Record::new(&keep.arena).ok()?;
        record.describe(self.id, &state.encode(), false);
        Some(Box::new(record))
    }
}

impl Approach {
    fn register(&self) {
        self.door.iter().for_each(Door::register);
        self.dial.iter().for_each(|dial| dial.register());
        self.fresh.iter().for_each(|fresh| fresh.leg.register());
    }
}

fn own_bind(approach: &Approach) -> Option<&OwnBind> {
    approach.own_bind.as_deref()
}

fn connection(leg: &Leg, peer: Option<std::net::SocketAddr>) -> ConnectionState {
    ConnectionState { token: leg.token(), origin: leg.origin, peer, prologue: leg.prologue }
}
