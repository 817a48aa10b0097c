//! The bound on what stalled directions of all sessions hold together.
//!
//! The kernel gives back nothing of what is queued, so the budget acts before it is used up: the
//! more of it is taken, the smaller the socket buffers of directions whose receivers have not shown
//! that they take their bytes. A direction pays for what it may come to hold, as soon as it stalls or
//! bulk is on its way to such a receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::sys::tcp::BORN_RECEIVE;

/// One thread's view of it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    held: Arc<AtomicUsize>,
    most: usize,
    /// Of each socket buffer while nothing presses.
    cap: usize,
    /// Legs of this thread may have smaller buffers than they were born with.
    pub(crate) shrunk: bool,
}

/// What one stalled direction has of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

/// What a receiver has shown: who takes much without a pause is not made to pay for the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Credit {
    /// Bytes it has taken since it was slow last; no more than these are counted.
    Earning(u32),
    Earned,
}

/// A receiver that takes nothing for so long is slow. While the budget presses, buffers are looked
/// at as often.
pub(crate) const SLOW: Duration = Duration::from_secs(1);

/// The caps are halved once more with each eighth of the budget that is taken, so often. What was
/// offered to a sender before cannot be taken back: so the last step comes when half is left.
const STEPS: usize = 4;
/// How often the caps are halved for receivers that have earned credit, the budget used up.
const SPENT: u32 = 2;
/// No send buffer is made smaller: the kernel puts one packet of up to 64 KiB beyond it.
const LEAST_SEND: usize = 32 * 1024;
/// No receive buffer is made smaller: below, a window that cannot hold a packet opens late.
const LEAST_RECEIVE: usize = BORN_RECEIVE;
/// Who is sent as much at a stretch is sent more than messages.
const BULK: usize = 64 * 1024;
/// No read is made smaller.
const LEAST_READ: usize = 64 * 1024;

impl Budget {
    pub(crate) fn new(config: &Config) -> Self {
        // An eighth is for what cannot be counted beforehand: where all are filled at once, windows
        // grow before the relay has its turn.
        let (most, cap) = (config.buffer_budget / 8 * 7, config.buffer_cap);
        Self { held: Arc::default(), most, cap, shrunk: false }
    }

    /// Bytes that stalled directions hold, or may come to hold.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How often the caps of a direction are halved at present.
    pub(crate) fn halvings(&self, credit: Credit) -> u32 {
        let held = self.held();
        match credit {
            Credit::Earned if held < self.most => 0,
            Credit::Earned => SPENT,
            // Counted, for a division takes longer.
            Credit::Earning(_) => {
                (1..=STEPS).map(|step| u32::from(held >= self.most / 8 * step)).sum()
            }
        }
    }

    /// Buffers of this thread may have to change.
    pub(crate) fn presses(&self) -> bool {
        self.shrunk || self.halvings(Credit::default()) > 0
    }

    /// Of a socket buffer that nobody made smaller.
    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    pub(crate) fn send_cap(&self, halvings: u32) -> usize {
        self.halved(halvings, LEAST_SEND)
    }

    pub(crate) fn receive_cap(&self, halvings: u32) -> usize {
        self.halved(halvings, LEAST_RECEIVE)
    }

    fn halved(&self, halvings: u32, least: usize) -> usize {
        (self.cap >> halvings).max(least.min(self.cap))
    }

    /// How much a direction reads at once, of at most `most`: it keeps what its receiver does not
    /// take.
    pub(crate) fn portion(&self, most: usize, credit: Credit) -> usize {
        if self.halvings(credit) > 0 { most.min(LEAST_READ) } else { most }
    }

    /// Bytes a receiver has to take until it is trusted: more than what can be on the way to one
    /// that reads nothing.
    pub(crate) fn trusted_after(&self) -> usize {
        (2 * self.cap).min(u32::MAX as usize)
    }

    /// Takes a part of it, which may be more than is left.
    #[must_use]
    pub(crate) fn share(&self, bytes: usize) -> Share {
        // Threads meet here once per stall: an order between them is not needed.
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Share { held: Arc::clone(&self.held), bytes }
    }
}

impl Share {
    /// The direction holds this much instead.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Credit {
    /// The receiver has taken so many bytes.
    pub(crate) fn earn(&mut self, bytes: usize) {
        if let Self::Earning(taken) = self {
            *taken = taken.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// Bulk is on its way to a receiver that may be slow.
    pub(crate) fn is_due(&self) -> bool {
        matches!(self, Self::Earning(taken) if *taken as usize >= BULK)
    }

    /// Whether it has just earned it.
    pub(crate) fn matures(&mut self, after: usize) -> bool {
        let matures = matches!(self, Self::Earning(taken) if *taken as usize >= after);
        if matures {
            *self = Self::Earned;
        }
        matures
    }
}

impl Default for Credit {
    fn default() -> Self {
        Self::Earning(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn budget(most: usize) -> Budget {
        Budget { held: Arc::default(), most, cap: 512 * KIB, shrunk: false }
    }

    #[test]
    fn caps_shrink_in_steps_to_a_floor() {
        let budget = budget(800);
        let caps = [0, 99, 100, 200, 300, 400, 5000].map(|held| {
            let _share = budget.share(held);
            let halvings = budget.halvings(Credit::default());
            (budget.send_cap(halvings) / KIB, budget.receive_cap(halvings) / KIB)
        });
        let floor = (32, 128);
        assert_eq!(caps, [(512, 512), (512, 512), (256, 256), (128, 128), (64, 128), floor, floor]);
    }

    #[test]
    fn what_is_small_already_stays() {
        let small = Config { buffer_cap: 16 * KIB, buffer_budget: 0, ..Config::default() };
        let budget = Budget::new(&small);
        assert_eq!((budget.send_cap(4), budget.receive_cap(4)), (16 * KIB, 16 * KIB));
    }

    #[test]
    fn shares_are_corrected_and_given_back() {
        let budget = budget(100);
        let mut first = budget.share(30);
        let second = budget.clone().share(80);
        assert_eq!(budget.held(), 110);
        first.set(10);
        assert_eq!(budget.held(), 90);
        drop((first, second));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn who_has_earned_credit_keeps_its_buffers_until_the_budget_is_used_up() {
        let budget = budget(800);
        let mut share = budget.share(799);
        assert_eq!(budget.halvings(Credit::Earned), 0);
        assert_eq!(budget.portion(256 * KIB, Credit::Earned), 256 * KIB);
        assert_eq!(budget.portion(256 * KIB, Credit::default()), 64 * KIB);
        share.set(800);
        assert_eq!(budget.send_cap(budget.halvings(Credit::Earned)), 128 * KIB);
    }

    #[test]
    fn credit_is_earned_once_by_bytes() {
        let mut credit = Credit::default();
        credit.earn(60);
        assert!(!credit.matures(100));
        credit.earn(usize::MAX);
        assert!(credit.matures(100));
        assert!(!credit.matures(100));
        assert_eq!(credit, Credit::Earned);
    }

    #[test]
    fn bulk_is_on_credit_until_that_is_earned() {
        let mut credit = Credit::Earning(BULK as u32 - 1);
        assert!(!credit.is_due());
        credit.earn(1);
        assert!(credit.is_due());
        assert!(credit.matures(BULK) && !credit.is_due());
    }

    #[test]
    fn without_a_bound_nothing_presses() {
        let budget = budget(usize::MAX);
        let _share = budget.share(1 << 40);
        assert!(!budget.presses());
    }
}
