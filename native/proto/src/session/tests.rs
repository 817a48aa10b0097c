//! The session as a value: tables of events and what follows, and any order of anything.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

mod lost;
mod renewed;

const A: Side = Side::A;
const B: Side = Side::B;
const ACCEPT: (Role, Aim) = (Role::Accept, Aim::None);
const DIAL: (Role, Aim) = (Role::Dial, Aim::Ready);

const TIMERS: Timers = Timers {
    join: Duration::from_secs(30),
    own_bind: Duration::from_secs(10),
    grace: Duration::from_secs(5),
    reconnect: Duration::ZERO,
};

/// A session and its clock.
struct Bench {
    session: Session,
    start: Moment,
    now: Moment,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        Self::with(policy, TIMERS)
    }

    fn with(policy: Policy, timers: Timers) -> Self {
        let start = Moment::default();
        Self { session: Session::new(policy, timers), start, now: start }
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.session.handle(input, self.now);
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    /// The clock jumps to the session's deadline, which is `seconds` after its start.
    fn sleep(&mut self, seconds: u64) -> Vec<Output> {
        self.now = self.session.deadline().expect("a deadline");
        assert_eq!(self.now.saturating_duration_since(self.start), Duration::from_secs(seconds));
        self.feed(Input::Timeout)
    }

    /// Both peers dial in and are joined.
    fn joined(policy: Policy) -> Self {
        Self::new(policy).join()
    }

    fn join(mut self) -> Self {
        let bench = &mut self;
        bench.feed(answered(ACCEPT, ACCEPT));
        bench.feed(bound(A));
        bench.feed(bound(B));
        assert_eq!(bench.session.stage(), Stage::Joined);
        self
    }
}

fn answered(a: (Role, Aim), b: (Role, Aim)) -> Input {
    Input::Answered([a, b].map(|(role, aim)| Plan { role, aim, changed: false }))
}

fn renewed(a: bool, b: bool, plans: [(Role, Aim); 2]) -> Input {
    let [(role_a, aim_a), (role_b, aim_b)] = plans;
    Input::Answered([
        Plan { role: role_a, aim: aim_a, changed: a },
        Plan { role: role_b, aim: aim_b, changed: b },
    ])
}

fn bound(side: Side) -> Input {
    Input::Bound { side, body: false }
}

fn bound_with_body(side: Side) -> Input {
    Input::Bound { side, body: true }
}

fn fin(side: Side) -> Input {
    Input::Fin { side, whole: true }
}

fn own_bind(side: Side, accepted: bool) -> Input {
    Input::OwnBindAnswered { side, accepted }
}

fn close(reason: CloseReason, seconds: u64) -> Input {
    Input::Close { reason, linger: Duration::from_secs(seconds) }
}

fn told(kind: NoticeKind) -> Output {
    Output::Notify(kind)
}

fn bound_out(side: Side) -> Vec<Output> {
    vec![Output::CloseListener(side), told(NoticeKind::Bound(side))]
}

fn bound_and_joined(side: Side) -> Vec<Output> {
    [bound_out(side), vec![Output::Join, told(NoticeKind::Joined)]].concat()
}

fn ended(how: Output, reason: CloseReason) -> Vec<Output> {
    vec![how, told(NoticeKind::Closed(reason))]
}

/// Events, each with what must follow.
type Course = Vec<(Input, Vec<Output>)>;
/// A row of the table.
type Story = (&'static str, Policy, Course);

fn stories() -> Vec<Story> {
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

#[test]
fn what_follows_before_the_join() {
    for (name, policy, events) in stories() {
        let mut bench = Bench::new(policy);
        for (step, (input, outputs)) in events.into_iter().enumerate() {
            assert_eq!(bench.feed(input), outputs, "{name}: step {step}, {input:?}");
        }
    }
}

#[test]
fn what_follows_the_join() {
    let lost = |side, how| told(NoticeKind::LegLost(side, how));
    let passed = |side: Side| vec![lost(side, LegReason::Fin), Output::ShutdownWrite(side.other())];
    let listeners = vec![Output::CloseListener(A), Output::CloseListener(B)];
    let aborted =
        |side, how, reason| [vec![lost(side, how)], ended(Output::Abort, reason)].concat();
    let rows: Vec<(&str, Course)> = vec![
        (
            "both ends",
            vec![
                (fin(A), passed(A)),
                (fin(A), vec![]),
                (fin(B), [passed(B), ended(Output::Close, CloseReason::Hangup(A))].concat()),
            ],
        ),
        (
            "a cut chunk",
            vec![(
                Input::Fin { side: B, whole: false },
                aborted(B, LegReason::Fin, CloseReason::CutChunk(B)),
            )],
        ),
        (
            "a reset",
            vec![(
                Input::Broken(B, LegReason::Reset),
                aborted(B, LegReason::Reset, CloseReason::PeerReset(B)),
            )],
        ),
        (
            "silence of the kernel's",
            vec![(
                Input::Broken(A, LegReason::Timeout),
                aborted(A, LegReason::Timeout, CloseReason::PeerTimeout(A)),
            )],
        ),
        (
            "no MSRP",
            vec![(
                Input::Broken(A, LegReason::Malformed),
                aborted(A, LegReason::Malformed, CloseReason::Malformed(A)),
            )],
        ),
        (
            "a stalled chunk",
            vec![(
                Input::Broken(A, LegReason::Stalled),
                aborted(A, LegReason::Stalled, CloseReason::ChunkStalled(A)),
            )],
        ),
        (
            "one that finished goes altogether",
            vec![
                (fin(A), passed(A)),
                (Input::Broken(A, LegReason::Reset), vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::Hangup(A))),
            ],
        ),
        (
            "the other is reset while it finishes",
            vec![
                (fin(A), passed(A)),
                (
                    Input::Broken(B, LegReason::Reset),
                    aborted(B, LegReason::Reset, CloseReason::PeerReset(B)),
                ),
            ],
        ),
        (
            "a delete without linger",
            vec![
                (close(CloseReason::Deleted, 0), vec![Output::Part]),
                (Input::Broken(A, LegReason::Reset), vec![]),
                (Input::Parted, ended(Output::Close, CloseReason::Deleted)),
            ],
        ),
        (
            "the reason of a delete goes before what ends the linger",
            vec![
                (close(CloseReason::Deleted, 9), listeners.clone()),
                (fin(B), passed(B)),
                (fin(A), [passed(A), ended(Output::Close, CloseReason::Deleted)].concat()),
            ],
        ),
        (
            "a second close with no linger ends the first one's",
            vec![
                (close(CloseReason::Deleted, 9), listeners),
                (close(CloseReason::Terminated, 0), vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::Deleted)),
            ],
        ),
        (
            "the last byte allowed",
            vec![
                (Input::Spent, vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::ByteLimit)),
            ],
        ),
        ("a fault", vec![(Input::Fault, ended(Output::Abort, CloseReason::Internal))]),
        (
            "idleness",
            vec![
                (Input::Idle, vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::Idle)),
            ],
        ),
    ];
    for (name, events) in rows {
        let mut bench = Bench::joined(Policy::Aware);
        for (step, (input, outputs)) in events.into_iter().enumerate() {
            assert_eq!(bench.feed(input), outputs, "{name}: step {step}, {input:?}");
        }
    }
}

#[test]
fn the_join_timer_names_what_is_missing() {
    let failed = (Role::Dial, Aim::Failed);
    let denied = (Role::Dial, Aim::Denied);
    let rows = [
        (vec![answered(ACCEPT, ACCEPT)], CloseReason::JoinTimeout),
        (vec![answered(ACCEPT, ACCEPT), bound(A)], CloseReason::LegMissing(B)),
        (vec![answered(ACCEPT, ACCEPT), bound(B)], CloseReason::LegMissing(A)),
        (vec![answered(ACCEPT, failed), bound(A)], CloseReason::DialFailed(B)),
        (vec![answered(denied, ACCEPT), bound(B)], CloseReason::DialDenied(A)),
        (vec![answered(ACCEPT, denied)], CloseReason::DialDenied(B)),
    ];
    for (inputs, reason) in rows {
        let mut bench = Bench::new(Policy::Aware);
        for input in inputs {
            bench.feed(input);
        }
        assert_eq!(bench.sleep(30), [Output::Part]);
        assert_eq!(bench.feed(Input::Parted), ended(Output::Close, reason));
    }
}

#[test]
fn timers_count_from_their_cause() {
    // Without an answer there is no deadline here: the control plane has the offer timer.
    let mut bench = Bench::new(Policy::Aware);
    bench.feed(bound(A));
    assert_eq!(bench.session.deadline(), None);
    // A repeated answer gives the peers the whole time again.
    bench.feed(answered(ACCEPT, ACCEPT));
    bench.now += Duration::from_secs(20);
    bench.feed(answered(ACCEPT, ACCEPT));
    assert_eq!(bench.sleep(50), [Output::Part]);
    // Who does not end its connection is reset after the grace.
    assert_eq!(bench.sleep(55), ended(Output::Abort, CloseReason::LegMissing(B)));

    let mut bench = Bench::new(Policy::Aware);
    bench.feed(answered(DIAL, DIAL));
    bench.now += Duration::from_secs(3);
    bench.feed(Input::Connected(A));
    assert_eq!(bench.sleep(13), [Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::OwnBindTimeout(A)));

    let mut bench = Bench::joined(Policy::Aware);
    assert_eq!(bench.session.deadline(), None);
    bench.feed(fin(B));
    assert_eq!(bench.sleep(5), [Output::Part]);
    assert_eq!(bench.sleep(10), ended(Output::Abort, CloseReason::Hangup(B)));

    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(close(CloseReason::Deleted, 60));
    bench.feed(close(CloseReason::Deleted, 7));
    assert_eq!(bench.sleep(7), [Output::Part]);
}

#[test]
fn an_early_timeout_changes_nothing() {
    let mut bench = Bench::new(Policy::Aware);
    bench.feed(answered(ACCEPT, ACCEPT));
    assert_eq!(bench.feed(Input::Timeout), []);
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(fin(A));
    assert_eq!(bench.feed(Input::Timeout), []);
    bench.feed(close(CloseReason::Deleted, 0));
    assert_eq!(bench.feed(Input::Timeout), []);
}

#[test]
fn every_reason_has_its_own_code_and_a_sentence() {
    let mut codes: Vec<_> = CloseReason::ALL.iter().map(|reason| reason.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CloseReason::ALL.len());
    for reason in CloseReason::ALL {
        let sentence = reason.sentence();
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase), "{sentence}");
        assert_eq!(reason.side().is_some(), sentence.starts_with("Side a "), "{sentence}");
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(A), Just(B)]
}

fn any_input() -> impl Strategy<Value = Input> {
    let aim = prop_oneof![
        Just(Aim::None),
        Just(Aim::Pending),
        Just(Aim::Ready),
        Just(Aim::Denied),
        Just(Aim::Failed)
    ];
    let role = prop_oneof![Just(Role::Accept), Just(Role::Dial)];
    let how = prop_oneof![
        Just(LegReason::Reset),
        Just(LegReason::Timeout),
        Just(LegReason::Malformed),
        Just(LegReason::Stalled)
    ];
    let plan = (role, aim.clone(), any::<bool>()).prop_map(|(role, aim, changed)| Plan {
        role,
        aim,
        changed,
    });
    prop_oneof![
        3 => (plan.clone(), plan).prop_map(|(a, b)| Input::Answered([a, b])),
        2 => (any_side(), aim).prop_map(|(side, aim)| Input::Aimed(side, aim)),
        6 => (any_side(), any::<bool>()).prop_map(|(side, body)| Input::Bound { side, body }),
        4 => any_side().prop_map(Input::Connected),
        1 => any_side().prop_map(Input::DialFailed),
        4 => (any_side(), any::<bool>()).prop_map(|(side, accepted)| own_bind(side, accepted)),
        2 => (any_side(), any::<bool>()).prop_map(|(side, whole)| Input::Fin { side, whole }),
        1 => (any_side(), how).prop_map(|(side, how)| Input::Broken(side, how)),
        1 => Just(Input::Idle),
        1 => (0u64..9).prop_map(|seconds| close(CloseReason::Deleted, seconds)),
        1 => Just(Input::Parted),
        1 => Just(Input::Spent),
        1 => any_side().prop_map(Input::Replaced),
        3 => Just(Input::Timeout),
    ]
}

/// What an honest caller may see of one side before the join.
#[derive(Clone, Copy, Default)]
struct Seen {
    bound: bool,
    listening: bool,
    /// A new connection is to take over.
    replacing: bool,
}

proptest! {
    /// Any order of anything: no panic, no join before both legs are bound and answered, no second
    /// listener, one Closed, nothing after it, and no wait without an end once a leg is lost.
    #[test]
    fn any_order_of_events_ends_once(
        inputs in proptest::collection::vec((any_input(), 0u64..12), 0..60),
        aware in any::<bool>(),
        window in 0u64..20,
    ) {
        let policy = if aware { Policy::Aware } else { Policy::Cema };
        let reconnect = Duration::from_secs(window);
        let mut bench = Bench::with(policy, Timers { reconnect, ..TIMERS });
        let mut seen = [Seen { listening: true, ..Seen::default() }; 2];
        let (mut answers, mut joins, mut returns, mut closes) = (0, 0, 0, 0);
        let last = [close(CloseReason::Terminated, 0), Input::Parted];
        let end = last.into_iter().map(|input| (input, 0));
        for (input, seconds) in inputs.into_iter().chain(end) {
            bench.now += Duration::from_secs(seconds);
            match input {
                Input::Answered(_) => answers += 1,
                Input::Replaced(side) if !seen[side.index()].replacing => continue,
                Input::Replaced(side) => seen[side.index()].replacing = false,
                _ => {}
            }
            let wants = Side::BOTH.map(|side| bench.session.wants(side));
            let outputs = bench.feed(input);
            prop_assert!(closes == 0 || outputs.is_empty(), "{input:?} after the end: {outputs:?}");
            for output in outputs {
                match output {
                    Output::Notify(NoticeKind::Bound(side)) => {
                        prop_assert!(wants[side.index()], "bound twice");
                        seen[side.index()].bound = true;
                    }
                    Output::Drop(side) => seen[side.index()].bound = false,
                    Output::Listen(side) => {
                        prop_assert!(!seen[side.index()].listening, "two listeners");
                        seen[side.index()].listening = true;
                    }
                    Output::CloseListener(side) => seen[side.index()].listening = false,
                    Output::Replace(side) => {
                        prop_assert!(aware, "a change-over without chunks");
                        seen[side.index()].replacing = true;
                    }
                    Output::CancelDial(side) => seen[side.index()].replacing = false,
                    Output::Abort | Output::Close => {
                        let listening = bench.session.stage() == Stage::Reconnecting;
                        seen = [Seen { listening, ..Seen::default() }; 2];
                    }
                    Output::Part => seen.iter_mut().for_each(|side| side.listening = false),
                    Output::SendBind(_) => prop_assert!(aware, "opaque and a frame of ours"),
                    Output::Join => {
                        joins += 1;
                        prop_assert!(answers > 0 && seen.iter().all(|side| side.bound));
                    }
                    Output::Notify(NoticeKind::Reconnecting(_)) => returns += 1,
                    Output::Notify(NoticeKind::Closed(_)) => closes += 1,
                    _ => {}
                }
            }
            let stage = bench.session.stage();
            let passing = matches!(stage, Stage::Draining | Stage::Reconnecting);
            prop_assert!(!passing || bench.session.deadline().is_some());
        }
        prop_assert!(joins <= 1 + returns && (window > 0 || returns == 0));
        prop_assert_eq!(closes, 1);
        prop_assert_eq!(bench.session.stage(), Stage::Closed);
        prop_assert_eq!(bench.session.deadline(), None);
    }

    /// Time alone ends a session that is answered and not joined.
    #[test]
    fn an_answered_session_never_waits_for_ever(
        inputs in proptest::collection::vec(any_input(), 0..20),
    ) {
        let mut bench = Bench::new(Policy::Aware);
        bench.feed(answered(ACCEPT, ACCEPT));
        for input in inputs {
            bench.feed(input);
        }
        for _ in 0..4 {
            if bench.session.stage() == Stage::Joined {
                break;
            }
            if let Some(deadline) = bench.session.deadline() {
                bench.now = deadline;
                bench.feed(Input::Timeout);
            }
        }
        let stage = bench.session.stage();
        prop_assert!(matches!(stage, Stage::Joined | Stage::Closed), "{:?}", stage);
    }
}
