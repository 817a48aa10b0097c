//! How a session stands.

use super::{CloseReason, Session, Side, Stage, State};

impl Session {
    /// The stage, for reports.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::Pairing(pairing) if pairing.lost_to().is_some() => Stage::Reconnecting,
            State::Pairing(pairing) if pairing.is_answered() => Stage::Answered,
            State::Pairing(_) => Stage::Offered,
            State::Joined { .. } => Stage::Joined,
            State::HalfClosed { .. } | State::Lingering { .. } | State::Parting { .. } => {
                Stage::Draining
            }
            State::Closed => Stage::Closed,
        }
    }

    /// Why it is being ended, once that is decided, or will be if nobody comes back.
    pub fn ending(&self) -> Option<CloseReason> {
        match &self.state {
            State::Pairing(pairing) => pairing.lost_to(),
            State::Lingering { reason, .. } | State::Parting { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// A connection has some time to say the rest, as one side has ended or its peer has moved: as
    /// long as nothing is relayed, that time does not go on.
    pub fn waits_for_bytes(&self) -> bool {
        match &self.state {
            State::HalfClosed { .. } => true,
            State::Joined { renewals } => renewals.wait_for_bytes(),
            _ => false,
        }
    }

    /// Nothing is relayed any more, connections are being ended.
    pub fn is_parting(&self) -> bool {
        matches!(self.state, State::Parting { .. })
    }

    /// True while a valid first frame on this side's listener is welcome; else it gets 506.
    pub fn wants(&self, side: Side) -> bool {
        match &self.state {
            State::Pairing(pairing) => pairing.wants(side),
            State::Joined { renewals } => renewals.wants(side),
            _ => false,
        }
    }

    /// Whether first frames on this side's listener wait for the answer to a re-offer.
    pub fn is_asked(&self, side: Side) -> bool {
        matches!(&self.state, State::Joined { renewals } if renewals.is_asked(side))
    }

    /// Joined, and this side waits for another connection than the one it has, or had: its peer has
    /// moved.
    pub fn is_moving(&self, side: Side) -> bool {
        matches!(&self.state, State::Joined { renewals } if renewals.is_moving(side))
    }
}
