//! What the control plane tells the thread that owns a session.

use std::os::fd::OwnedFd;
use std::time::Duration;

use msrp_proto::session::{CloseReason, Side};

use crate::pair::Opening;
use crate::spec::{AnswerSpec, Target};

/// An answer on its way to its session's thread.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) spec: AnswerSpec,
    /// Of legs whose peer has moved; `None` where a listener is open already.
    pub(crate) listeners: [Option<OwnedFd>; 2],
}

/// One command; sessions are named by id.
#[derive(Debug)]
pub(crate) enum Command {
    /// A session whose listeners are open.
    Adopt(Box<Opening>),
    /// Roles and paths.
    Answer(u64, Box<Answered>),
    /// A name has been resolved, or not.
    SetTarget(u64, Side, Target),
    /// End it.
    Close(u64, CloseReason, Duration),
    /// End the thread.
    Stop,
}
