//! What the engine tells the control plane.

use std::sync::Arc;

use msrp_proto::session::NoticeKind;

use crate::queue::Queue;
use crate::why::DialFailure;

/// Something happened to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Notice {
    /// [`Session::id`](crate::Session::id).
    pub session: u64,
    /// What.
    pub what: NoticeKind,
    /// Of [`NoticeKind::DialFailed`], where no connection was made.
    pub failure: Option<DialFailure>,
}

/// One thread's notices on their way. Those of a turn travel together: to wake another thread costs
/// more than anything it is told.
#[derive(Debug)]
pub(crate) struct News {
    waiting: Vec<Notice>,
    queue: Arc<Queue<Notice>>,
}

impl News {
    pub(crate) fn new(queue: Arc<Queue<Notice>>) -> Self {
        Self { waiting: Vec::new(), queue }
    }

    pub(crate) fn add(&mut self, notice: Notice) {
        self.waiting.push(notice);
    }

    /// Hands on what has come up.
    pub(crate) fn tell(&mut self) {
        if !self.waiting.is_empty() {
            self.queue.append(&mut self.waiting);
        }
    }
}
