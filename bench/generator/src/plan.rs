//! What the driver asks for: one JSON file, read at the start.

use std::net::SocketAddr;

use serde::Deserialize;

/// The sessions and what is to flow through them.
#[derive(Debug, Deserialize)]
pub(crate) struct Plan {
    /// Where right ends are accepted, for systems that dial the second leg.
    pub(crate) listen: Option<SocketAddr>,
    /// The system answers every SEND itself, as an RFC 4976 relay may; a right end has to make
    /// itself known before anything can be sent to it.
    pub(crate) answers_itself: bool,
    pub(crate) sessions: Vec<Session>,
    pub(crate) load: Load,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) left: Endpoint,
    pub(crate) right: Endpoint,
}

/// One end: where it connects, and what it writes into its path headers.
#[derive(Debug, Deserialize)]
pub(crate) struct Endpoint {
    /// None: it is accepted.
    pub(crate) connect: Option<SocketAddr>,
    pub(crate) to: String,
    pub(crate) from: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Load {
    /// As many bytes as go through, from left to right or both ways.
    Bulk { content: Content, both_ways: bool },
    /// Requests of so many bytes, each answered by so many; so many without an answer at a time.
    Chat { request: usize, response: usize, window: usize },
    /// Sessions made and ended, so many at a time, one request and one response in each.
    Setup { request: usize, response: usize, parallel: usize },
    /// Writes into a session whose other end does not read.
    Stall,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Content {
    /// No MSRP at all after the first frame.
    Opaque,
    /// Chunks with bodies of `body` bytes, parts of messages of `message` bytes. `explicit`: the
    /// end of the range is given; else it is `*`.
    Chunks { body: usize, message: usize, explicit: bool },
}
