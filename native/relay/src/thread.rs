//! What one engine thread has for all its sessions.

use std::sync::Arc;

use msrp_proto::Moment;
use msrp_proto::session::{NoticeKind, Timers};

use crate::budget::Budget;
use crate::buffers::Buffers;
use crate::config::Config;
use crate::counters::ThreadCounters;
use crate::half_open::HalfOpen;
use crate::keep::Keep;
use crate::notice::{News, Notice};
use crate::pipe::Pipes;
use crate::poller::Poller;
use crate::reserve::Reserve;
use crate::why::DialFailure;

/// The tools of a thread; a session borrows them for the time of one event.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) config: Arc<Config>,
    /// Connections of all threads that have not shown a first frame.
    pub(crate) half_open: HalfOpen,
    /// Descriptors that are not for those.
    pub(crate) reserve: Reserve,
    /// What stalled directions of all threads hold.
    pub(crate) budget: Budget,
    /// Those of every session's life.
    pub(crate) timers: Arc<Timers>,
    /// Where this engine has a keeper.
    pub(crate) keep: Option<Keep>,
    pub(crate) poller: Poller,
    pub(crate) buffers: Buffers,
    pub(crate) pipes: Pipes,
    pub(crate) counters: Arc<ThreadCounters>,
    pub(crate) news: News,
    /// Read once per turn of the loop.
    pub(crate) now: Moment,
    /// Sessions that used up their rounds and have more to move.
    pub(crate) runnable: Vec<usize>,
    /// Sessions that could not accept for want of descriptors or memory.
    pub(crate) starved: Vec<usize>,
}

impl Thread {
    pub(crate) fn notify(&mut self, session: u64, what: NoticeKind, failure: Option<DialFailure>) {
        self.news.add(Notice { session, what, failure });
    }

    /// What a turn has brought for others; the control plane last, which may use a port again.
    pub(crate) fn tell(&mut self) {
        self.keep.iter().for_each(|keep| keep.keeper.tell());
        self.news.tell();
    }
}
