//! The words of a session: its sides, who connects, what becomes of paths, how far it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which end of a session: `A` made the first offer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Side {
    /// The offerer's side.
    A,
    /// The answerer's side.
    B,
}

impl Side {
    /// Both, offerer first.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The opposite side.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for `A`, 1 for `B`.
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    /// The code: `a` or `b`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::A => "Side a",
            Self::B => "Side b",
        }
    }
}

/// Who makes a leg's TCP connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Role {
    /// The peer dials, the relay accepts.
    Accept,
    /// The relay dials. Its listener stays open until the leg is bound, in case the peer dials too.
    Dial,
}

impl Role {
    /// The code: `accept` or `dial`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Dial => "dial",
        }
    }
}

/// What becomes of the paths in MSRP frames; fixed for the life of a session.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Policy {
    /// The relay is each peer's peer: To-Path and From-Path are rewritten.
    Aware,
    /// Bytes untouched, RFC 6714.
    Cema,
    /// Bytes untouched, the peers compare session-ids only.
    Sessmatch,
}

impl Policy {
    /// True where the relay reads chunks and may send frames of its own after the join.
    pub fn is_aware(self) -> bool {
        self == Self::Aware
    }

    /// The code: `aware`, `cema` or `sessmatch`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aware => "aware",
            Self::Cema => "cema",
            Self::Sessmatch => "sessmatch",
        }
    }
}

/// How long a session waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers {
    /// From the answer until both legs are bound.
    pub join: Duration,
    /// From the relay's own bind SEND until its answer.
    pub own_bind: Duration,
    /// What the other direction gets after one side's FIN, and what a peer gets to end its
    /// connection after ours.
    pub grace: Duration,
    /// How long the peers of a lost session may come again by themselves; zero: not at all.
    pub reconnect: Duration,
}

/// The stage a session is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Waiting for the answer.
    Offered,
    /// Waiting for both legs to be bound.
    Answered,
    /// Bytes move both ways.
    Joined,
    /// Both legs were lost and their listeners are open again, in case the peers come back.
    Reconnecting,
    /// Ending: one direction finished, or the session was closed and is being drained.
    Draining,
    /// Over.
    Closed,
}

impl Stage {
    /// Every stage once, in order of life.
    pub const ALL: [Self; 6] = [
        Self::Offered,
        Self::Answered,
        Self::Joined,
        Self::Reconnecting,
        Self::Draining,
        Self::Closed,
    ];

    /// The code, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Answered => "answered",
            Self::Joined => "joined",
            Self::Reconnecting => "reconnecting",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }
}
