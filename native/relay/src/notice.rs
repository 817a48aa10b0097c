//! What the engine tells the control plane.

use msrp_proto::session::NoticeKind;

/// Something happened to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Notice {
    /// [`Session::id`](crate::Session::id).
    pub session: u64,
    /// What.
    pub what: NoticeKind,
}
