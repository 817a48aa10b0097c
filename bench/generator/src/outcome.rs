//! What a run did, as JSON.

use std::time::{Duration, Instant};

use serde::Serialize;

/// The work of one run. What a kind of load does not count is 0 or null.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) seconds: f64,
    /// Bytes that arrived at either end.
    pub(crate) bytes: u64,
    /// Frames that arrived at either end.
    pub(crate) messages: u64,
    /// Sessions made and ended.
    pub(crate) sessions: u64,
    /// Round trips, or lives of sessions, in microseconds.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

/// Takes the time of one run.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    started: Instant,
    trips: Vec<Duration>,
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), trips: Vec::new() }
    }

    pub(crate) fn trip(&mut self, trip: Duration) {
        self.trips.push(trip);
    }

    /// `counted` with the times filled in.
    pub(crate) fn stop(mut self, counted: Outcome) -> Outcome {
        let seconds = self.started.elapsed().as_secs_f64();
        self.trips.sort_unstable();
        let (p50_us, p99_us) = (self.quantile(0.5), self.quantile(0.99));
        Outcome { seconds, p50_us, p99_us, ..counted }
    }

    fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.trips.len().checked_sub(1)?;
        let trip = self.trips[(last as f64 * share).round() as usize];
        Some(trip.as_nanos() as f64 / 1000.0)
    }
}
