//! After a loss: the session waits for its peers where both had dialled.

use super::*;

const WINDOW: Timers = Timers { reconnect: Duration::from_secs(20), ..TIMERS };

fn joined() -> Bench {
    Bench::with(Policy::Cema, WINDOW).join()
}

fn waits(how: Output, reason: CloseReason) -> Vec<Output> {
    let told = told(NoticeKind::Reconnecting(reason));
    vec![Output::Listen(A), Output::Listen(B), how, told]
}

/// Every way to lose a joined session, and the reason each gives.
fn losses() -> Vec<(Vec<Input>, Output, CloseReason)> {
    let broken = |how| vec![Input::Broken(A, how)];
    vec![
        (vec![fin(A), fin(B)], Output::Close, CloseReason::Hangup(A)),
        (broken(LegReason::Reset), Output::Abort, CloseReason::PeerReset(A)),
        (broken(LegReason::Timeout), Output::Abort, CloseReason::PeerTimeout(A)),
        (broken(LegReason::Malformed), Output::Abort, CloseReason::Malformed(A)),
        (broken(LegReason::Stalled), Output::Abort, CloseReason::ChunkStalled(A)),
        (vec![Input::Fin { side: B, whole: false }], Output::Abort, CloseReason::CutChunk(B)),
        (
            vec![fin(B), Input::Broken(B, LegReason::Reset), Input::Parted],
            Output::Close,
            CloseReason::Hangup(B),
        ),
    ]
}

#[test]
fn every_loss_opens_both_listeners_again() {
    for (inputs, how, reason) in losses() {
        let mut bench = joined();
        let outputs: Vec<_> = inputs.into_iter().flat_map(|input| bench.feed(input)).collect();
        assert!(outputs.ends_with(&waits(how, reason)), "{reason:?}: {outputs:?}");
        assert_eq!(bench.session.stage(), Stage::Reconnecting);
        assert_eq!(bench.session.ending(), Some(reason));
        assert!(bench.session.wants(A) && bench.session.wants(B));
    }
}

#[test]
fn peers_that_come_back_are_joined_again_and_again() {
    let mut bench = joined();
    for _ in 0..3 {
        bench.feed(Input::Broken(A, LegReason::Reset));
        assert_eq!(bench.feed(bound(B)), bound_out(B));
        assert_eq!(bench.session.stage(), Stage::Reconnecting);
        assert_eq!(bench.feed(bound(A)), bound_and_joined(A));
        assert_eq!((bench.session.stage(), bench.session.ending()), (Stage::Joined, None));
        assert_eq!(bench.session.deadline(), None);
    }
}

#[test]
fn who_does_not_come_back_ends_it_for_the_reason_of_the_loss() {
    let mut bench = joined();
    bench.feed(Input::Broken(B, LegReason::Reset));
    bench.feed(bound(A));
    assert_eq!(bench.sleep(20), [Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::PeerReset(B)));
    assert_eq!(bench.session.deadline(), None);
}

#[test]
fn a_delete_ends_the_wait_and_keeps_the_reason() {
    let mut bench = joined();
    bench.feed(fin(A));
    bench.feed(fin(B));
    assert_eq!(bench.feed(close(CloseReason::Deleted, 5)), [Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::Hangup(A)));
}

#[test]
fn an_answer_told_again_to_another_process_changes_neither_reason_nor_time() {
    let again = || answered(ACCEPT, ACCEPT);
    let mut bench = joined();
    let reason = CloseReason::PeerReset(A);
    for round in 0..3 {
        bench.now += Duration::from_secs(5);
        bench.resume();
        if round == 0 {
            bench.feed(Input::Broken(A, LegReason::Reset));
        }
        assert_eq!(bench.feed(again()), []);
        assert_eq!(bench.session.stage(), Stage::Reconnecting);
        assert_eq!(bench.session.ending(), Some(reason));
    }
    assert_eq!(bench.sleep(25), [Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, reason));

    let mut bench = Bench::new(Policy::Aware);
    bench.feed(again());
    bench.now += Duration::from_secs(20);
    bench.resume();
    bench.feed(again());
    assert_eq!(bench.sleep(30), [Output::Part]);
}

#[test]
fn a_new_answer_after_another_process_has_begun_counts() {
    let mut bench = joined();
    bench.feed(Input::Broken(A, LegReason::Reset));
    bench.resume();
    bench.now += Duration::from_secs(5);
    bench.feed(renewed(false, true, [ACCEPT, ACCEPT]));
    assert_eq!(bench.session.stage(), Stage::Answered);
    bench.resume();
    bench.feed(answered(ACCEPT, ACCEPT));
    bench.now += Duration::from_secs(5);
    // Told a second time it is no repetition.
    bench.feed(answered(ACCEPT, ACCEPT));
    assert_eq!(bench.sleep(40), [Output::Part]);
}

#[test]
fn a_new_answer_makes_it_an_answered_session() {
    let mut bench = joined();
    bench.feed(Input::Broken(A, LegReason::Reset));
    bench.now += Duration::from_secs(15);
    assert_eq!(bench.feed(renewed(false, true, [ACCEPT, DIAL])), []);
    assert_eq!((bench.session.stage(), bench.session.ending()), (Stage::Answered, None));
    assert_eq!(bench.feed(bound(A)), [bound_out(A), vec![Output::Dial(B)]].concat());
    assert_eq!(bench.sleep(45), [told(NoticeKind::DialFailed(B)), Output::Part]);
    assert_eq!(bench.feed(Input::Parted), ended(Output::Close, CloseReason::DialFailed(B)));
}

#[test]
fn nothing_else_is_waited_for() {
    let closing = |bench: &mut Bench, input, how, reason| {
        let outputs = bench.feed(input);
        assert!(outputs.ends_with(&ended(how, reason)), "{outputs:?}");
    };
    // A leg that the relay dials can only be dialled after new SDP.
    let mut bench = Bench::with(Policy::Aware, WINDOW);
    bench.feed(answered(ACCEPT, DIAL));
    bench.feed(bound(A));
    bench.feed(Input::Connected(B));
    let reset = Input::Broken(A, LegReason::Reset);
    closing(&mut bench, reset, Output::Abort, CloseReason::PeerReset(A));
    // What is being ended anyway.
    let mut bench = joined();
    bench.feed(close(CloseReason::Deleted, 9));
    closing(&mut bench, reset, Output::Abort, CloseReason::Deleted);
    let mut bench = joined();
    bench.feed(Input::Idle);
    closing(&mut bench, Input::Parted, Output::Close, CloseReason::Idle);
    let mut bench = joined();
    bench.feed(fin(A));
    bench.sleep(5);
    bench.feed(close(CloseReason::Deleted, 0));
    closing(&mut bench, Input::Parted, Output::Close, CloseReason::Hangup(A));
    // The relay's own fault.
    closing(&mut joined(), Input::Fault, Output::Abort, CloseReason::Internal);
}
