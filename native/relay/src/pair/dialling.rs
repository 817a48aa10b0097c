//! Dialling a leg, and the relay's own bind SEND.

use std::io::IoSlice;
use std::net::SocketAddr;

use msrp_proto::session::{Input, LegReason, Role, Side};
use msrp_proto::{Moment, bind_request};
use rustix::rand::{GetRandomFlags, getrandom};

use super::approach::Fresh;
use super::{End, Pair};
use crate::board::LegState;
use crate::dial::{Dial, Dialled, Heard, OwnBind};
use crate::keep::{DialState, Held, OwnBindState};
use crate::leg::{Leg, Sent};
use crate::poller::{Part, Readiness, Source};
use crate::ring::RingWhat;
use crate::sys::tcp;
use crate::thread::Thread;
use crate::why::DialFailure;

impl Pair {
    pub(super) fn dial(&mut self, side: Side, thread: &mut Thread) {
        let targets = self.ends[side.index()].approach().targets.clone();
        if self.directions.is_none() {
            self.board.leg(side).set_state(LegState::Dialling);
        }
        self.begin_dial(side, &targets, None, thread);
    }

    /// Goes on with a dial of a dead process.
    pub(super) fn dial_again(&mut self, side: Side, state: &DialState, thread: &mut Thread) {
        self.begin_dial(side, &state.rest, state.until, thread);
    }

    /// `until`: how long the first of `targets` may still take, where it has been begun.
    fn begin_dial(
        &mut self,
        side: Side,
        targets: &[SocketAddr],
        until: Option<Moment>,
        thread: &mut Thread,
    ) {
        let options = tcp::Options::new(&thread.config, self.tos);
        let (at, source) = ((self.key, self.id, side), self.source(side));
        let approach = self.ends[side.index()].approach();
        let mut dial = Dial::new(at, source, targets, options, thread);
        let dialled = match approach.found.take() {
            Some(begun) => dial.go_on(begun, until, &self.board, thread),
            None => dial.next(&self.board, thread),
        };
        approach.dial = Some(Box::new(dial));
        self.dialled(side, dialled, thread);
    }

    /// Drops the dial of this side, however far it came; before the join that is the leg itself.
    pub(super) fn cancel_dial(&mut self, side: Side, thread: &Thread) {
        let joined = self.directions.is_some();
        let end = self.end(side);
        if let Some(approach) = &mut end.approach {
            approach.cancel(thread);
        }
        if !joined && end.leg.as_ref().is_some_and(|leg| leg.origin == Role::Dial) {
            end.drop_leg(thread);
        }
    }

    /// An event on what is being dialled or has not taken over.
    pub(super) fn dial_event(&mut self, side: Side, readiness: Readiness, thread: &mut Thread) {
        let Some(approach) = &mut self.ends[side.index()].approach else { return };
        if let Some(dial) = &mut approach.dial {
            let dialled = dial.advance(&self.board, thread);
            return self.dialled(side, dialled, thread);
        }
        let Some(fresh) = &mut approach.fresh else { return };
        fresh.leg.note(readiness);
        if approach.own_bind.is_none() {
            // A FIN comes behind what it has said, and that is still to be read.
            let ended = readiness.error.then(|| fresh.leg.ended()).flatten();
            if ended.is_some_and(|how| how != LegReason::Fin) {
                self.board.event(thread.now, Some(side), RingWhat::Lost, 0);
                self.feed(Input::NewBroken(side), thread);
            }
            return;
        }
        self.say_rest(side, thread);
        let Some(approach) = &mut self.ends[side.index()].approach else { return };
        let (Some(fresh), Some(own_bind)) = (&mut approach.fresh, &mut approach.own_bind) else {
            return;
        };
        match own_bind.hear(&mut fresh.leg, thread) {
            Heard::Not => {}
            Heard::With(status, len) => self.own_bind_answered(side, status, len, thread),
            Heard::Unexpected | Heard::Ended(_) => {
                self.feed(Input::OwnBindAnswered { side, accepted: false }, thread);
            }
        }
    }

    fn dialled(&mut self, side: Side, dialled: Dialled, thread: &mut Thread) {
        self.changed = true;
        let goes_on = matches!(dialled, Dialled::Connecting | Dialled::Starved);
        if let (Some(approach), false) = (&mut self.end(side).approach, goes_on) {
            approach.dial = None;
        }
        match dialled {
            Dialled::Connecting => {}
            Dialled::Starved => self.starve(thread),
            Dialled::Connected(socket, to) => self.connected(side, socket, to, thread),
            Dialled::Failed(failure) => {
                self.end(side).approach().failure = failure.map(Box::new);
                self.feed(Input::DialFailed(side), thread);
            }
        }
    }

    /// Begins a dial for which there were no descriptors.
    pub(super) fn dial_starved(&mut self, thread: &mut Thread) {
        for side in Side::BOTH {
            let Some(approach) = &mut self.ends[side.index()].approach else { continue };
            if let Some(dial) = approach.dial.as_mut().filter(|dial| dial.is_starved()) {
                let dialled = dial.next(&self.board, thread);
                self.dialled(side, dialled, thread);
            }
        }
    }

    /// What became of the dial that has failed, or now has.
    pub(super) fn dial_failure(&mut self, side: Side, thread: &Thread) -> Option<DialFailure> {
        let approach = self.ends[side.index()].approach.as_mut()?;
        match approach.dial.take() {
            Some(dial) => dial.end(&self.board, thread),
            None => approach.failure.take().map(|failure| *failure),
        }
    }

    fn connected(&mut self, side: Side, socket: Held, to: SocketAddr, thread: &mut Thread) {
        let fresh = self.directions.is_some();
        let part = if fresh { Part::Dial(side) } else { Part::Leg(side) };
        if thread.poller.rename(&socket, Source::Pair(self.key, part)).is_err() {
            return self.feed(Input::DialFailed(side), thread);
        }
        self.board.event(thread.now, Some(side), RingWhat::Connected, to.port().into());
        let leg = Leg::new(socket, Role::Dial);
        if fresh {
            self.end(side).approach().fresh = Some(Box::new(Fresh { leg, peer: to }));
        } else {
            self.end(side).leg = Some(leg);
            self.board.leg(side).set_peer(to);
        }
        self.feed(Input::Connected(side), thread);
    }

    pub(super) fn send_bind(&mut self, side: Side, thread: &mut Thread) {
        let End { leg, approach: Some(approach), paths, .. } = &mut self.ends[side.index()] else {
            return;
        };
        let (leg, path) = match &mut approach.fresh {
            Some(fresh) => (Some(&mut fresh.leg), &*approach.path),
            None => (leg.as_mut(), paths.path()),
        };
        let Some(leg) = leg else { return };
        let (Ok(tid), Ok(message_id)) = (ident(), ident()) else {
            return self.feed(Input::Fault, thread);
        };
        let ids = OwnBindState { tid, message_id };
        let request = bind_request(path, paths.own(), &tid, &message_id);
        leg.prologue[1] = request.len() as u32;
        approach.own_bind = Some(Box::new(OwnBind::new(ids, thread.config.limits)));
        thread.counters.own_binds(1);
        self.board.event(thread.now, Some(side), RingWhat::OwnBind, 0);
        // First: whoever continues must know what has been said.
        self.write_down();
        self.say_bind(side, &request, thread);
    }

    /// Sends the relay's own bind SEND, or what is left of it.
    pub(super) fn say_bind(&mut self, side: Side, rest: &[u8], thread: &mut Thread) {
        let End { leg, approach, .. } = &mut self.ends[side.index()];
        let fresh = approach.as_mut().and_then(|approach| approach.fresh.as_mut());
        let Some(leg) = fresh.map(|fresh| &mut fresh.leg).or(leg.as_mut()) else { return };
        match leg.send(&[IoSlice::new(rest)]) {
            Sent::Bytes(n) => {
                self.board.leg(side).add_out(n);
                if let Some(own_bind) = approach.as_mut().and_then(|it| it.own_bind.as_mut()) {
                    own_bind.rest = rest[n..].to_vec();
                }
            }
            // Its end is noticed where the answer is awaited.
            Sent::Nowhere => {}
            Sent::Broken(_) if self.directions.is_some() => {
                self.feed(Input::OwnBindAnswered { side, accepted: false }, thread);
            }
            Sent::Broken(how) => self.lost(side, how, thread),
        }
    }

    /// There may be room for what is left of the relay's own bind SEND.
    fn say_rest(&mut self, side: Side, thread: &mut Thread) {
        let End { leg, approach: Some(approach), .. } = &mut self.ends[side.index()] else {
            return;
        };
        let leg = approach.fresh.as_ref().map(|fresh| &fresh.leg).or(leg.as_ref());
        if let (Some(own_bind), true) = (&mut approach.own_bind, leg.is_some_and(Leg::is_writable))
            && !own_bind.rest.is_empty()
        {
            let rest = std::mem::take(&mut own_bind.rest);
            self.say_bind(side, &rest, thread);
        }
    }

    /// Before the join a leg is not read, except for the answer to the relay's own bind SEND.
    pub(super) fn watch_unjoined(&mut self, side: Side, thread: &mut Thread) {
        self.say_rest(side, thread);
        let End { leg: Some(leg), approach: Some(approach), .. } = &mut self.ends[side.index()]
        else {
            return;
        };
        let heard = match &mut approach.own_bind {
            Some(own_bind) => own_bind.hear(leg, thread),
            None => {
                let ended = leg.may_have_ended().then(|| leg.ended()).flatten();
                ended.map_or(Heard::Not, Heard::Ended)
            }
        };
        match heard {
            Heard::Not => {}
            Heard::With(status, len) => self.own_bind_answered(side, status, len, thread),
            Heard::Unexpected => {
                self.feed(Input::OwnBindAnswered { side, accepted: false }, thread);
            }
            Heard::Ended(LegReason::Fin) => self.fin(side, true, thread),
            Heard::Ended(how) => self.lost(side, how, thread),
        }
    }

    /// The answer of `len` bytes is taken from the connection's input.
    fn own_bind_answered(&mut self, side: Side, status: u16, len: usize, thread: &mut Thread) {
        let End { leg, approach: Some(approach), .. } = &mut self.ends[side.index()] else {
            return;
        };
        // Nobody can answer what has not been said.
        let is_said = approach.own_bind.take().is_some_and(|own_bind| own_bind.rest.is_empty());
        let is_fresh = approach.fresh.is_some();
        let fresh = approach.fresh.as_mut().map(|fresh| &mut fresh.leg);
        let Some(leg) = fresh.or(leg.as_mut()) else { return };
        leg.prologue[0] = len as u32;
        let accepted = status == 200 && is_said;
        self.board.event(thread.now, Some(side), RingWhat::OwnBindAnswer, status.into());
        self.feed(Input::OwnBindAnswered { side, accepted }, thread);
        if accepted {
            // First: once the answer is taken, nobody can read what it said.
            self.write_down();
            self.skip_answer(side, is_fresh, len);
        }
    }

    /// Takes `len` bytes of the answer to the relay's own bind SEND out of the stream.
    pub(super) fn skip_answer(&mut self, side: Side, is_fresh: bool, len: usize) {
        let End { leg, approach, .. } = &mut self.ends[side.index()];
        let fresh = approach.as_mut().and_then(|approach| approach.fresh.as_mut());
        let leg = if is_fresh { fresh.map(|fresh| &mut fresh.leg) } else { leg.as_mut() };
        if let Some(leg) = leg {
            leg.skip(len);
            self.board.leg(side).add_in(len);
        }
    }

    pub(super) fn expire_approach(&mut self, side: Side, thread: &mut Thread) {
        let Some(approach) = &mut self.ends[side.index()].approach else { return };
        if let Some(door) = &mut approach.door {
            door.expire(&self.board, thread);
        }
        let late = |dial: &&mut Box<Dial>| dial.deadline().is_some_and(|at| at <= thread.now);
        if let Some(dial) = approach.dial.as_mut().filter(late) {
            let dialled = dial.expire(&self.board, thread);
            self.dialled(side, dialled, thread);
        }
        self.leave_doors();
    }
}

/// 128 random bits as an `ident` of RFC 4975 §9.
fn ident() -> rustix::io::Result<[u8; 32]> {
    let mut random = [0; 16];
    getrandom(&mut random, GetRandomFlags::empty())?;
    let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    Ok(std::array::from_fn(|i| hex(random[i / 2] >> (4 * (i % 2)))))
}
