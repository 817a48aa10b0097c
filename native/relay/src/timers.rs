//! Deadlines of a thread's sessions: a heap whose entries may be stale.
//!
//! A session's deadline mostly moves away (each message postpones it), so an entry is looked at
//! when it comes up and pushed again if the session's own deadline is later by then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use msrp_proto::Moment;

/// When to look at which session.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Moment, usize)>>,
}

impl Timers {
    pub(crate) fn push(&mut self, at: Moment, key: usize) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest entry.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an entry that is due.
    pub(crate) fn pop(&mut self, now: Moment) -> Option<usize> {
        let Reverse((at, key)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(key)
    }
}
