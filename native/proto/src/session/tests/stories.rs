//! Before the join: a table of events, each with what must follow.

use super::*;

/// Events, each with what must follow.
pub(super) type Course = Vec<(Input, Vec<Output>)>;
/// A row of the table.
pub(super) type Story = (&'static str, Policy, Course);

pub(super) fn stories() -> Vec<Story> {
    use Policy::{Aware, Sessmatch};
    vec![
        (
            "both dial in: joined by the second bind",
            Aware,
            vec![
                (answered(ACCEPT, ACCEPT), vec![]),
                (bound(A), bound_out(A)),
                (bound(B), bound_and_joined(B)),
            ],
        ),
        (
            "both bound before the answer: joined by it",
            Aware,
            vec![
                (bound(B), bound_out(B)),
                (bound(A), bound_out(A)),
                (answered(ACCEPT, ACCEPT), vec![Output::Join, told(NoticeKind::Joined)]),
            ],
        ),
        (
            "a passive answerer is dialled when the offerer has bound",
            Aware,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (Input::Connected(B), bound_and_joined(B)),
            ],
        ),
        (
            "the answer comes after the bind",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (answered(ACCEPT, DIAL), vec![Output::Dial(B)]),
                (Input::Connected(B), bound_and_joined(B)),
            ],
        ),
        (
            "a passive offerer is dialled when the answerer has bound",
            Aware,
            vec![
                (answered(DIAL, ACCEPT), vec![]),
                (bound(B), [bound_out(B), vec![Output::Dial(A)]].concat()),
                (Input::Connected(A), bound_and_joined(A)),
            ],
        ),
        (
            "a first frame with a body needs our bind first",
            Aware,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound_with_body(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (Input::Connected(B), vec![Output::SendBind(B)]),
                (own_bind(B, true), bound_and_joined(B)),
            ],
        ),
        (
            "opaque: nothing of ours is sent",
            Sessmatch,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound_with_body(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (Input::Connected(B), bound_and_joined(B)),
            ],
        ),
        (
            "two passive peers are dialled at once and each gets our bind",
            Aware,
            vec![
                (answered(DIAL, DIAL), vec![Output::Dial(A), Output::Dial(B)]),
                (Input::Connected(B), vec![Output::SendBind(B)]),
                (own_bind(B, true), bound_out(B)),
                (Input::Connected(A), vec![Output::SendBind(A)]),
                (own_bind(A, true), bound_and_joined(A)),
            ],
        ),
        (
            "a refused bind of ours ends the session",
            Aware,
            vec![
                (answered(DIAL, DIAL), vec![Output::Dial(A), Output::Dial(B)]),
                (Input::Connected(B), vec![Output::SendBind(B)]),
                (own_bind(B, false), vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::OwnBindRefused(B))),
            ],
        ),
        (
            "hanging up on our bind is refusing it",
            Aware,
            vec![
                (answered(DIAL, DIAL), vec![Output::Dial(A), Output::Dial(B)]),
                (Input::Connected(B), vec![Output::SendBind(B)]),
                (fin(B), vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::OwnBindRefused(B))),
            ],
        ),
        (
            "a valid bind on the listener cancels the dial",
            Aware,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (bound(B), [vec![Output::CancelDial(B)], bound_and_joined(B)].concat()),
                (Input::Connected(B), vec![]),
            ],
        ),
        (
            "a second bind on a bound leg changes nothing",
            Aware,
            vec![
                (answered(ACCEPT, ACCEPT), vec![]),
                (bound(A), bound_out(A)),
                (bound_with_body(A), vec![]),
            ],
        ),
        (
            "a resolved name is dialled",
            Aware,
            vec![
                (answered(ACCEPT, (Role::Dial, Aim::Pending)), vec![]),
                (bound(A), bound_out(A)),
                (Input::Aimed(B, Aim::Ready), vec![Output::Dial(B)]),
                (Input::Aimed(B, Aim::Denied), vec![]),
            ],
        ),
        (
            "a failed dial is told once and not repeated by the same answer",
            Aware,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (Input::DialFailed(B), vec![told(NoticeKind::DialFailed(B))]),
                (answered(ACCEPT, DIAL), vec![]),
                (renewed(false, true, [ACCEPT, DIAL]), vec![Output::Dial(B)]),
            ],
        ),
        (
            "a fork's answer dials the other peer instead",
            Aware,
            vec![
                (answered(ACCEPT, DIAL), vec![]),
                (bound_with_body(A), [bound_out(A), vec![Output::Dial(B)]].concat()),
                (Input::Connected(B), vec![Output::SendBind(B)]),
                (
                    renewed(false, true, [ACCEPT, DIAL]),
                    vec![Output::CancelDial(B), Output::Dial(B)],
                ),
            ],
        ),
        (
            "an early leg that was reset is looked for again",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (
                    Input::Broken(A, LegReason::Reset),
                    vec![
                        Output::CancelDial(A),
                        Output::Drop(A),
                        Output::Listen(A),
                        told(NoticeKind::LegLost(A, LegReason::Reset)),
                    ],
                ),
                (bound(A), bound_out(A)),
            ],
        ),
        (
            "an early leg with FIN is kept until another comes",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (fin(A), vec![Output::Listen(A), told(NoticeKind::LegLost(A, LegReason::Fin))]),
                (fin(A), vec![]),
                (bound(A), bound_out(A)),
                (answered(ACCEPT, ACCEPT), vec![]),
                (bound(B), bound_and_joined(B)),
            ],
        ),
        (
            "an early leg with FIN is joined if no other comes",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (fin(A), vec![Output::Listen(A), told(NoticeKind::LegLost(A, LegReason::Fin))]),
                (answered(ACCEPT, ACCEPT), vec![]),
                (
                    bound(B),
                    [
                        bound_out(B),
                        vec![Output::CloseListener(A), Output::Join, told(NoticeKind::Joined)],
                    ]
                    .concat(),
                ),
            ],
        ),
        (
            "an early leg whose peer moved is joined and still let another in",
            Aware,
            vec![
                (answered(ACCEPT, ACCEPT), vec![]),
                (bound(B), bound_out(B)),
                (renewed(false, true, [ACCEPT, DIAL]), vec![Output::Listen(B)]),
                (bound(A), [bound_and_joined(A), vec![Output::Dial(B)]].concat()),
                (Input::Connected(B), vec![Output::SendBind(B)]),
            ],
        ),
        (
            "an opaque one is not: both legs would have to be new",
            Sessmatch,
            vec![
                (answered(ACCEPT, ACCEPT), vec![]),
                (bound(B), bound_out(B)),
                (renewed(false, true, [ACCEPT, ACCEPT]), vec![Output::Listen(B)]),
                (
                    bound(A),
                    [
                        bound_out(A),
                        vec![Output::CloseListener(B), Output::Join, told(NoticeKind::Joined)],
                    ]
                    .concat(),
                ),
            ],
        ),
        (
            "an early leg with FIN that is lost has its listener open already",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (fin(A), vec![Output::Listen(A), told(NoticeKind::LegLost(A, LegReason::Fin))]),
                (
                    Input::Broken(A, LegReason::Reset),
                    vec![
                        Output::CancelDial(A),
                        Output::Drop(A),
                        told(NoticeKind::LegLost(A, LegReason::Reset)),
                    ],
                ),
            ],
        ),
        (
            "closed before the join: nothing is in flight",
            Aware,
            vec![
                (bound(A), bound_out(A)),
                (close(CloseReason::Deleted, 60), vec![Output::Part]),
                (bound(B), vec![]),
                (Input::Parted, ended(Output::Close, CloseReason::Deleted)),
                (Input::Parted, vec![]),
            ],
        ),
    ]
}
