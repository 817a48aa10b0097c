//! A joined peer moves: its leg gets another connection, the other leg keeps its own.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, LegReason, NoticeKind, Policy, Role, Side, Target};
use support::{Call, Engine, Peer, config, listener, replace, wait_until};

const MOVED: &str = "msrp://172.16.4.5:9/moved;tcp";
const AWARE: Policy = Policy::Aware;

/// Side B has another path; the relay accepts it.
fn moves(engine: &mut Engine, policy: Policy) -> (Call, Peer, Peer) {
    let (mut call, a, b) = engine.joined(policy);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
    (call, a, b)
}

/// The new B dials and is bound.
fn new_b(engine: &mut Engine, call: &Call) -> Peer {
    let mut peer = Peer::dial(call.local[1]);
    peer.send(&call.bind(Side::B, "tidmoved"));
    engine.until(call, NoticeKind::Bound(Side::B));
    peer
}

/// Returns when the relay has taken the answer that reopened B's listener.
fn taken(call: &Call) {
    let mut stranger = Peer::dial(call.local[1]);
    stranger.send(b"no MSRP\r\n");
    stranger.expect_fin();
}

/// B has another path, and has said a part of a chunk, whose rest is given too: it passes as it is.
fn moves_inside_a_chunk(engine: &mut Engine) -> (Call, Peer, Peer, Vec<u8>) {
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    let long = call.message(Side::B, "tidlong1", &[b'x'; 5000]);
    let (begun, rest) = long.split_at(4000);
    old.send(begun);
    let arrives = call.arrives(Side::B, AWARE, &long);
    assert!(arrives.ends_with(rest));
    a.expect(&arrives[..arrives.len() - rest.len()]);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
    (call, a, old, rest.to_vec())
}

#[test]
fn the_new_connection_takes_over_and_the_other_leg_keeps_its_own() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut old) = moves(&mut engine, AWARE);
    let mut new = new_b(&mut engine, &call);
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    engine.until(&call, NoticeKind::Renewed(Side::B));
    old.expect_fin();
    call.talk(&mut a, &mut new);
    let report = call.session.report();
    assert_eq!(report.legs[1].peer, Some(new.stream.local_addr().unwrap()));
    assert_eq!(report.legs.map(|leg| leg.chunks), [2, 3]);
    assert!(TcpStream::connect(call.local[1]).is_err(), "the listener has closed again");
}

#[test]
fn the_old_connection_goes_on_until_then() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    let mut new = Peer::dial(call.local[1]);
    call.talk(&mut a, &mut old);
    call.path[1] = MOVED.to_owned();
    new.send(&call.bind(Side::B, "tidmoved"));
    engine.until(&call, NoticeKind::Renewed(Side::B));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn it_waits_for_the_end_of_the_old_peers_chunk() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut old, rest) = moves_inside_a_chunk(&mut engine);
    let mut new = new_b(&mut engine, &call);
    old.send(&rest);
    a.expect(&rest);
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn a_new_connection_that_is_reset_before_its_turn_leaves_the_old_one() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut old, rest) = moves_inside_a_chunk(&mut engine);
    new_b(&mut engine, &call).reset();
    wait_until(|| TcpStream::connect(call.local[1]).is_ok());
    let mut new = new_b(&mut engine, &call);
    old.send(&rest);
    a.expect(&rest);
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn a_chunk_the_old_peer_cuts_is_closed_for_the_other_side() {
    let mut engine = Engine::new(config());
    for by_reset in [false, true] {
        let (mut call, mut a, mut old) = engine.joined(AWARE);
        let long = call.message(Side::B, "tidlong1", &[b'x'; 5000]);
        old.send(&long[..4000]);
        let arrives = call.arrives(Side::B, AWARE, &long[..4000]);
        a.expect(&arrives);
        call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
        call.path[1] = MOVED.to_owned();
        taken(&call);
        let mut new = Peer::dial(call.local[1]);
        let how = if by_reset { LegReason::Reset } else { LegReason::Fin };
        if by_reset {
            old.reset()
        } else {
            old.fin()
        }
        a.expect(b"\r\n-------tidlong1#\r\n");
        engine.until(&call, NoticeKind::LegLost(Side::B, how));
        // What the other side says meanwhile waits for the new connection.
        let early = call.message(Side::A, "tidearly", b"while you were away");
        a.send(&early);
        new.send(&call.bind(Side::B, "tidmoved"));
        new.expect(&call.arrives(Side::A, AWARE, &early));
        a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
        call.talk(&mut a, &mut new);
    }
}

#[test]
fn the_rest_of_a_chunk_for_the_old_peer_does_not_reach_the_new_one() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    let long = call.message(Side::A, "tidlong1", &[b'x'; 5000]);
    let (begun, rest) = long.split_at(4000);
    a.send(begun);
    let arrives = call.arrives(Side::A, AWARE, begun);
    old.expect(&arrives);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
    taken(&call);
    let mut new = Peer::dial(call.local[1]);
    old.reset();
    engine.until(&call, NoticeKind::LegLost(Side::B, LegReason::Reset));
    new.send(&call.bind(Side::B, "tidmoved"));
    engine.until(&call, NoticeKind::Renewed(Side::B));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    a.send(rest);
    call.talk(&mut a, &mut new);
}

#[test]
fn a_passive_peer_is_dialled_and_bound_by_the_relay() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    let (listener, target) = listener();
    call.answer_with(Role::Accept, Role::Dial, Target::None, target, MOVED);
    call.path[1] = MOVED.to_owned();
    let mut new = Peer::accept(&listener);
    let bind = String::from_utf8(new.frame()).unwrap();
    assert!(bind.contains(&format!("To-Path: {MOVED}\r\n")), "{bind}");
    let tid = bind.split(' ').nth(1).unwrap();
    new.send(&call.response(Side::B, tid, "200 OK"));
    engine.until(&call, NoticeKind::Renewed(Side::B));
    old.expect_fin();
    call.talk(&mut a, &mut new);
}

#[test]
fn a_peer_that_refuses_our_bind_leaves_the_old_connection() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut old) = engine.joined(AWARE);
    let (listener, target) = listener();
    call.answer_with(Role::Accept, Role::Dial, Target::None, target, MOVED);
    let mut new = Peer::accept(&listener);
    let bind = String::from_utf8(new.frame()).unwrap();
    let tid = bind.split(' ').nth(1).unwrap();
    new.send(&call.response(Side::B, tid, "481 No"));
    engine.until(&call, NoticeKind::DialFailed(Side::B));
    call.talk(&mut a, &mut old);
}

#[test]
fn a_peer_that_dials_although_it_is_being_dialled_takes_over() {
    let mut engine = Engine::new(config());
    let (mut call, mut a, _old) = engine.joined(AWARE);
    let (listener, target) = listener();
    call.answer_with(Role::Accept, Role::Dial, Target::None, target, MOVED);
    call.path[1] = MOVED.to_owned();
    let mut dialled = Peer::accept(&listener);
    dialled.frame();
    let mut new = new_b(&mut engine, &call);
    dialled.expect_fin();
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn nobody_comes_and_the_old_connection_stays() {
    let mut engine = Engine::new(Config { join: Duration::from_millis(50), ..config() });
    let (call, mut a, mut old) = engine.joined(AWARE);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    engine.until(&call, NoticeKind::AnswerIgnored(Side::B));
    assert!(TcpStream::connect(call.local[1]).is_err());
    call.talk(&mut a, &mut old);
}

/// Meanwhile nobody is read.
#[test]
fn nobody_is_idle_while_a_peer_that_has_moved_is_waited_for() {
    let idle = Duration::from_millis(200);
    let mut engine = Engine::new(config());
    let (mut call, mut a, old) = engine.joined_idle(AWARE, Some(idle));
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
    let mut new = Peer::dial(call.local[1]);
    old.fin();
    engine.until(&call, NoticeKind::LegLost(Side::B, LegReason::Fin));
    let early = call.message(Side::A, "tidearly", b"while you were away");
    a.send(&early);
    assert_eq!(engine.quiet_for(idle * 3), None);
    new.send(&call.bind(Side::B, "tidmoved"));
    new.expect(&call.arrives(Side::A, AWARE, &early));
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    a.expect_fin();
    drop((a, new));
    assert_eq!(engine.closed(&call), CloseReason::Idle);
}

#[test]
fn nobody_comes_and_nobody_is_there() {
    let mut engine = Engine::new(Config { join: Duration::from_millis(50), ..config() });
    let (call, mut a, old) = moves(&mut engine, AWARE);
    taken(&call);
    old.reset();
    a.expect_fin();
    drop(a);
    assert_eq!(engine.closed(&call), CloseReason::LegMissing(Side::B));
}

#[test]
fn a_chunk_that_never_ends_gives_way_when_the_time_is_over() {
    let short = Duration::from_millis(50);
    let mut engine = Engine::new(Config { join: short, grace: short, ..config() });
    let (mut call, mut a, mut old) = engine.joined(AWARE);
    let long = call.message(Side::B, "tidlong1", &[b'x'; 5000]);
    old.send(&long[..4000]);
    a.expect(&call.arrives(Side::B, AWARE, &long[..4000]));
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
    call.path[1] = MOVED.to_owned();
    let mut new = Peer::dial(call.local[1]);
    new.send(&call.bind(Side::B, "tidmoved"));
    a.expect(b"\r\n-------tidlong1#\r\n");
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}

#[test]
fn both_peers_move() {
    let mut engine = Engine::new(config());
    let (mut call, _a, _b) = engine.joined(AWARE);
    call.path = ["msrp://10.0.0.6:9/movedA;tcp".to_owned(), MOVED.to_owned()];
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let mut new = Side::BOTH.map(|side| Peer::dial(call.local[side.index()]));
    new[0].send(&call.bind(Side::A, "tidnewaa"));
    engine.until(&call, NoticeKind::Renewed(Side::A));
    new[1].send(&call.bind(Side::B, "tidnewbb"));
    engine.until(&call, NoticeKind::Renewed(Side::B));
    let [mut a, mut b] = new;
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidnewbb")));
    call.talk(&mut a, &mut b);
}

#[test]
fn a_stranger_does_not_get_the_leg() {
    let mut engine = Engine::new(config());
    let (call, mut a, _old) = moves(&mut engine, AWARE);
    let mut stranger = Peer::dial(call.local[1]);
    stranger.send(&replace(&call.bind(Side::B, "tidwrong"), "ownB", "other"));
    assert!(stranger.frame().starts_with(b"MSRP tidwrong 481"));
    let mut new = new_b(&mut engine, &call);
    a.expect(&call.arrives(Side::B, AWARE, &call.bind(Side::B, "tidmoved")));
    call.talk(&mut a, &mut new);
}
