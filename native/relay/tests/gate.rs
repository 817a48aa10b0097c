//! Strangers at the door: only the right first frame gets in, and the right peer always can.

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use msrp_relay::{CloseReason, Config, NoticeKind, Policy, Role, Side, Target};
use support::{Call, Engine, Peer, config, find, wait_until};

fn answered(engine: &Engine, policy: Policy) -> Call {
    let call = engine.open(policy);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    call
}

#[test]
fn a_wrong_first_frame_is_refused_and_the_right_peer_still_comes() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Cema, Policy::Sessmatch] {
        let call = answered(&engine, policy);
        let right = String::from_utf8(call.bind(Side::A, "tidright")).unwrap();
        let wrong = right.replace(&call.to[0], "msrp://192.0.2.10:30000/guess;tcp");
        let mut stranger = Peer::dial(call.local[0]);
        stranger.send(wrong.as_bytes());
        let answer = String::from_utf8(stranger.frame()).unwrap();
        assert!(answer.starts_with("MSRP tidright 481 "), "{answer}");
        assert!(!answer.contains(&call.to[0]), "the key is not told: {answer}");
        stranger.expect_fin();
        assert_eq!(call.refusals(), [(stranger.address(), "wrong-to-path")]);
        drop(stranger);
        let mut a = Peer::dial(call.local[0]);
        a.send(right.as_bytes());
        engine.until(&call, NoticeKind::Bound(Side::A));
    }
    assert_eq!(engine.relay.counters().refused.get("wrong-to-path"), Some(&3));
}

#[test]
fn what_may_not_be_answered_is_not() {
    let engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let cases: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not-msrp"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "not-msrp"),
        (b"MSRP abcd1234 200 OK\r\nTo-Path: x\r\nFrom-Path: y\r\n-------abcd1234$\r\n", "not-a-request"),
        (b"MSRP abcd1234 REPORT\r\nTo-Path: msrp://h:1/x;tcp\r\nFrom-Path: msrp://h:2/y;tcp\r\n-------abcd1234$\r\n", "wrong-to-path"),
    ];
    for (bytes, cause) in cases {
        let before = *engine.relay.counters().refused.get(cause).unwrap_or(&0);
        let mut stranger = Peer::dial(call.local[0]);
        stranger.send(bytes);
        stranger.expect_fin();
        assert_eq!(engine.relay.counters().refused.get(cause), Some(&(before + 1)));
        assert_eq!(call.refusals().last(), Some(&(stranger.address(), cause)));
    }
    assert!(engine.relay.take_notices().is_empty(), "what a stranger can cause is no notice");
}

#[test]
fn a_long_first_frame_is_heard_in_pieces() {
    let mut engine = Engine::new(config());
    let (beside, mut from, mut to) = engine.joined(Policy::Aware);
    let call = answered(&engine, Policy::Aware);
    let bind = String::from_utf8(call.bind(Side::A, "tidlong1")).unwrap();
    let (start, end) = bind.split_at(bind.find("-------").unwrap());
    let header = format!("X-Long: {}\r\n", "x".repeat(3000));
    let mut a = Peer::dial(call.local[0]);
    // Much longer than what is looked at first. What goes through the same thread behind a piece
    // tells that the piece has been looked at.
    a.send(start.as_bytes());
    for turn in 0..10 {
        a.send(header.as_bytes());
        let message = beside.message(Side::A, &format!("tidturn{turn}"), b"hi");
        from.send(&message);
        to.expect(&beside.arrives(Side::A, Policy::Aware, &message));
    }
    a.send(end.as_bytes());
    engine.until(&call, NoticeKind::Bound(Side::A));
    assert_eq!(engine.relay.counters().total.panics, 0);
}

fn await_accepted(engine: &Engine, connections: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while engine.relay.counters().total.accepted < connections {
        assert!(Instant::now() < deadline, "not accepted");
        std::thread::yield_now();
    }
}

#[test]
fn a_second_valid_connection_gets_506() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let (mut a, mut second) = (Peer::dial(call.local[0]), Peer::dial(call.local[0]));
    // The port closes at the bind: who is still in the kernel's queue then is reset.
    await_accepted(&engine, 2);
    a.send(&call.bind(Side::A, "tidfirst"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    second.send(&call.bind(Side::A, "tidsecond"));
    let answer = String::from_utf8(second.frame()).unwrap();
    assert!(answer.starts_with("MSRP tidsecond 506 "), "{answer}");
    second.expect_fin();
    assert_eq!(call.refusals(), [(second.address(), "already-bound")]);
    // The first one is not disturbed.
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidother"));
    engine.until(&call, NoticeKind::Joined);
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "tidfirst")));
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.bind(Side::B, "tidother")));
}

#[test]
fn the_port_closes_at_the_bind() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidfirst"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    let late = std::net::TcpStream::connect(call.local[0]);
    assert_eq!(late.map_err(|e| e.kind()).err(), Some(std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn the_oldest_of_a_crowd_gives_way() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let mut crowd: Vec<Peer> = (0..4).map(|_| Peer::dial(call.local[0])).collect();
    let mut a = Peer::dial(call.local[0]);
    crowd[0].expect_fin();
    a.send(&call.bind(Side::A, "tidright"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    assert_eq!(engine.relay.counters().refused.get("crowded"), Some(&1));
    assert_eq!(call.refusals(), [(crowd[0].address(), "crowded")]);
    // The others may still speak.
    crowd[3].send(&call.bind(Side::A, "tidlate1"));
    assert!(crowd[3].frame().starts_with(b"MSRP tidlate1 506 "));
}

#[test]
fn silence_at_the_gate_is_bounded() {
    let gate = Duration::from_millis(50);
    let mut engine = Engine::new(Config { gate, ..config() });
    let call = answered(&engine, Policy::Aware);
    let mut silent = Peer::dial(call.local[0]);
    let mut slow = Peer::dial(call.local[0]);
    slow.send(b"MSRP abcd1234 SEND\r\n");
    silent.expect_fin();
    let mut rest = Vec::new();
    let _ = slow.stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(engine.relay.counters().refused.get("gate-timeout"), Some(&2));
    let late = [&silent, &slow].map(|peer| (peer.address(), "gate-timeout"));
    assert_eq!(call.refusals(), late);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    engine.until(&call, NoticeKind::Bound(Side::A));
}

#[test]
fn before_the_answer_an_opaque_caller_waits_for_its_key() {
    // Side b's key is the offerer's path and known; side a's is the answerer's path and is not.
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Sessmatch);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidearly"));
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidother"));
    assert_eq!(engine.next(&call), NoticeKind::Bound(Side::B));
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    engine.until(&call, NoticeKind::Joined);
    b.expect(&call.bind(Side::A, "tidearly"));
    a.expect(&call.bind(Side::B, "tidother"));
}

#[test]
fn who_has_gone_before_it_can_be_judged_takes_no_place() {
    let mut engine = Engine::new(Config { half_open: 1, ..config() });
    let [call, other] = [(); 2].map(|()| engine.open(Policy::Cema));
    let stranger = Peer::dial(call.local[0]);
    await_accepted(&engine, 1);
    stranger.reset();
    wait_until(|| engine.relay.counters().refused.get("left") == Some(&1));
    let mut a = Peer::dial(other.local[0]);
    a.send(&other.bind(Side::A, "tidearly"));
    await_accepted(&engine, 2);
    other.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    engine.until(&other, NoticeKind::Bound(Side::A));
}

#[test]
fn a_first_frame_may_come_byte_by_byte() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let mut a = Peer::dial(call.local[0]);
    for byte in call.bind(Side::A, "tidright") {
        a.send(&[byte]);
    }
    engine.until(&call, NoticeKind::Bound(Side::A));
}

#[test]
fn an_endless_header_is_refused() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let mut stranger = Peer::dial(call.local[0]);
    let mut flood = b"MSRP abcd1234 SEND\r\nTo-Path: ".to_vec();
    flood.resize(1 << 20, b'x');
    // The relay may end the connection before it has taken everything.
    let _ = stranger.stream.write_all(&flood);
    let mut rest = Vec::new();
    let _ = stranger.stream.read_to_end(&mut rest);
    assert_eq!(find(&rest, b"ownA"), None);
    assert_eq!(engine.relay.counters().refused.get("not-msrp"), Some(&1));
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    engine.until(&call, NoticeKind::Bound(Side::A));
}

#[test]
fn closing_an_unjoined_session_ends_everything_at_its_doors() {
    let mut engine = Engine::new(config());
    let call = answered(&engine, Policy::Aware);
    let mut stranger = Peer::dial(call.local[1]);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    call.session.close(CloseReason::Deleted, Duration::from_secs(5));
    a.expect_fin();
    stranger.expect_fin();
    drop(a);
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
    for local in call.local {
        assert!(std::net::TcpStream::connect(local).is_err());
    }
}
