//! What an engine is started with. The control plane owns the defaults an operator sees; these are
//! the same values.

use std::time::Duration;

use msrp_proto::session::Timers;
use msrp_proto::{Limits, PathPair, Position, Rewriter};

/// Engine-wide settings, fixed at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads that move bytes, at least 1.
    pub threads: usize,
    /// From accept, or from when its first frame can be judged if that is later, to a complete first
    /// header block.
    pub gate: Duration,
    /// From the answer until both legs are bound.
    pub join: Duration,
    /// From the relay's own bind SEND until its 200.
    pub own_bind: Duration,
    /// What the other direction gets after a FIN, and a peer to end its connection after ours.
    pub grace: Duration,
    /// How long the listeners of a session whose legs were lost stay open; zero: not at all.
    pub reconnect: Duration,
    /// Aware: a chunk without progress from a sender we are willing to read.
    pub stall: Duration,
    /// TCP keepalive of every leg.
    pub keepalive: Keepalive,
    /// Data unacknowledged while the peer's window is open; zero: as long as the kernel likes.
    pub user_timeout: Duration,
    /// Data unacknowledged while the peer's window is closed. A slow reader is alive, but one that
    /// reads nothing at all for so long is taken for dead.
    pub closed_window: Duration,
    /// Cap of each socket's receive and send buffer, in bytes as the kernel counts them
    /// (it doubles what it is asked for).
    pub buffer_cap: usize,
    /// Bytes that stalled directions of all sessions may hold together. The nearer it comes, the
    /// smaller the buffers of slow receivers; no session ends by it.
    pub buffer_budget: usize,
    /// Size of the pipes that opaque bulk goes through, in bytes; what the kernel refuses to one
    /// user is done without. Below 64 KiB none is used.
    pub pipe: usize,
    /// Aware: the rest of a large body whose range has an explicit end goes through a pipe, unseen.
    /// A sender that aborts such a chunk early breaks its own session.
    pub splice_bodies: bool,
    /// Connections that may wait at one port for their first frame, 1 to 100.
    pub unbound_per_port: usize,
    /// Connections that may wait for their first frame at all ports together.
    pub half_open: usize,
    /// Bytes of one session, both directions, that end it; 0: never.
    pub session_bytes: u64,
    /// Bytes per second of one session, both directions; 0: as fast as its peers can.
    pub session_rate: u64,
    /// Keep the event ring of every session (under 1 KiB each).
    pub ring: bool,
    /// Bounds on header lines and blocks.
    pub limits: Limits,
}

/// TCP keepalive: a silent peer is probed after `idle`, every `interval`.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// Silence before the first probe; whole seconds.
    pub idle: Duration,
    /// Between two probes; whole seconds.
    pub interval: Duration,
    /// Unanswered probes that end the connection, where `user_timeout` is zero.
    pub count: u32,
}

impl Config {
    /// The timers of every session's life.
    pub(crate) fn timers(&self) -> Timers {
        let Self { join, own_bind, grace, reconnect, .. } = *self;
        Timers { join, own_bind, grace, reconnect }
    }

    /// A rewriter at the start of one direction, or where another one stood.
    pub(crate) fn rewriter(&self, paths: PathPair, position: Option<&Position>) -> Rewriter {
        let rewriter = match position {
            Some(position) => Rewriter::resume(paths, self.limits, position),
            None => Rewriter::new(paths, self.limits),
        };
        if self.splice_bodies { rewriter.trusting_ranges() } else { rewriter }
    }

    /// Every how often the window of a slow reader is looked at: its timeout is to be another one
    /// before it ends. Where there is none, or hardly any, often enough.
    pub(crate) fn sweep(&self) -> Duration {
        match self.user_timeout {
            Duration::ZERO => Duration::from_secs(15),
            timeout => (timeout / 4).max(Duration::from_millis(50)),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 1,
            gate: Duration::from_secs(10),
            join: Duration::from_secs(30),
            own_bind: Duration::from_secs(10),
            grace: Duration::from_secs(5),
            reconnect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            keepalive: Keepalive {
                idle: Duration::from_secs(60),
                interval: Duration::from_secs(10),
                count: 3,
            },
            user_timeout: Duration::from_secs(60),
            closed_window: Duration::from_secs(15 * 60),
            buffer_cap: 512 * 1024,
            buffer_budget: usize::MAX,
            pipe: 1024 * 1024,
            splice_bodies: false,
            unbound_per_port: 4,
            half_open: 10_000,
            session_bytes: 0,
            session_rate: 0,
            ring: true,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_are_swept_now_and_then_whatever_the_timeout() {
        for (timeout, sweep) in [(60_000, 15_000), (400, 100), (1, 50), (0, 15_000)] {
            let user_timeout = Duration::from_millis(timeout);
            let config = Config { user_timeout, ..Config::default() };
            assert_eq!(config.sweep(), Duration::from_millis(sweep), "{timeout} ms");
        }
    }
}
