//! The state of a session as plain data: what a successor reads to build it again.

use std::net::SocketAddr;
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::{self, LegReason, Policy, Role};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::spec::Sources;

/// `L` is the life of the session, or a reference to it.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct State<L> {
    pub(crate) policy: Policy,
    pub(crate) tos: Option<u8>,
    pub(crate) idle: Option<Duration>,
    pub(crate) opened: Moment,
    pub(crate) life: L,
    /// Bytes move both ways.
    pub(crate) joined: bool,
    pub(crate) paused: bool,
    /// From A, from B: when bytes had moved, or could again, when this was written.
    pub(crate) moved: [Moment; 2],
    pub(crate) ends: [EndState; 2],
}

/// One side.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct EndState {
    pub(crate) own_uri: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) sources: Sources,
    pub(crate) local: SocketAddr,
    pub(crate) role: Option<Role>,
    /// Bytes in, bytes out and chunks of connections before the present one.
    pub(crate) earlier: [u64; 3],
    pub(crate) leg: Option<ConnectionState>,
    /// How that was lost, until everything that follows from it is done.
    pub(crate) lost: Option<LegReason>,
    /// The listener's token, where there is one.
    pub(crate) listener: Option<u32>,
    /// On the way to a connection: see `pair::approach::Approach`.
    pub(crate) targets: Vec<SocketAddr>,
    pub(crate) expected: Vec<u8>,
    pub(crate) dial: Option<DialState>,
    pub(crate) own_bind: Option<OwnBindState>,
    pub(crate) fresh: Option<ConnectionState>,
    pub(crate) replacing: bool,
}

/// A connection.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct ConnectionState {
    pub(crate) token: u32,
    pub(crate) origin: Role,
    pub(crate) peer: Option<SocketAddr>,
    /// Bytes at its beginning that belong to the relay itself: the answer to its own bind SEND, and
    /// that SEND.
    pub(crate) prologue: [u32; 2],
}

/// A dial under way.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct DialState {
    /// The address that is tried, and those behind it.
    pub(crate) rest: Vec<SocketAddr>,
    /// What the first of them has; `None` where there was no descriptor to try it with.
    pub(crate) until: Option<Moment>,
}

/// The relay's own bind SEND: its transaction and its message.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct OwnBindState {
    pub(crate) tid: [u8; 32],
    pub(crate) message_id: [u8; 32],
}

impl<L: Serialize> State<L> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Plain data into memory: there is nothing that could fail.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

impl<L: DeserializeOwned> State<L> {
    /// `None` for what [`encode`](Self::encode) has not given.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        postcard::from_bytes(octets).ok()
    }
}

/// As it is read.
pub(crate) type Written = State<session::Session>;
