//! One leg's door: its listening port and the connections that have not shown who they are.

mod caller;

use std::io::IoSlice;
use std::net::SocketAddr;

use msrp_proto::session::Side;
use msrp_proto::{Key, Moment};
use rustix::io::Errno;

use self::caller::{Caller, Judged};
use crate::board::Board;
use crate::half_open::Place;
use crate::keep::{Held, Keep, Kind};
use crate::poller::{Part, Source};
use crate::ring::RingWhat;
use crate::spec::Sources;
use crate::sys::tcp;
use crate::thread::Thread;
use crate::why::{RefusedFor, RingWhy};

/// The port of one leg until it is bound, and who came to it.
#[derive(Debug)]
pub(crate) struct Door {
    key: usize,
    session: u64,
    side: Side,
    listener: Option<Held>,
    callers: Vec<Option<Caller>>,
}

/// What a caller is judged by.
pub(crate) struct Rule<'a> {
    /// What its first frame must name; `None` while that is not known: then nothing is read yet.
    pub(crate) key: Option<Key<'a>>,
    pub(crate) sources: &'a Sources,
    /// False once the leg has its connection.
    pub(crate) wanted: bool,
}

/// A caller that showed a valid first frame.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) socket: Held,
    pub(crate) from: SocketAddr,
    pub(crate) has_body: bool,
    /// The poller knows its descriptor, under another name.
    pub(crate) watched: bool,
}

/// What accepting brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Accepted {
    /// A connection, if it did not go at once. There may be more, and the edge is used up.
    One,
    /// None waits.
    Nobody,
    /// There is neither descriptor nor memory for the one that waits.
    Starved,
}

impl Door {
    /// The door of a side of the session `session`, whose place in the thread's table is `key`.
    pub(crate) fn new(key: usize, session: u64, side: Side) -> Self {
        Self { key, session, side, listener: None, callers: Vec::new() }
    }

    /// Watches this listener from now on.
    pub(crate) fn open(&mut self, listener: Held, thread: &mut Thread) {
        let source = Source::Pair(self.key, Part::Listener(self.side));
        if thread.poller.add(&listener, source).is_err() {
            thread.counters.refused("unwatched");
        }
        self.close_listener(thread);
        self.listener = Some(listener);
    }

    pub(crate) fn close_listener(&mut self, thread: &Thread) {
        if let Some(listener) = self.listener.take() {
            thread.poller.remove(&listener);
            if listener.is_kept() {
                tcp::stop_listening(&listener);
            }
        }
    }

    /// Connections can come.
    pub(crate) fn listens(&self) -> bool {
        self.listener.is_some()
    }

    /// What a record calls its listener.
    pub(crate) fn token(&self) -> Option<u32> {
        self.listener.as_ref().map(Held::token)
    }

    /// See [`Held::register`].
    pub(crate) fn register(&self) {
        let callers = self.callers.iter().flatten().filter(|caller| caller.gate.is_some());
        self.listener.iter().chain(callers.map(|caller| &caller.socket)).for_each(Held::register);
    }

    /// Nobody can come and nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.listener.is_none() && self.callers.iter().all(Option::is_none)
    }

    /// Closes everything.
    pub(crate) fn shut(&mut self, thread: &Thread) {
        self.close_listener(thread);
        for caller in self.callers.drain(..).flatten() {
            caller.close(thread);
        }
    }

    /// Takes one of the connections that wait in the kernel.
    pub(crate) fn accept(&mut self, board: &Board, thread: &mut Thread) -> Accepted {
        let Some(listener) = &self.listener else { return Accepted::Nobody };
        if !thread.reserve.spares(listener, thread.now) {
            thread.counters.accept_pauses(1);
            return Accepted::Starved;
        }
        match tcp::accept(listener) {
            Ok((socket, from)) => {
                thread.counters.accepted(1);
                thread.reserve.note(&socket);
                let keep = thread.keep.as_ref();
                let socket = Keep::hold(keep, socket, Kind::Accepted, self.side, self.session);
                self.admit(socket, from, board, thread);
                Accepted::One
            }
            Err(Errno::AGAIN | Errno::INVAL) => Accepted::Nobody,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                thread.counters.accept_pauses(1);
                thread.reserve.used_up();
                Accepted::Starved
            }
            // It was gone before it could be accepted.
            Err(_) => Accepted::One,
        }
    }

    /// A new connection, or one that has come to a dead process.
    pub(crate) fn admit(
        &mut self,
        socket: Held,
        from: SocketAddr,
        board: &Board,
        thread: &mut Thread,
    ) {
        board.event(thread.now, Some(self.side), RingWhat::Accepted, from.port().into());
        let place = self.free_place(board, thread);
        let Some(counted) = self.half_open(board, thread) else {
            self.count_refusal(from, RefusedFor::HalfOpen, board, thread);
            return tcp::fin(&socket);
        };
        self.callers[place] = Some(Caller::new(socket, from, counted, thread));
    }

    /// A caller that has not been heard yet.
    pub(crate) fn newcomer(&self) -> Option<usize> {
        self.callers.iter().position(|caller| caller.as_ref().is_some_and(|it| !it.watched))
    }

    /// What else this caller says is an event.
    pub(crate) fn watch(&mut self, place: usize, board: &Board, thread: &Thread) {
        let Some(Some(caller)) = self.callers.get_mut(place) else { return };
        let source = Source::Pair(self.key, Part::Caller(self.side, place as u8));
        if !caller.watched && thread.poller.add(&caller.socket, source).is_err() {
            let from = caller.from;
            self.callers[place] = None;
            self.count_refusal(from, RefusedFor::Unwatched, board, thread);
        } else {
            caller.watched = true;
        }
    }

    /// A place among those of all ports. Where none is left, one of this port's own gives way:
    /// whoever fills them all elsewhere keeps a port's first caller out, not its second.
    fn half_open(&mut self, board: &Board, thread: &Thread) -> Option<Place> {
        let place = thread.half_open.place();
        if place.is_none() && self.callers.iter().any(Option::is_some) {
            self.drop_oldest(board, thread);
            return thread.half_open.place();
        }
        place
    }

    /// A free place; where all are taken the oldest caller gives way.
    fn free_place(&mut self, board: &Board, thread: &Thread) -> usize {
        if let Some(free) = self.callers.iter().position(Option::is_none) {
            return free;
        }
        if self.callers.len() < thread.config.unbound_per_port.clamp(1, 100) {
            // Hardly a port has more than one: no room is made for others.
            self.callers.reserve_exact(1);
            self.callers.push(None);
            return self.callers.len() - 1;
        }
        self.drop_oldest(board, thread)
    }

    /// Drops the oldest caller, one already refused first; gives its place.
    fn drop_oldest(&mut self, board: &Board, thread: &Thread) -> usize {
        let age = |place: &usize| {
            self.callers[*place].as_ref().map(|caller| (caller.gate.is_some(), caller.since))
        };
        let taken = (0..self.callers.len()).filter(|place| self.callers[*place].is_some());
        let oldest = taken.min_by_key(age).unwrap_or_default();
        if let Some(caller) = self.callers[oldest].take() {
            if caller.gate.is_some() {
                self.count_refusal(caller.from, RefusedFor::Crowded, board, thread);
            }
            caller.close(thread);
        }
        oldest
    }

    /// Looks at a caller's first frame. It stays in the kernel, so that a successor of this process
    /// finds it there.
    pub(crate) fn hear(
        &mut self,
        place: usize,
        rule: &Rule<'_>,
        board: &Board,
        thread: &mut Thread,
    ) -> Option<Guest> {
        let mut caller = self.callers.get_mut(place)?.take()?;
        if caller.gate.is_none() {
            if caller.read_away(thread) {
                self.callers[place] = Some(caller);
            } else {
                caller.close(thread);
            }
            return None;
        }
        let (Some(key), Some(admitted)) = (&rule.key, rule.sources.admit(caller.from.ip())) else {
            if caller.is_gone() {
                self.leave(caller, board, thread);
            } else {
                self.callers[place] = Some(caller);
            }
            return None;
        };
        if !admitted {
            self.refuse(place, caller, None, RefusedFor::Source, board, thread);
            return None;
        }
        caller.until.get_or_insert(thread.now + thread.config.gate);
        match caller.judge(key, rule.wanted, thread) {
            Judged::Longer | Judged::Waits => self.callers[place] = Some(caller),
            Judged::Left => self.leave(caller, board, thread),
            Judged::Valid(has_body) => {
                let Caller { socket, from, watched, .. } = caller;
                return Some(Guest { socket, from, has_body, watched });
            }
            Judged::Refused(reply, cause) => {
                self.refuse(place, caller, reply, cause, board, thread);
            }
        }
        None
    }

    fn leave(&self, caller: Caller, board: &Board, thread: &Thread) {
        self.count_refusal(caller.from, RefusedFor::Left, board, thread);
        caller.close(thread);
    }

    fn refuse(
        &mut self,
        place: usize,
        mut caller: Caller,
        reply: Option<Vec<u8>>,
        cause: RefusedFor,
        board: &Board,
        thread: &mut Thread,
    ) {
        self.count_refusal(caller.from, cause, board, thread);
        if let Some(reply) = reply {
            // A fresh connection takes a few hundred bytes, or its peer does not read at all.
            let _ = tcp::send(&caller.socket, &[IoSlice::new(&reply)]);
        }
        tcp::fin(&caller.socket);
        caller.gate = None;
        let grace = thread.now + thread.config.grace;
        caller.until = Some(caller.until.map_or(grace, |until| until.min(grace)));
        if caller.read_away(thread) {
            self.callers[place] = Some(caller);
        } else {
            caller.close(thread);
        }
    }

    fn count_refusal(&self, from: SocketAddr, cause: RefusedFor, board: &Board, thread: &Thread) {
        thread.counters.refused(cause.as_str());
        let why = Some(RingWhy::Refused(cause));
        board.event_with(thread.now, self.side, RingWhat::Refused, from, why);
    }

    /// How many places there are, taken or not: each may be heard again (the key has become known).
    pub(crate) fn places(&self) -> usize {
        self.callers.len()
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.callers.iter().flatten().filter_map(|caller| caller.until).min()
    }

    /// Drops the callers whose time is over.
    pub(crate) fn expire(&mut self, board: &Board, thread: &Thread) {
        for place in 0..self.callers.len() {
            let due = |caller: &mut Caller| caller.until.is_some_and(|at| at <= thread.now);
            if let Some(caller) = self.callers[place].take_if(due) {
                if caller.gate.is_some() {
                    self.count_refusal(caller.from, RefusedFor::GateTimeout, board, thread);
                }
                caller.close(thread);
            }
        }
    }
}
