//! For tests: this process kills itself at a chosen one of the points it passes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// Dies at the n-th call, where `MSRPRELAY_KILL_AFTER` in the environment says n.
pub(crate) fn kill_point() {
    static LEFT: OnceLock<AtomicI64> = OnceLock::new();
    let left = LEFT.get_or_init(|| {
        let after = std::env::var("MSRPRELAY_KILL_AFTER").ok();
        AtomicI64::new(after.and_then(|n| n.parse().ok()).unwrap_or(i64::MAX))
    });
    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
