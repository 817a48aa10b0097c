//! What the control plane tells the thread that owns a session.

use std::time::Duration;

use msrp_proto::session::{CloseReason, Side};

use crate::keep::Held;
use crate::pair::{Inheritance, Opening};
use crate::spec::{AnswerSpec, Target};

/// An answer on its way to its session's thread.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) spec: AnswerSpec,
    /// Of legs whose peer has moved; `None` where a listener is open already.
    pub(crate) listeners: [Option<Held>; 2],
}

/// One command; sessions are named by id.
#[derive(Debug)]
pub(crate) enum Command {
    /// A session whose listeners are open.
    Open(Box<Opening>),
    /// Roles and paths.
    Answer(u64, Box<Answered>),
    /// A name has been resolved, or not.
    SetTarget(u64, Side, Target),
    /// The peer of this side has a re-offer; with a listener, if one could be opened.
    Reoffer(u64, Side, Option<Held>),
    /// That is over; an answer that has moved the peer has come before.
    Settle(u64, Side),
    /// Read nothing from either peer, or go on.
    Pause(u64, bool),
    /// End it.
    Close(u64, CloseReason, Duration),
    /// A session that a dead process has left.
    Inherit(Box<Inheritance>),
    /// There is a new keeper: it must have everything.
    Register,
    /// End the thread.
    Stop,
}
