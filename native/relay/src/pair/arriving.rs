//! Who comes to the door of a side.

use msrp_proto::session::{Input, Policy, Role, Side};
use msrp_proto::{Key, Uri, path_uris};

use super::Pair;
use super::approach::Fresh;
use crate::board::LegState;
use crate::keep::{Held, Keep, Kind};
use crate::leg::Leg;
use crate::listener::{Accepted, Door, Guest, Rule};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::sys::tcp;
use crate::thread::Thread;
use crate::why::{DialError, RefusedFor, RingWhy};

/// Connections accepted at one door before others get their turn.
const CALLERS: usize = 16;

impl Pair {
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
            if self.directions.is_some() {
                end.approach.take_if(|approach| approach.is_idle());
            }
        }
    }

    /// The caller is the leg's peer.
    fn bind(&mut self, side: Side, guest: Guest, thread: &mut Thread) {
        let Guest { socket, from, has_body, watched } = guest;
        let fresh = self.directions.is_some();
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
        // An error can only mean a dead connection, which has its own event.
        let _ = tcp::equip(&socket, &tcp::Options::new(&thread.config, self.tos));
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
        self.changed = true;
        let (key, options) = (self.key, tcp::Options::new(&thread.config, self.tos));
        if self.end(side).leg.is_none() {
            self.board.leg(side).set_state(LegState::Listening);
        }
        let spare = self.spares[side.index()].take();
        let reopened = || -> Result<Held, DialError> {
            let listener = tcp::listen(self.board.local(side), &options)?;
            Ok(Keep::hold(thread.keep.as_ref(), listener, Kind::Listener, side, self.id))
        };
        let listener = match spare.map_or_else(reopened, |spare| Ok(spare.listener)) {
            Ok(listener) => listener,
            Err(why) if why.is_want() => {
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
}

/// What the first frame on a leg must name; `None` while it is not known.
fn key<'a>(policy: Policy, own_uri: &'a [u8], other_path: &'a [u8]) -> Option<Key<'a>> {
    if policy.is_aware() {
        return Some(Key::Uri(own_uri));
    }
    Uri::parse(path_uris(other_path).next()?).ok()?.session_id.map(Key::SessionId)
}
