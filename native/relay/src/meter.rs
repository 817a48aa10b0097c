//! What one session may carry, in all and per second.

use std::time::Duration;

use msrp_proto::Moment;

use crate::config::Config;

/// Counts the bytes of a session that has a limit.
#[derive(Debug)]
pub(crate) struct Meter {
    most: u64,
    rate: u64,
    /// Bytes counted so far.
    counted: u64,
    /// When all of them are paid for, at `rate`. Until then nothing more is read: TCP tells the
    /// senders.
    paid: Moment,
}

impl Meter {
    /// `None` where no limit is set.
    pub(crate) fn new(config: &Config, now: Moment) -> Option<Box<Self>> {
        let (most, rate) = (config.session_bytes, config.session_rate);
        (most > 0 || rate > 0).then(|| Box::new(Self { most, rate, counted: 0, paid: now }))
    }

    /// So many bytes were carried and paid for in a dead process.
    pub(crate) fn inherit(&mut self, total: u64) {
        // Long ago, as far as this process knows.
        (self.counted, self.paid) = (total, Moment::default());
    }

    /// The session has carried `total` bytes; false when that is too much.
    pub(crate) fn count(&mut self, total: u64, now: Moment) -> bool {
        let new = total.saturating_sub(self.counted);
        self.counted = total;
        if self.rate > 0 && new > 0 {
            let price = new.saturating_mul(1_000_000) / self.rate;
            self.paid = self.paid.max(now) + Duration::from_micros(price);
        }
        self.most == 0 || total <= self.most
    }

    /// Until when nothing is read.
    pub(crate) fn pauses(&self, now: Moment) -> Option<Moment> {
        (self.paid > now).then_some(self.paid)
    }

    /// Since when senders have been read again.
    pub(crate) fn resumed(&self) -> Moment {
        self.paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(session_bytes: u64, session_rate: u64, now: Moment) -> Option<Box<Meter>> {
        Meter::new(&Config { session_bytes, session_rate, ..Config::default() }, now)
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        assert!(meter(0, 0, Moment::default()).is_none());
    }

    #[test]
    fn the_rate_is_kept_on_the_average() {
        let start = Moment::default();
        let mut meter = meter(0, 1000, start).unwrap();
        assert!(meter.count(500, start));
        let half = start + Duration::from_millis(500);
        assert_eq!(meter.pauses(start), Some(half));
        assert_eq!(meter.pauses(half), None);
        // Time in which nothing came is not saved up.
        let later = start + Duration::from_secs(60);
        assert!(meter.count(1500, later));
        assert_eq!(meter.pauses(later), Some(later + Duration::from_secs(1)));
    }

    #[test]
    fn the_last_byte_allowed_is_allowed() {
        let now = Moment::default();
        let mut meter = meter(10, 0, now).unwrap();
        assert!(meter.count(10, now));
        assert_eq!(meter.pauses(now), None);
        assert!(!meter.count(11, now));
    }
}
