//! The engine's configuration, read from the attributes of any object.

use std::time::Duration;

use msrp_relay::{Config, Keepalive, Limits};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Durations in seconds, sizes in bytes; `msrprelay.dataplane.EngineConfig` has the meaning.
#[derive(FromPyObject)]
pub(crate) struct EngineConfig {
    threads: usize,
    gate_seconds: f64,
    join_seconds: f64,
    own_bind_seconds: f64,
    half_closed_seconds: f64,
    reconnect_seconds: f64,
    stalled_chunk_seconds: f64,
    keepalive_idle_seconds: f64,
    keepalive_interval_seconds: f64,
    keepalive_count: u32,
    unacknowledged_seconds: f64,
    closed_window_seconds: f64,
    leg_buffer_bytes: usize,
    buffer_budget_bytes: usize,
    unbound_per_port: usize,
    half_open: usize,
    session_bytes: u64,
    session_rate: u64,
    header_line_bytes: usize,
    header_block_bytes: usize,
    header_count: usize,
    pipe_bytes: usize,
    splice_bodies: bool,
    event_ring: bool,
}

impl EngineConfig {
    pub(crate) fn into_config(self) -> PyResult<Config> {
        Ok(Config {
            threads: self.threads,
            gate: seconds("gate_seconds", self.gate_seconds)?,
            join: seconds("join_seconds", self.join_seconds)?,
            own_bind: seconds("own_bind_seconds", self.own_bind_seconds)?,
            grace: seconds("half_closed_seconds", self.half_closed_seconds)?,
            reconnect: seconds("reconnect_seconds", self.reconnect_seconds)?,
            stall: seconds("stalled_chunk_seconds", self.stalled_chunk_seconds)?,
            keepalive: Keepalive {
                idle: seconds("keepalive_idle_seconds", self.keepalive_idle_seconds)?,
                interval: seconds("keepalive_interval_seconds", self.keepalive_interval_seconds)?,
                count: self.keepalive_count,
            },
            user_timeout: seconds("unacknowledged_seconds", self.unacknowledged_seconds)?,
            closed_window: seconds("closed_window_seconds", self.closed_window_seconds)?,
            buffer_cap: self.leg_buffer_bytes,
            buffer_budget: self.buffer_budget_bytes,
            pipe: self.pipe_bytes,
            splice_bodies: self.splice_bodies,
            unbound_per_port: self.unbound_per_port,
            half_open: self.half_open,
            session_bytes: self.session_bytes,
            session_rate: self.session_rate,
            ring: self.event_ring,
            limits: Limits {
                line: self.header_line_bytes,
                head: self.header_block_bytes,
                headers: self.header_count,
            },
        })
    }
}

/// A Python number of seconds as a duration; ValueError names the one that is none.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|why| PyValueError::new_err(format!("{name}: {why}")))
}
