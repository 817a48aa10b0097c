//! A peer that has a re-offer comes by another connection before its answer has.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use msrp_relay::{
    CloseReason, Config, LegReason, NoticeKind, Policy, RingWhat, Role, Side, Target,
};
use support::{Call, Engine, Peer, config, replace, wait_until};

const MOVED: &str = "msrp://172.16.4.5:9/moved;tcp";
const AWARE: Policy = Policy::Aware;

/// B answers: it has another path.
fn answer_moved(call: &mut Call) {
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
}

/// B has dialled, and has said who it is. Returns when it has been let in as far as the gate.
fn early(call: &Call) -> Peer {
    let let_in = || call.session.events().iter().filter(|it| it.what == RingWhat::Accepted).count();
    let before = let_in();
    let mut peer = Peer::dial(call.local[1]);
    peer.send(&replace(&call.bind(Side::B, "tidmoved"), &call.path[1], MOVED));
    wait_until(|| let_in() > before);
    peer
}

/// It is told that somebody else has the leg.
fn refused(mut early: Peer) {
    assert!(early.frame().starts_with(b"MSRP tidmoved 506 "));
    early.expect_fin();
}

/// Returns when nobody is let in any more.
fn shut(call: &Call, side: Side) {
    wait_until(|| TcpStream::connect(call.local[side.index()]).is_err());
}

#[test]
fn who_comes_early_takes_over_with_the_answer() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    let mut new = early(&call);
    call.talk(&mut a, &mut old);
    assert_eq!(engine.quiet_for(Duration::from_millis(50)), None, "nobody is bound before it");
    answer_moved(&mut call);
    engine.until(&call, NoticeKind::Renewed(Side::B));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    old.expect_fin();
    call.talk(&mut a, &mut new);
    shut(&call, Side::B);
}

#[test]
fn a_peer_that_moves_right_after_a_reoffer_of_the_other_finds_its_listener_open() {
    let mut engine = Engine::new(config());
    for _ in 0..20 {
        let (mut call, mut a, _old) = engine.joined(AWARE);
        call.session.reoffer(Side::B);
        // The thread looks for both of these together.
        call.session.settle(Side::B);
        answer_moved(&mut call);
        let mut new = Peer::dial(call.local[1]);
        new.send(&call.bind(Side::B, "tidmoved"));
        engine.until(&call, NoticeKind::Renewed(Side::B));
        a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
        call.talk(&mut a, &mut new);
    }
}

#[test]
fn a_rejected_reoffer_leaves_the_session_as_it_was() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    let new = early(&call);
    call.session.settle(Side::B);
    refused(new);
    shut(&call, Side::B);
    call.talk(&mut a, &mut old);
    assert_eq!(engine.quiet_for(Duration::from_millis(50)), None);
}

#[test]
fn an_answer_may_move_the_offerer_alone() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, mut b) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    call.path[0] = "msrp://10.0.0.6:9/movedA;tcp".to_owned();
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    call.session.settle(Side::B);
    let mut new = Peer::dial(call.local[0]);
    new.send(&call.bind(Side::A, "tidnewaa"));
    engine.until(&call, NoticeKind::Renewed(Side::A));
    a.expect_fin();
    b.expect(&call.arrives(Side::A, AWARE, &call.bind(Side::A, "tidnewaa")));
    shut(&call, Side::B);
    call.talk(&mut new, &mut b);
}

#[test]
fn it_may_leave_its_old_connection_before_its_answer() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    let mut new = early(&call);
    old.fin();
    engine.until(&call, NoticeKind::LegLost(Side::B, LegReason::Fin));
    let meanwhile = call.message(Side::A, "tidearly", b"while you were away");
    a.send(&meanwhile);
    answer_moved(&mut call);
    engine.until(&call, NoticeKind::Renewed(Side::B));
    new.expect(&call.arrives(Side::A, AWARE, &meanwhile));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn who_has_left_and_is_not_moved_may_come_again_for_a_while() {
    let mut engine = Engine::new(config());
    let (call, mut a, old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    old.reset();
    engine.until(&call, NoticeKind::LegLost(Side::B, LegReason::Reset));
    call.session.settle(Side::B);
    let mut again = Peer::dial(call.local[1]);
    again.send(&call.bind(Side::B, "tidagain"));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidagain")));
    call.talk(&mut a, &mut again);
}

#[test]
fn who_has_left_and_does_not_come_again_ends_the_session() {
    let mut engine = Engine::new(Config { join: Duration::from_millis(50), ..config() });
    let (call, mut a, old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    old.reset();
    engine.until(&call, NoticeKind::LegLost(Side::B, LegReason::Reset));
    call.session.settle(Side::B);
    a.expect_fin();
    drop(a);
    assert_eq!(engine.closed(&call), CloseReason::LegMissing(Side::B));
}

#[test]
fn the_end_of_the_session_refuses_who_came_early() {
    let mut engine = Engine::new(config());
    let (call, a, mut old) = engine.joined(AWARE);
    call.session.reoffer(Side::B);
    let new = early(&call);
    a.fin();
    old.expect_fin();
    refused(new);
}

#[test]
fn a_session_whose_bytes_pass_untouched_lets_nobody_in() {
    let engine = &mut Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Sessmatch);
    call.session.reoffer(Side::B);
    shut(&call, Side::B);
    let hello = call.message(Side::A, "tidhello", b"hello");
    a.send(&hello);
    b.expect(&call.arrives(Side::A, Policy::Sessmatch, &hello));
}
