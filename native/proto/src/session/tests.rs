//! The session as a value: events, and what follows.

use std::time::Duration;

use super::*;

mod any_order;
mod lost;
mod renewed;
mod stories;

use stories::{Course, stories};

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

    /// Another process goes on.
    fn resume(&mut self) {
        self.session = self.session.clone().resumed(self.session.timers.clone());
        self.feed(Input::Resumed);
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
fn a_dial_that_nobody_has_answered_by_then_has_failed() {
    let mut bench = Bench::new(Policy::Aware);
    bench.feed(answered(ACCEPT, DIAL));
    assert_eq!(bench.feed(bound(A)), [bound_out(A), vec![Output::Dial(B)]].concat());
    assert_eq!(bench.sleep(30), [told(NoticeKind::DialFailed(B)), Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::DialFailed(B)));
    // Both legs may be dialled.
    let mut bench = Bench::new(Policy::Aware);
    bench.feed(answered(DIAL, DIAL));
    let both = [A, B].map(|side| told(NoticeKind::DialFailed(side)));
    assert_eq!(bench.sleep(30), [&both[..], &[Output::Part]].concat());
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::DialFailed(A)));
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
