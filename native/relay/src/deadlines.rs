//! Deadlines of a thread's sessions: a heap whose entries may be stale.
//!
//! A session's deadline mostly moves away (each message postpones it), so an entry is looked at
//! when it comes up and pushed again if the session's own deadline is later by then. Where it comes
//! nearer another entry is pushed; only one of a session's entries, the one it was last armed with,
//! is of any use.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use msrp_proto::Moment;

/// When to look at which session.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Moment, usize)>>,
}

/// Entries that are not worth looking at for those of no use.
const SLACK: usize = 64;

impl Deadlines {
    pub(crate) fn push(&mut self, at: Moment, key: usize) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest entry.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes an entry that is due: when it was to come up, and whose it is.
    pub(crate) fn pop(&mut self, now: Moment) -> Option<(Moment, usize)> {
        let Reverse((at, key)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((at, key))
    }

    /// Throws away what is of no use where that is most of it; of `sessions` sessions one entry each
    /// is. So the heap does not grow with what their peers do, and an entry pays once for this.
    pub(crate) fn tidy(&mut self, sessions: usize, is_armed: impl Fn(Moment, usize) -> bool) {
        if self.heap.len() > 2 * sessions + SLACK {
            self.heap.retain(|Reverse((at, key))| is_armed(*at, *key));
        }
    }

    /// Entries.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_that_come_nearer_and_go_away_again_do_not_add_up() {
        const SESSIONS: usize = 100;
        let (mut deadlines, mut now) = (Deadlines::default(), Moment::default());
        let far = |key: usize| Moment::default() + Duration::from_secs(3600 + key as u64);
        let mut armed = [Moment::default(); SESSIONS];
        for round in 0..100_000 {
            let key = round % SESSIONS;
            now += Duration::from_millis(1);
            for at in [far(key) + Duration::from_nanos(round as u64), now] {
                armed[key] = at;
                deadlines.push(at, key);
                deadlines.tidy(SESSIONS, |at, key| armed[key] == at);
            }
            assert_eq!(deadlines.pop(now), Some((now, key)));
            assert!(deadlines.len() <= 2 * SESSIONS + SLACK, "{} entries", deadlines.len());
        }
    }

    #[test]
    fn the_entry_that_counts_is_kept() {
        let (mut deadlines, at) =
            (Deadlines::default(), |n| Moment::default() + Duration::from_secs(n));
        for n in (1..1000).rev() {
            deadlines.push(at(n), 0);
            deadlines.tidy(1, |entry, _| entry == at(n));
        }
        assert_eq!(deadlines.pop(at(1000)), Some((at(1), 0)));
    }
}
