//! After a loss: the peers of a session that both dialled may dial again.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, NoticeKind, Policy, RingWhat, Role, Side, Stage, Target};
use support::{Call, Engine, Peer, config, listener, wait_until};

fn engine() -> Engine {
    Engine::new(Config { reconnect: Duration::from_secs(60), ..config() })
}

/// Both peers dial in again and talk.
fn comes_back(engine: &mut Engine, call: &Call, policy: Policy) -> (Peer, Peer) {
    let mut peers = Side::BOTH.map(|side| {
        let mut peer = Peer::dial(call.local[side.index()]);
        peer.send(&call.bind(side, "tidagain"));
        peer
    });
    engine.until(call, NoticeKind::Joined);
    for side in Side::BOTH {
        let bind = call.arrives(side, policy, &call.bind(side, "tidagain"));
        peers[side.other().index()].expect(&bind);
    }
    let [a, b] = peers;
    (a, b)
}

#[test]
fn peers_that_lost_their_connections_are_joined_again_without_new_sdp() {
    let mut engine = engine();
    for policy in [Policy::Aware, Policy::Cema, Policy::Sessmatch] {
        let (call, mut a, mut b) = engine.joined(policy);
        for round in 0..6 {
            if round == 1 {
                a.fin();
                b.expect_fin();
                b.fin();
                a.expect_fin();
                engine.until(&call, NoticeKind::Reconnecting(CloseReason::Hangup(Side::A)));
                assert_eq!(call.session.report().stage, Stage::Reconnecting);
            } else {
                // The other one comes again as soon as it has heard.
                b.reset();
                a.expect_reset();
            }
            (a, b) = comes_back(&mut engine, &call, policy);
            let report = call.session.report();
            assert_eq!((report.stage, report.reason), (Stage::Joined, None));
        }
        if policy == Policy::Aware {
            // One bind SEND on each of seven connections.
            assert_eq!(call.session.report().legs.map(|leg| leg.chunks), [7, 7]);
        }
    }
}

const MOVED: &str = "msrp://172.16.4.5:9/moved;tcp";

#[test]
fn who_comes_back_has_the_path_named_last() {
    let soon = Duration::from_secs(2);
    for (policy, ignored) in
        [(Policy::Aware, false), (Policy::Aware, true), (Policy::Sessmatch, true)]
    {
        let reconnect = Duration::from_secs(60);
        let join = if ignored { soon } else { reconnect };
        let mut engine = Engine::new(Config { join, reconnect, ..config() });
        let (mut call, a, mut b) = engine.joined(policy);
        call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
        if ignored {
            engine.until(&call, NoticeKind::AnswerIgnored(Side::B));
        } else {
            // It waits for another connection.
            let mut stranger = Peer::dial(call.local[1]);
            stranger.send(b"no MSRP\r\n");
            stranger.expect_fin();
        }
        a.reset();
        b.expect_reset();
        engine.until(&call, NoticeKind::Reconnecting(CloseReason::PeerReset(Side::A)));
        call.path[1] = MOVED.to_owned();
        if policy == Policy::Sessmatch {
            call.to[0] = MOVED.to_owned();
        }
        comes_back(&mut engine, &call, policy);
    }
}

#[test]
fn a_path_that_was_taken_back_is_not_expected() {
    let join = Duration::from_secs(2);
    let mut engine = Engine::new(Config { join, reconnect: Duration::from_secs(60), ..config() });
    let (call, a, mut b) = engine.joined(Policy::Aware);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    engine.until(&call, NoticeKind::AnswerIgnored(Side::B));
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    call.session.pause(true);
    call.session.pause(false);
    wait_until(|| call.session.events().iter().any(|event| event.what == RingWhat::Unpaused));
    a.reset();
    b.expect_reset();
    engine.until(&call, NoticeKind::Reconnecting(CloseReason::PeerReset(Side::A)));
    comes_back(&mut engine, &call, Policy::Aware);
}

#[test]
fn the_window_ends_and_nobody_listens_any_more() {
    let mut engine = Engine::new(Config { reconnect: Duration::from_millis(50), ..config() });
    let (call, a, mut b) = engine.joined(Policy::Aware);
    a.reset();
    b.expect_reset();
    let reason = CloseReason::PeerReset(Side::A);
    engine.until(&call, NoticeKind::Reconnecting(reason));
    assert_eq!(engine.closed(&call), reason);
    assert!(call.local.into_iter().all(|local| TcpStream::connect(local).is_err()));
}

#[test]
fn a_delete_in_the_window_says_what_the_loss_was() {
    let mut engine = engine();
    let (call, a, mut b) = engine.joined(Policy::Cema);
    a.reset();
    b.expect_reset();
    engine.until(&call, NoticeKind::Reconnecting(CloseReason::PeerReset(Side::A)));
    call.session.close(CloseReason::Deleted, Duration::from_secs(5));
    assert_eq!(engine.closed(&call), CloseReason::PeerReset(Side::A));
}

#[test]
fn a_stranger_is_refused_in_the_window_too() {
    let mut engine = engine();
    let (call, a, mut b) = engine.joined(Policy::Aware);
    a.reset();
    b.expect_reset();
    engine.until(&call, NoticeKind::Reconnecting(CloseReason::PeerReset(Side::A)));
    let mut stranger = Peer::dial(call.local[0]);
    stranger.send(&support::replace(&call.bind(Side::A, "tidwrong"), "ownA", "other"));
    assert!(stranger.frame().starts_with(b"MSRP tidwrong 481"));
    comes_back(&mut engine, &call, Policy::Aware);
}

#[test]
fn new_sdp_in_the_window_dials() {
    let mut engine = engine();
    let (call, a, mut b) = engine.joined(Policy::Aware);
    a.reset();
    b.expect_reset();
    engine.until(&call, NoticeKind::Reconnecting(CloseReason::PeerReset(Side::A)));
    let (listener, target) = listener();
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidagain"));
    let mut b = Peer::accept(&listener);
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "tidagain")));
}

#[test]
fn a_session_with_a_dialled_leg_ends_at_once() {
    let mut engine = engine();
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidfirst"));
    let b = Peer::accept(&listener);
    engine.until(&call, NoticeKind::Joined);
    b.reset();
    a.expect_reset();
    assert_eq!(engine.closed(&call), CloseReason::PeerReset(Side::B));
}

#[test]
fn a_second_session_listens_where_the_first_has_its_connections() {
    // What an opaque re-offer needs: both legs are made anew, the old ones go on until then.
    let mut engine = engine();
    let (first, mut a, mut b) = engine.joined(Policy::Cema);
    let second = engine.open_at(Policy::Cema, first.local);
    assert_eq!(second.local, first.local);
    second.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let (mut new_a, mut new_b) = comes_back(&mut engine, &second, Policy::Cema);
    for (from, to) in [(&mut a, &mut b), (&mut new_a, &mut new_b)] {
        from.send(b"MSRP both SEND\r\n");
        to.expect(b"MSRP both SEND\r\n");
    }
    first.session.close(CloseReason::Deleted, Duration::ZERO);
    a.expect_fin();
    b.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&first), CloseReason::Deleted);
    new_a.send(b"still here");
    new_b.expect(b"still here");
}
