//! What a session is told, what it tells the caller to do, and what the control plane learns.

use std::time::Duration;

use super::{Aim, CloseReason, LegReason, Plan, Side};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// The answer is known, for the first time or again (late 200, fork, re-offer before the join).
    Answered([Plan; 2]),
    /// The peer of this side has a re-offer: it may come by another connection before its answer is
    /// known.
    Reoffered(Side),
    /// That re-offer is over. If no [`Input::Answered`] before has moved the peer, it was answered
    /// without a change, or rejected.
    Settled(Side),
    /// The target of a side that was [`Aim::Pending`] is settled.
    Aimed(Side, Aim),
    /// A connection on this side's listener began with a valid request. After the join it has taken
    /// the place of what was dialled for this side.
    Bound {
        /// The side whose listener it was.
        side: Side,
        /// That first request has a body.
        body: bool,
    },
    /// [`Output::Dial`] succeeded.
    Connected(Side),
    /// [`Output::Dial`] failed at every address.
    DialFailed(Side),
    /// The peer answered [`Output::SendBind`].
    OwnBindAnswered {
        /// The dialled side.
        side: Side,
        /// The answer was a 200.
        accepted: bool,
    },
    /// The peer's FIN. Joined: everything before it has been handed to the other side.
    Fin {
        /// Who sent it.
        side: Side,
        /// It does not cut a chunk (always true where chunks are not seen).
        whole: bool,
    },
    /// The connection is of no use any more: anything but a FIN.
    Broken(Side, LegReason),
    /// The new connection of a joined side is of no use any more, and has not taken over.
    NewBroken(Side),
    /// Nothing moved for as long as the session may be idle.
    Idle,
    /// The control plane ends the session; what is in flight may go on for `linger`.
    Close {
        /// Why.
        reason: CloseReason,
        /// How long bytes are still relayed.
        linger: Duration,
    },
    /// After [`Output::Part`]: no connection is left.
    Parted,
    /// Another process than before goes on with the session: what was to be done and was not is
    /// asked for again.
    Resumed,
    /// The session has carried as many bytes as one may.
    Spent,
    /// Bytes are relayed again, after a time in which they were not at the control plane's wish.
    Unpaused,
    /// After [`Output::Replace`]: the new connection carries this side.
    Replaced(Side),
    /// [`Session::deadline`](super::Session::deadline) has passed. Early or repeated ones do no harm.
    Timeout,
    /// The caller cannot go on with this session.
    Fault,
}

/// What the caller must do now, in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output {
    /// Reset every connection (RST), close listeners and dials; listeners stay where the session
    /// waits for its peers to come again.
    Abort,
    /// Drop the dial of this side, however far it came; after the join also a new connection that
    /// has not taken over.
    CancelDial(Side),
    /// Close both connections: both directions have ended. Close listeners and dials, as above.
    Close,
    /// Close the listener of this side; connections already accepted go on through the gate.
    CloseListener(Side),
    /// Connect to this side's targets, one after the other, each once.
    Dial(Side),
    /// Forget this side's connection: its peer has left.
    Drop(Side),
    /// Move bytes both ways. Until now neither bound leg was read any further, so that the kernel
    /// holds back a peer that sends before the other is there.
    Join,
    /// Open this side's listener again at its old address.
    Listen(Side),
    /// Tell the control plane.
    Notify(NoticeKind),
    /// Stop relaying: write out what was read, send FIN, throw further input away until the peer's
    /// FIN, then [`Input::Parted`]. A leg whose output ends inside a chunk is reset instead.
    /// Close listeners and dials.
    Part,
    /// Let the new connection of this side take over at the first place where neither direction is
    /// inside a chunk (at once where the old one is gone), then [`Input::Replaced`].
    Replace(Side),
    /// Send the relay's own bind SEND to the connection of this side that was dialled last.
    SendBind(Side),
    /// Send FIN to this side: all that was for it has been written.
    ShutdownWrite(Side),
    /// The old connection of this side is over, the session is not: let go of it. A chunk it cut is
    /// closed for the other side with `#`; what was still for it is lost.
    Vacate(Side),
}

/// What the control plane is told. Nothing that a stranger can cause at will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoticeKind {
    /// An answer named another peer for a leg that is joined, and that one did not come or cannot
    /// be taken; the leg keeps its connection.
    AnswerIgnored(Side),
    /// The leg has its connection.
    Bound(Side),
    /// The session is over; always the last one, exactly once.
    Closed(CloseReason),
    /// No address of this side took the connection. Where it is told without [`Input::DialFailed`],
    /// the one that was tried last has not answered in time.
    DialFailed(Side),
    /// Bytes move both ways.
    Joined,
    /// The leg's connection ended.
    LegLost(Side, LegReason),
    /// Both legs are lost for this reason; their listeners are open again for a while.
    Reconnecting(CloseReason),
    /// Another connection has taken the leg over.
    Renewed(Side),
}
