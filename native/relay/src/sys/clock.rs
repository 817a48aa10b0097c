//! The machine's monotonic clock.

use msrp_proto::Moment;

use rustix::time::{ClockId, clock_gettime};

/// Now. Every process of this boot reads the same clock.
pub(crate) fn now() -> Moment {
    let now = clock_gettime(ClockId::Monotonic);
    Moment::from_nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}
