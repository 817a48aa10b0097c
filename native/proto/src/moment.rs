use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment of a clock that does not go back, to the nanosecond; the machine's, by convention, so
/// that it means the same in the process that continues another one's sessions.
///
/// [`std::time::Instant`] would be this but for being opaque: it cannot be handed on.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Moment(u64);

impl Moment {
    /// So many nanoseconds after the clock's zero.
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time since `earlier`; zero if that is later.
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates: 584 years after the clock's zero stands for ever.
    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    /// Saturates at the clock's zero.
    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, wait: Duration) {
        *self = *self + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_away_is_for_ever() {
        let now = Moment::from_nanos(7);
        assert_eq!(now + Duration::MAX, Moment::from_nanos(u64::MAX));
        assert_eq!((now + Duration::MAX).saturating_duration_since(now).as_secs(), 18_446_744_073);
        assert_eq!(now.saturating_duration_since(now + Duration::from_nanos(1)), Duration::ZERO);
        assert_eq!(now - Duration::from_nanos(5), Moment::from_nanos(2));
        assert_eq!(now - Duration::MAX, Moment::default());
    }
}
