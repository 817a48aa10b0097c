//! The bound on connections of all ports that have not shown a first frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts them for all threads.
#[derive(Clone, Debug)]
pub(crate) struct HalfOpen {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl HalfOpen {
    pub(crate) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A place, if there is one left.
    pub(crate) fn place(&self) -> Option<Place> {
        // Threads meet here once per stranger: an order between them is not needed.
        let more = |taken: usize| (taken < self.most).then_some(taken + 1);
        let before = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.is_ok().then(|| Place(Arc::clone(&self.taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let half_open = HalfOpen::new(2);
        let (first, second) = (half_open.place(), half_open.clone().place());
        assert!(first.is_some() && second.is_some() && half_open.place().is_none());
        drop(first);
        assert!(half_open.place().is_some());
    }
}
