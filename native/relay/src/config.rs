//! What an engine is started with. The control plane owns the defaults an operator sees; these are
//! the same values.

use std::time::Duration;

use msrp_proto::Limits;

/// Engine-wide settings, fixed at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads that move bytes, at least 1.
    pub threads: usize,
    /// From accept to a complete first header block.
    pub gate: Duration,
    /// From the answer until both legs are bound.
    pub join: Duration,
    /// From the relay's own bind SEND until its 200.
    pub own_bind: Duration,
    /// What the other direction gets after a FIN, and a peer to end its connection after ours.
    pub grace: Duration,
    /// Aware: a chunk without progress from a sender we are willing to read.
    pub stall: Duration,
    /// TCP keepalive of every leg.
    pub keepalive: Keepalive,
    /// Data unacknowledged while the peer's window is open.
    pub user_timeout: Duration,
    /// Cap of each socket's receive and send buffer, in bytes as the kernel counts them
    /// (it doubles what it is asked for).
    pub buffer_cap: usize,
    /// Connections that may wait at one port for their first frame, 1 to 100.
    pub unbound_per_port: usize,
    /// Keep the event ring of every session (under 1 KiB each).
    pub ring: bool,
    /// Bounds on header lines and blocks.
    pub limits: Limits,
}

/// TCP keepalive: a silent peer is probed after `idle`, every `interval`, `count` times.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// Silence before the first probe; whole seconds.
    pub idle: Duration,
    /// Between two probes; whole seconds.
    pub interval: Duration,
    /// Unanswered probes that end the connection.
    pub count: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 1,
            gate: Duration::from_secs(10),
            join: Duration::from_secs(30),
            own_bind: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            stall: Duration::from_secs(60),
            keepalive: Keepalive {
                idle: Duration::from_secs(60),
                interval: Duration::from_secs(10),
                count: 3,
            },
            user_timeout: Duration::from_secs(60),
            buffer_cap: 512 * 1024,
            unbound_per_port: 4,
            ring: true,
            limits: Limits::default(),
        }
    }
}
