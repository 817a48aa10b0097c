//! What the control plane says about a session: plain data.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use msrp_proto::session::{Policy, Role, Side};
use serde::{Deserialize, Serialize};

/// A session as its offer leaves.
#[derive(Clone, Debug)]
pub struct OpenSpec {
    /// What becomes of the paths; fixed for the session's life.
    pub policy: Policy,
    /// Offerer's leg, answerer's leg.
    pub legs: [LegOpen; 2],
    /// IP_TOS / IPV6_TCLASS of both legs.
    pub tos: Option<u8>,
    /// Ends the session when nothing moves for so long; `None` = never.
    pub idle: Option<Duration>,
}

/// One leg as the offer leaves.
#[derive(Clone, Debug)]
pub struct LegOpen {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The URI this peer is given as its peer's (aware: its To-Path must be exactly this one).
    pub own_uri: Vec<u8>,
    /// The path this peer gave, leftmost URI first; empty while unknown. At most [`PATH_URIS`] and
    /// [`PATH_OCTETS`].
    pub peer_path: Vec<Vec<u8>>,
    /// Where this peer may come from.
    pub sources: Sources,
}

/// URIs of a path: those of the peer's relays (RFC 4976) and its own. Every chunk for it has them
/// all, so that short ones grow by as much.
pub const PATH_URIS: usize = 32;
/// Octets of a path.
pub const PATH_OCTETS: usize = 4096;

/// No session has such a path.
pub(crate) fn is_too_long(path: &[Vec<u8>]) -> bool {
    let octets = path.iter().map(|uri| uri.len() + 1).sum::<usize>().saturating_sub(1);
    path.len() > PATH_URIS || octets > PATH_OCTETS
}

/// The answer: who connects to whom.
#[derive(Clone, Debug)]
pub struct AnswerSpec {
    /// Offerer's leg, answerer's leg.
    pub legs: [LegAnswer; 2],
}

/// One leg as answered.
#[derive(Clone, Debug)]
pub struct LegAnswer {
    /// Who makes the connection.
    pub role: Role,
    /// The path this peer gave, leftmost URI first. At most [`PATH_URIS`] and [`PATH_OCTETS`].
    pub peer_path: Vec<Vec<u8>>,
    /// Where to dial, for [`Role::Dial`].
    pub target: Target,
    /// Where this peer may come from.
    pub sources: Sources,
    /// Another [`LegOpen::own_uri`], for a peer that learns it by this answer. Without effect once
    /// it is joined.
    pub own_uri: Option<Vec<u8>>,
}

/// Whose connections may show a first frame at all.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Sources {
    /// Everybody's.
    #[default]
    Any,
    /// Those from these addresses.
    Only(Vec<IpAddr>),
    /// The answer will say: until then nobody is judged.
    Pending,
}

impl Sources {
    /// Whether a connection from there may bind; `None` while it is not known.
    pub(crate) fn admit(&self, from: IpAddr) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::Only(addresses) => Some(addresses.contains(&from)),
            Self::Pending => None,
        }
    }
}

/// Where a leg is dialled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Nowhere.
    None,
    /// The name is being resolved; [`Session::set_target`](crate::Session::set_target) follows.
    Pending,
    /// These, one after the other, each once.
    Addrs(Vec<SocketAddr>),
    /// An address that must not be dialled.
    Denied,
}

/// Why a session could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// Whose listener it was.
    pub side: Side,
    /// What the kernel said; `AddrInUse` is a normal outcome of choosing a port. `InvalidInput`:
    /// the path is too long.
    pub source: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot listen for side {}: {}", self.side.as_str(), self.source)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
