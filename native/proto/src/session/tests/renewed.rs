//! A peer that moves after the join.

use super::*;

fn asked(side: Side) -> (Input, Vec<Output>) {
    (Input::Reoffered(side), vec![Output::Listen(side)])
}

fn moved_a() -> Input {
    renewed(true, false, [ACCEPT, ACCEPT])
}

fn dialled_a() -> Input {
    renewed(true, false, [DIAL, ACCEPT])
}

fn replacing(side: Side) -> Vec<Output> {
    [bound_out(side), vec![Output::Replace(side)]].concat()
}

fn vacated(side: Side, how: LegReason) -> Vec<Output> {
    vec![Output::Vacate(side), told(NoticeKind::LegLost(side, how))]
}

fn took_over(side: Side) -> Vec<Output> {
    vec![told(NoticeKind::Renewed(side))]
}

fn given_up(side: Side) -> Vec<Output> {
    vec![Output::CancelDial(side), Output::CloseListener(side)]
}

#[test]
fn what_follows_an_answer_that_moves_a_peer() {
    let failed = || vec![Output::CancelDial(A), told(NoticeKind::DialFailed(A))];
    let reset = Input::Broken(A, LegReason::Reset);
    let rows: Vec<(&str, Course)> = vec![
        (
            "it dials, and takes over",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (bound_with_body(A), replacing(A)),
                (Input::Replaced(A), took_over(A)),
                (bound(A), vec![]),
            ],
        ),
        (
            "it is dialled, and always bound by us",
            vec![
                (dialled_a(), vec![Output::Listen(A), Output::Dial(A)]),
                (Input::Connected(A), vec![Output::SendBind(A)]),
                (own_bind(A, true), replacing(A)),
                (Input::Replaced(A), took_over(A)),
            ],
        ),
        (
            "a name is resolved first",
            vec![
                (
                    renewed(true, false, [(Role::Dial, Aim::Pending), ACCEPT]),
                    vec![Output::Listen(A)],
                ),
                (Input::Aimed(A, Aim::Ready), vec![Output::Dial(A)]),
                (Input::Aimed(A, Aim::Ready), vec![]),
            ],
        ),
        (
            "it dials while it is dialled",
            vec![
                (dialled_a(), vec![Output::Listen(A), Output::Dial(A)]),
                (bound(A), replacing(A)),
                (Input::Connected(A), vec![]),
            ],
        ),
        (
            "a failed dial leaves the listener",
            vec![
                (dialled_a(), vec![Output::Listen(A), Output::Dial(A)]),
                (Input::DialFailed(A), failed()),
                (bound(A), replacing(A)),
            ],
        ),
        (
            "so does a refused bind of ours",
            vec![
                (dialled_a(), vec![Output::Listen(A), Output::Dial(A)]),
                (Input::Connected(A), vec![Output::SendBind(A)]),
                (own_bind(A, false), failed()),
                (bound(A), replacing(A)),
            ],
        ),
        (
            "the old connection ends first",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (Input::Fin { side: A, whole: false }, vacated(A, LegReason::Fin)),
                (reset, vec![]),
                (bound(A), replacing(A)),
                (Input::Replaced(A), took_over(A)),
                (
                    fin(A),
                    vec![told(NoticeKind::LegLost(A, LegReason::Fin)), Output::ShutdownWrite(B)],
                ),
            ],
        ),
        (
            "the old connection ends while the new one waits for the end of a chunk",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (bound(A), replacing(A)),
                (reset, vacated(A, LegReason::Reset)),
                (Input::Replaced(A), took_over(A)),
            ],
        ),
        (
            "it moves once more, before and after its bind",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (moved_a(), vec![Output::CancelDial(A)]),
                (bound(A), replacing(A)),
                (dialled_a(), vec![Output::CancelDial(A), Output::Listen(A), Output::Dial(A)]),
            ],
        ),
        (
            "another answer gives it another role",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (renewed(false, false, [DIAL, ACCEPT]), vec![Output::Dial(A)]),
                (Input::DialFailed(A), failed()),
                (renewed(false, false, [DIAL, ACCEPT]), vec![]),
            ],
        ),
        (
            "both move",
            vec![
                (renewed(true, true, [ACCEPT, ACCEPT]), vec![Output::Listen(A), Output::Listen(B)]),
                (bound(B), replacing(B)),
                (Input::Replaced(B), took_over(B)),
                (bound(A), replacing(A)),
                (Input::Replaced(A), took_over(A)),
            ],
        ),
        (
            "the other side hangs up",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (
                    fin(B),
                    [
                        given_up(A),
                        vec![
                            told(NoticeKind::LegLost(B, LegReason::Fin)),
                            Output::ShutdownWrite(A),
                        ],
                    ]
                    .concat(),
                ),
                (bound(A), vec![]),
            ],
        ),
        (
            "the other side hangs up and nobody is here",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (reset, vacated(A, LegReason::Reset)),
                (fin(B), vec![told(NoticeKind::LegLost(B, LegReason::Fin)), Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::Hangup(B))),
            ],
        ),
        (
            "a delete",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (
                    close(CloseReason::Deleted, 9),
                    [given_up(A), vec![Output::CloseListener(A), Output::CloseListener(B)]]
                        .concat(),
                ),
            ],
        ),
        (
            "it answers a re-offer",
            vec![
                asked(A),
                (Input::Reoffered(A), vec![]),
                (bound(A), vec![]),
                (moved_a(), vec![]),
                (bound(A), replacing(A)),
                (Input::Replaced(A), took_over(A)),
            ],
        ),
        (
            "it answers a re-offer and is dialled",
            vec![asked(A), (dialled_a(), vec![Output::Dial(A)])],
        ),
        (
            "an answer to a re-offer moves the other side alone",
            vec![
                asked(A),
                (renewed(false, true, [ACCEPT, ACCEPT]), vec![Output::Listen(B)]),
                (Input::Settled(A), vec![Output::CloseListener(A)]),
            ],
        ),
        (
            "a re-offer is rejected, and another one is made",
            vec![
                asked(A),
                (Input::Settled(B), vec![]),
                (Input::Settled(A), vec![Output::CloseListener(A)]),
                (Input::Settled(A), vec![]),
                asked(A),
            ],
        ),
        (
            "a re-offer of one that is being renewed",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (Input::Reoffered(A), vec![]),
                (Input::Settled(A), vec![]),
                (bound(A), replacing(A)),
            ],
        ),
        (
            "it leaves before it answers a re-offer",
            vec![
                asked(A),
                (fin(A), vacated(A, LegReason::Fin)),
                (moved_a(), vec![]),
                (bound(A), replacing(A)),
            ],
        ),
        (
            "it leaves, and the re-offer is rejected",
            vec![
                asked(A),
                (fin(A), vacated(A, LegReason::Fin)),
                (Input::Settled(A), vec![]),
                (bound(A), replacing(A)),
            ],
        ),
        (
            "a delete while nobody is here",
            vec![
                (moved_a(), vec![Output::Listen(A)]),
                (fin(A), vacated(A, LegReason::Fin)),
                (close(CloseReason::Deleted, 9), vec![Output::Part]),
                (Input::Parted, ended(Output::Close, CloseReason::Deleted)),
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
fn an_opaque_session_keeps_its_connections() {
    let mut bench = Bench::joined(Policy::Sessmatch);
    assert_eq!(bench.feed(moved_a()), [told(NoticeKind::AnswerIgnored(A))]);
    assert!(!bench.session.wants(A));
}

#[test]
fn a_reoffer_opens_no_listener_of_an_opaque_session() {
    let mut bench = Bench::joined(Policy::Cema);
    assert_eq!(bench.feed(Input::Reoffered(A)), []);
    assert!(!bench.session.is_asked(A));
}

#[test]
fn a_reoffer_waits_for_as_long_as_the_control_plane_does() {
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(Input::Reoffered(A));
    assert!(bench.session.is_asked(A) && !bench.session.wants(A));
    bench.now += Duration::from_secs(1000);
    assert_eq!((bench.feed(Input::Timeout), bench.session.deadline()), (vec![], None));
}

#[test]
fn the_old_connection_stays_where_nobody_comes() {
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(moved_a());
    assert!(bench.session.wants(A) && !bench.session.wants(B));
    let kept = [given_up(A), vec![told(NoticeKind::AnswerIgnored(A))]].concat();
    assert_eq!(bench.sleep(30), kept);
    assert_eq!((bench.session.stage(), bench.session.deadline()), (Stage::Joined, None));
}

#[test]
fn a_dial_that_nobody_has_answered_in_time_has_failed() {
    let failed = told(NoticeKind::DialFailed(A));
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(dialled_a());
    let kept = [vec![failed], given_up(A), vec![told(NoticeKind::AnswerIgnored(A))]].concat();
    assert_eq!(bench.sleep(30), kept);
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(dialled_a());
    bench.feed(Input::Broken(A, LegReason::Reset));
    assert_eq!(bench.sleep(30), [failed, Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::DialFailed(A)));
}

#[test]
fn nobody_there_and_nobody_coming_ends_the_session() {
    let rows = [
        (moved_a(), CloseReason::LegMissing(A)),
        (renewed(true, false, [(Role::Dial, Aim::Denied), ACCEPT]), CloseReason::DialDenied(A)),
        (renewed(true, false, [(Role::Dial, Aim::Failed), ACCEPT]), CloseReason::DialFailed(A)),
    ];
    for (answer, reason) in rows {
        let mut bench = Bench::joined(Policy::Aware);
        bench.feed(answer);
        bench.feed(Input::Broken(A, LegReason::Reset));
        assert_eq!(bench.sleep(30), [Output::Part]);
        assert_eq!(bench.feed(Input::Parted), ended(Output::Close, reason));
    }
}

#[test]
fn a_chunk_without_an_end_does_not_keep_the_new_connection_waiting_for_ever() {
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(moved_a());
    bench.now += Duration::from_secs(28);
    assert_eq!(bench.feed(bound(A)), replacing(A));
    // The grace behind the bind is longer than what is left of the join time.
    assert_eq!(bench.sleep(33), [Output::Vacate(A)]);
    assert_eq!(bench.session.deadline(), None);
    assert_eq!(bench.feed(Input::Replaced(A)), took_over(A));
}

#[test]
fn an_own_bind_without_an_answer_counts_as_a_failed_dial() {
    let mut bench = Bench::joined(Policy::Aware);
    bench.feed(dialled_a());
    bench.feed(Input::Connected(A));
    assert_eq!(bench.sleep(10), [Output::CancelDial(A), told(NoticeKind::DialFailed(A))]);
    assert!(bench.session.wants(A));
}
