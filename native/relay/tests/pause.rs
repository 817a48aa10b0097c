//! Sessions of which nothing is read for a while.

mod support;

use std::net::Shutdown;
use std::time::Duration;

use msrp_relay::{
    CloseReason, Config, LegReason, NoticeKind, Policy, RingWhat, Role, Side, Target,
};
use support::traffic::misdirected;
use support::{Call, Engine, Peer, config, wait_until};

const SHORT: Duration = Duration::from_millis(50);

/// Has it done, and waits until it is: nothing else tells of it.
fn pause(call: &Call, paused: bool) {
    let wanted = if paused { RingWhat::Paused } else { RingWhat::Unpaused };
    let times = || call.session.events().iter().filter(|event| event.what == wanted).count();
    let before = times();
    call.session.pause(paused);
    wait_until(|| times() > before);
}

#[test]
fn what_is_sent_in_a_pause_arrives_after_it_and_nobody_is_called_idle() {
    for policy in [Policy::Aware, Policy::Cema, Policy::Sessmatch] {
        let mut engine = Engine::new(config());
        let (call, mut a, mut b) = engine.joined_idle(policy, Some(SHORT * 4));
        pause(&call, true);
        let before = call.session.report().legs.map(|leg| leg.bytes_in);
        let [hello, answer] =
            [Side::A, Side::B].map(|side| call.message(side, "tidpause", b"hello"));
        a.send(&hello);
        b.send(&answer);
        assert_eq!(engine.quiet_for(SHORT * 8), None);
        assert_eq!(call.session.report().legs.map(|leg| leg.bytes_in), before);
        pause(&call, false);
        b.expect(&call.arrives(Side::A, policy, &hello));
        a.expect(&call.arrives(Side::B, policy, &answer));
        a.expect_fin();
        b.expect_fin();
        drop((a, b));
        assert_eq!(engine.closed(&call), CloseReason::Idle);
    }
}

/// As much as is read at once, all of it refused by the relay.
#[test]
fn whoever_sends_much_that_is_refused_in_a_pause_gets_every_answer() {
    const REQUESTS: usize = 1346;
    for side in Side::BOTH {
        let mut engine = Engine::new(config());
        let (call, mut a, mut b) = engine.joined(Policy::Aware);
        let sender = if side == Side::A { &mut a } else { &mut b };
        let requests: Vec<u8> = (0..REQUESTS).flat_map(misdirected).collect();
        pause(&call, true);
        sender.send(&requests);
        pause(&call, false);
        for number in 0..REQUESTS {
            let answer = String::from_utf8(sender.frame()).unwrap();
            assert!(answer.starts_with(&format!("MSRP bad{number:06} 481 ")), "{answer}");
        }
    }
}

/// More than its rate allows for in the time that half a connection may take.
#[test]
fn what_answers_a_fin_is_not_held_back_by_the_rate() {
    for policy in [Policy::Aware, Policy::Cema] {
        let mut engine = Engine::new(Config { session_rate: 20_000, ..config() });
        let (call, mut a, mut b) = engine.joined(policy);
        let big = call.message(Side::A, "tidlarge", &[b'x'; 300_000]);
        pause(&call, true);
        a.send(&big);
        a.stream.shutdown(Shutdown::Write).unwrap();
        pause(&call, false);
        b.expect(&call.arrives(Side::A, policy, &big));
        let answer = call.response(Side::B, "tidlarge", "200 OK");
        b.send(&answer);
        a.expect(&call.arrives(Side::B, policy, &answer));
    }
}

/// The time that half a connection may take does not go on either.
#[test]
fn what_answers_a_fin_in_a_pause_arrives_after_it() {
    for policy in [Policy::Aware, Policy::Cema] {
        let mut engine = Engine::new(Config { grace: SHORT * 4, ..config() });
        let (call, mut a, mut b) = engine.joined(policy);
        a.fin();
        b.expect_fin();
        pause(&call, true);
        engine.until(&call, NoticeKind::LegLost(Side::A, LegReason::Fin));
        let last = call.message(Side::B, "tidlast", b"goodbye");
        b.send(&last);
        assert_eq!(engine.quiet_for(SHORT * 8), None);
        pause(&call, false);
        a.expect(&call.arrives(Side::B, policy, &last));
        a.expect_fin();
        drop((a, b));
        assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
    }
}

/// Longer than the old connection of a peer that has moved gets to end its chunk.
#[test]
fn what_a_connection_that_is_being_replaced_says_in_a_pause_arrives_after_it() {
    let join = SHORT * 20;
    let mut engine = Engine::new(Config { join, grace: SHORT, ..config() });
    let (mut call, mut a, mut old) = engine.joined(Policy::Aware);
    pause(&call, true);
    let last = call.message(Side::B, "tidlast", b"goodbye");
    let arrives = call.arrives(Side::B, Policy::Aware, &last);
    old.send(&last);
    let moved = "msrp://172.16.4.5:9/moved;tcp";
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, moved);
    call.path[1] = moved.to_owned();
    let mut new = Peer::dial(call.local[1]);
    let bind = call.bind(Side::B, "tidmoved");
    new.send(&bind);
    engine.until(&call, NoticeKind::Bound(Side::B));
    assert_eq!(engine.quiet_for(join * 3 / 2), None);
    pause(&call, false);
    a.expect(&arrives);
    a.expect(&call.arrives(Side::B, Policy::Aware, &bind));
    call.talk(&mut a, &mut new);
}

#[test]
fn a_chunk_is_late_only_while_it_is_read() {
    let mut engine = Engine::new(Config { stall: SHORT, ..config() });
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let frame = call.message(Side::A, "tidpause", b"hello");
    let (begin, _) = frame.split_at(frame.len() - 20);
    pause(&call, true);
    a.send(begin);
    assert_eq!(engine.quiet_for(SHORT * 4), None);
    pause(&call, false);
    assert_eq!(engine.closed(&call), CloseReason::ChunkStalled(Side::A));
    b.expect_reset();
}

#[test]
fn a_paused_session_ends_when_it_is_told_to_or_a_peer_is_lost() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Cema);
    pause(&call, true);
    call.session.close(CloseReason::Deleted, Duration::ZERO);
    a.expect_fin();
    b.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
    let (call, a, mut b) = engine.joined(Policy::Cema);
    pause(&call, true);
    a.reset();
    b.expect_reset();
    assert_eq!(engine.closed(&call), CloseReason::PeerReset(Side::A));
}
