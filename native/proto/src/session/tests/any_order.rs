//! Any order of anything ends once, and no answered session waits for ever.

use proptest::prelude::*;

use super::*;

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
        1 => Just(Input::Unpaused),
        1 => any_side().prop_map(Input::Replaced),
        1 => any_side().prop_map(Input::NewBroken),
        2 => any_side().prop_map(Input::Reoffered),
        2 => any_side().prop_map(Input::Settled),
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
