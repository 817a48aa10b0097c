//! Why a session, or one of its legs, ended: one variant per cause, a code for machines and a
//! sentence for humans.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Side;

/// Why a session ended. `Side` names who caused it, or who is missing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub enum CloseReason {
    /// It carried as many bytes as one session may.
    ByteLimit,
    /// A chunk of this side stood still too long although we were willing to read it.
    ChunkStalled(Side),
    /// This side ended its connection in the middle of a chunk.
    CutChunk(Side),
    /// The SIP side deleted the call.
    Deleted,
    /// This side had to be dialled and its address is one we never dial.
    DialDenied(Side),
    /// This side had to be dialled and none of its addresses took the connection.
    DialFailed(Side),
    /// The relay shuts down.
    Drained,
    /// The longest life of a session is over.
    FinalTimeout,
    /// This side closed its connection first.
    Hangup(Side),
    /// Nothing was sent for longer than the session may be idle.
    Idle,
    /// An error or a panic inside the relay.
    Internal,
    /// Neither side connected in time after the answer.
    JoinTimeout,
    /// This side did not connect in time after the answer.
    LegMissing(Side),
    /// This side sent bytes that are not MSRP.
    Malformed(Side),
    /// The offer was never answered.
    OfferTimeout,
    /// This side refused the relay's own bind SEND, or hung up on it.
    OwnBindRefused(Side),
    /// This side never answered the relay's own bind SEND.
    OwnBindTimeout(Side),
    /// This side reset its connection.
    PeerReset(Side),
    /// This side no longer acknowledges anything.
    PeerTimeout(Side),
    /// The operator ended the session.
    Terminated,
}

impl CloseReason {
    /// Every reason once, sided ones with [`Side::A`], in the order of [`index`](Self::index).
    pub const ALL: [Self; 20] = [
        Self::ByteLimit,
        Self::ChunkStalled(Side::A),
        Self::CutChunk(Side::A),
        Self::Deleted,
        Self::DialDenied(Side::A),
        Self::DialFailed(Side::A),
        Self::Drained,
        Self::FinalTimeout,
        Self::Hangup(Side::A),
        Self::Idle,
        Self::Internal,
        Self::JoinTimeout,
        Self::LegMissing(Side::A),
        Self::Malformed(Side::A),
        Self::OfferTimeout,
        Self::OwnBindRefused(Side::A),
        Self::OwnBindTimeout(Side::A),
        Self::PeerReset(Side::A),
        Self::PeerTimeout(Side::A),
        Self::Terminated,
    ];

    /// Position in [`ALL`](Self::ALL), for tables of counters.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|other| other.as_str() == self.as_str()).unwrap_or_default()
    }

    /// The machine-readable code; it does not say the side.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Who did it, or who is missing, where one side is named.
    pub fn side(self) -> Option<Side> {
        self.row().1
    }

    /// One sentence for an operator.
    pub fn sentence(self) -> String {
        match self.row() {
            (_, Some(side), rest) => format!("{} {rest}", side.title()),
            (_, None, whole) => whole.to_owned(),
        }
    }

    /// A connection that was joined ended by itself: its peer may come again.
    pub(super) fn is_loss(self) -> bool {
        matches!(
            self,
            Self::ChunkStalled(_)
                | Self::CutChunk(_)
                | Self::Hangup(_)
                | Self::Malformed(_)
                | Self::PeerReset(_)
                | Self::PeerTimeout(_)
        )
    }

    /// Code, side, and the sentence (after the side's name, where there is one).
    fn row(self) -> (&'static str, Option<Side>, &'static str) {
        match self {
            Self::ByteLimit => {
                ("byte-limit", None, "The session had carried as many bytes as one may.")
            }
            Self::ChunkStalled(side) => (
                "chunk-stalled",
                Some(side),
                "stopped in the middle of a chunk and sent nothing more.",
            ),
            Self::CutChunk(side) => {
                ("cut-chunk", Some(side), "closed its connection in the middle of a chunk.")
            }
            Self::Deleted => ("deleted", None, "The SIP side deleted the call."),
            Self::DialDenied(side) => (
                "dial-denied",
                Some(side),
                "waits to be dialled at an address the relay must not dial.",
            ),
            Self::DialFailed(side) => {
                ("dial-failed", Some(side), "could not be dialled at any of its addresses.")
            }
            Self::Drained => ("drained", None, "The relay shut down."),
            Self::FinalTimeout => {
                ("final-timeout", None, "The longest life of a session was over.")
            }
            Self::Hangup(side) => ("hangup", Some(side), "closed its connection."),
            Self::Idle => {
                ("idle", None, "Nothing was sent for longer than the session may be idle.")
            }
            Self::Internal => ("internal", None, "The relay met an error of its own."),
            Self::JoinTimeout => {
                ("join-timeout", None, "Neither side connected in time after the answer.")
            }
            Self::LegMissing(side) => {
                ("leg-missing", Some(side), "did not connect in time after the answer.")
            }
            Self::Malformed(side) => ("malformed", Some(side), "sent bytes that are not MSRP."),
            Self::OfferTimeout => ("offer-timeout", None, "The offer was never answered."),
            Self::OwnBindRefused(side) => {
                ("own-bind-refused", Some(side), "refused the relay's own bind SEND.")
            }
            Self::OwnBindTimeout(side) => (
                "own-bind-timeout",
                Some(side),
                "did not answer the relay's own bind SEND in time.",
            ),
            Self::PeerReset(side) => ("peer-reset", Some(side), "reset its connection."),
            Self::PeerTimeout(side) => {
                ("peer-timeout", Some(side), "no longer acknowledged anything.")
            }
            Self::Terminated => ("terminated", None, "The operator ended the session."),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.sentence())
    }
}

/// Why one leg's connection ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub enum LegReason {
    /// The relay reset it because the other leg, or the session, failed.
    Aborted,
    /// The relay ended it politely with the session.
    Ended,
    /// The peer closed it (FIN).
    Fin,
    /// The peer sent bytes that are not MSRP.
    Malformed,
    /// A new connection of the same side took its place.
    Replaced,
    /// The peer reset it (RST).
    Reset,
    /// A chunk of the peer stood still too long.
    Stalled,
    /// The peer no longer acknowledged anything.
    Timeout,
}

impl LegReason {
    /// The machine-readable code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Ended => "ended",
            Self::Fin => "fin",
            Self::Malformed => "malformed",
            Self::Replaced => "replaced",
            Self::Reset => "reset",
            Self::Stalled => "stalled",
            Self::Timeout => "timeout",
        }
    }
}
