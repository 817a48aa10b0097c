//! What lets another process go on where this one is killed: records in shared memory, and
//! duplicates of all descriptors with the keeper.

mod adopt;
mod keeper;
mod record;
mod state;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use msrp_proto::session::Side;

pub(crate) use adopt::adopt;
pub(crate) use keeper::{Held, Keeper, Kind, LABEL, Label};
pub(crate) use record::{Claim, Found, Mark, Record, TextKind};
pub(crate) use state::{ConnectionState, DialState, EndState, OwnBindState, State, Written};

use crate::sys::arena::Arena;

/// The tools for it, the same for all threads. An engine without a keeper has none.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    pub(crate) arena: Arc<Arena>,
    pub(crate) keeper: Arc<Keeper>,
    /// Whose tools these are.
    thread: usize,
}

impl Keep {
    pub(crate) fn new(arena: Arc<Arena>, keeper: Keeper) -> Self {
        Self { arena, keeper: Arc::new(keeper), thread: 0 }
    }

    /// The same tools for another thread.
    pub(crate) fn of_thread(&self, thread: usize) -> Self {
        Self { thread, ..self.clone() }
    }

    /// Whatever this session does now, this thread does it; 0: no session does anything. If the
    /// process does not survive that, its successor knows.
    pub(crate) fn in_hand(&self, session: u64) {
        self.arena.hand(self.thread).store(session, Ordering::Relaxed);
    }

    /// Has the arena itself kept.
    pub(crate) fn register(&self) {
        let label = Label { kind: Kind::Arena, side: Side::A, token: 0, session: 0 };
        self.keeper.hold(&[(label, self.arena.as_fd())]);
    }

    /// One that no process before this one has used: a record may still name it.
    fn token(&self) -> u32 {
        self.arena.counter().fetch_add(1, Ordering::Relaxed) as u32 + 1
    }

    fn label(&self, kind: Kind, side: Side, session: u64) -> Label {
        Label { kind, side, token: self.token(), session }
    }

    /// Has a descriptor kept, where there is a keeper.
    pub(crate) fn hold(
        keep: Option<&Self>,
        fd: OwnedFd,
        kind: Kind,
        side: Side,
        session: u64,
    ) -> Held {
        Held::kept(fd, keep.map(|keep| (&keep.keeper, keep.label(kind, side, session))))
    }

    /// The same for two at once, of side A and side B.
    pub(crate) fn hold_both(
        keep: Option<&Self>,
        [a, b]: [OwnedFd; 2],
        kind: Kind,
        session: u64,
    ) -> [Held; 2] {
        let Some(keep) = keep else { return [a, b].map(Held::alone) };
        let labels = Side::BOTH.map(|side| keep.label(kind, side, session));
        keep.keeper.hold(&[(labels[0], a.as_fd()), (labels[1], b.as_fd())]);
        [Held::inherited(a, &keep.keeper, labels[0]), Held::inherited(b, &keep.keeper, labels[1])]
    }

    /// Both ends of a pipe, which have one token.
    pub(crate) fn hold_pipe(keep: Option<&Self>, exit: OwnedFd, entry: OwnedFd) -> [Held; 2] {
        let Some(keep) = keep else { return [exit, entry].map(Held::alone) };
        let token = keep.token();
        let labels = Side::BOTH.map(|side| Label { kind: Kind::Pipe, side, token, session: 0 });
        keep.keeper.hold(&[(labels[0], exit.as_fd()), (labels[1], entry.as_fd())]);
        let [at_exit, at_entry] = labels;
        [
            Held::inherited(exit, &keep.keeper, at_exit),
            Held::inherited(entry, &keep.keeper, at_entry),
        ]
    }
}
