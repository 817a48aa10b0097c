//! From open to joined: who connects to whom, and who speaks first.

mod support;

use std::io::{BufRead, BufReader};
use std::time::Duration;

use msrp_relay::{
    AnswerSpec, CloseReason, LegAnswer, LegOpen, LegReason, NoticeKind, OpenSpec, Policy, RingWhat,
    Role, Side, Sources, Target,
};
use support::{Call, Engine, Peer, config, deaf, listener, nobody};

const POLICIES: [Policy; 3] = [Policy::Aware, Policy::Cema, Policy::Sessmatch];

#[test]
fn both_dial_in_in_either_order() {
    let mut engine = Engine::new(config());
    for policy in POLICIES {
        for first in Side::BOTH {
            let call = engine.open(policy);
            call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
            let second = first.other();
            let mut early = Peer::dial(call.local[first.index()]);
            early.send(&call.bind(first, "tidearly"));
            engine.until(&call, NoticeKind::Bound(first));
            let mut late = Peer::dial(call.local[second.index()]);
            late.send(&call.bind(second, "tidlate1"));
            engine.until(&call, NoticeKind::Joined);
            late.expect(&call.arrives(first, policy, &call.bind(first, "tidearly")));
            early.expect(&call.arrives(second, policy, &call.bind(second, "tidlate1")));
            late.send(&call.response(second, "tidearly", "200 OK"));
            early.expect(&call.arrives(
                second,
                policy,
                &call.response(second, "tidearly", "200 OK"),
            ));
        }
    }
}

#[test]
fn an_answerer_that_dials_before_the_answer_is_bound_and_joined_after_it() {
    let mut engine = Engine::new(config());
    for policy in POLICIES {
        let call = engine.open(policy);
        let mut b = Peer::dial(call.local[1]);
        b.send(&call.bind(Side::B, "tidearly"));
        engine.until(&call, NoticeKind::Bound(Side::B));
        call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
        let mut a = Peer::dial(call.local[0]);
        a.send(&call.bind(Side::A, "tidlate1"));
        engine.until(&call, NoticeKind::Joined);
        a.expect(&call.arrives(Side::B, policy, &call.bind(Side::B, "tidearly")));
        b.expect(&call.arrives(Side::A, policy, &call.bind(Side::A, "tidlate1")));
    }
}

#[test]
fn an_offerer_that_the_answer_gives_another_uri_calls_that_and_is_called_from_there() {
    let mut engine = Engine::new(config());
    let mut call = engine.open(Policy::Aware);
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidearly"));
    engine.until(&call, NoticeKind::Bound(Side::B));
    let before = call.bind(Side::A, "tidformer");
    call.answer_giving("msrp://relay.example.net:30000/ownA;tcp");
    let mut stranger = Peer::dial(call.local[0]);
    stranger.send(&before);
    assert!(stranger.frame().starts_with(b"MSRP tidformer 481 "));
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidlate1"));
    engine.until(&call, NoticeKind::Joined);
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.bind(Side::B, "tidearly")));
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "tidlate1")));
}

#[test]
fn early_bytes_are_held_and_arrive_in_order() {
    let mut engine = Engine::new(config());
    for policy in POLICIES {
        let call = engine.open(policy);
        call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
        let mut a = Peer::dial(call.local[0]);
        let mut all = call.bind(Side::A, "tidearly");
        for n in 0..200 {
            all.extend(call.message(Side::A, &format!("tid{n:05}"), &[b'x'; 300]));
        }
        a.send(&all);
        engine.until(&call, NoticeKind::Bound(Side::A));
        let mut b = Peer::dial(call.local[1]);
        b.send(&call.bind(Side::B, "tidlate1"));
        b.expect(&call.arrives(Side::A, policy, &all));
        a.expect(&call.arrives(Side::B, policy, &call.bind(Side::B, "tidlate1")));
    }
}

#[test]
fn a_passive_peer_is_dialled_when_the_other_has_bound() {
    let mut engine = Engine::new(config());
    for policy in POLICIES {
        for dialled in Side::BOTH {
            let caller = dialled.other();
            let (listener, target) = listener();
            let call = engine.open(policy);
            match dialled {
                Side::A => call.answer(Role::Dial, Role::Accept, target, Target::None),
                Side::B => call.answer(Role::Accept, Role::Dial, Target::None, target),
            }
            let mut active = Peer::dial(call.local[caller.index()]);
            active.send(&call.bind(caller, "tidearly"));
            let mut passive = Peer::accept(&listener);
            passive.expect(&call.arrives(caller, policy, &call.bind(caller, "tidearly")));
            engine.until(&call, NoticeKind::Joined);
            passive.send(&call.response(dialled, "tidearly", "200 OK"));
            active.expect(&call.arrives(
                dialled,
                policy,
                &call.response(dialled, "tidearly", "200 OK"),
            ));
        }
    }
}

#[test]
fn a_body_first_is_preceded_by_the_relays_own_bind() {
    let engine = Engine::new(config());
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.message(Side::A, "tidfirst", b"hello"));
    let mut b = Peer::accept(&listener);
    let bind = String::from_utf8(b.frame()).unwrap();
    assert!(bind.contains(" SEND\r\n") && !bind.contains("Content-Type"), "{bind}");
    assert!(bind.contains(&format!("To-Path: {}\r\n", call.path[1])), "{bind}");
    assert!(bind.contains(&format!("From-Path: {}\r\n", call.to[1])), "{bind}");
    let tid = bind.split(' ').nth(1).unwrap();
    // What stands behind the answer belongs to the other peer; the answer itself is swallowed.
    let mut answer = call.response(Side::B, tid, "200 OK");
    answer.extend(call.message(Side::B, "tidbehind", b"held"));
    b.send(&answer);
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.message(Side::A, "tidfirst", b"hello")));
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.message(Side::B, "tidbehind", b"held")));
}

#[test]
fn two_passive_peers_are_dialled_and_each_is_bound_by_the_relay() {
    let mut engine = Engine::new(config());
    let ((listen_a, target_a), (listen_b, target_b)) = (listener(), listener());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Dial, Role::Dial, target_a, target_b);
    let mut peers = [Peer::accept(&listen_a), Peer::accept(&listen_b)];
    for side in Side::BOTH {
        let bind = String::from_utf8(peers[side.index()].frame()).unwrap();
        let tid = bind.split(' ').nth(1).unwrap();
        peers[side.index()].send(&call.response(side, tid, "200 OK"));
    }
    engine.until(&call, NoticeKind::Joined);
    let [a, b] = &mut peers;
    a.send(&call.message(Side::A, "tidhello", b"hello"));
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.message(Side::A, "tidhello", b"hello")));
}

#[test]
fn an_own_bind_for_which_there_is_no_room_at_once_is_said_to_its_end() {
    let engine = Engine::new(msrp_relay::Config { buffer_cap: 16 * 1024, ..config() });
    let (listener, target) = listener();
    let any = "127.0.0.1:0".parse().unwrap();
    let own = format!("msrp://192.0.2.10:30002/{};tcp", "x".repeat(4 << 20));
    let leg = |own: &str| LegOpen {
        listen: any,
        own_uri: own.into(),
        peer_path: vec![],
        sources: Sources::Any,
    };
    let legs = [leg("msrp://192.0.2.10:30000/ownA;tcp"), leg(&own)];
    let spec = OpenSpec { policy: Policy::Aware, legs, tos: None, idle: None };
    let session = engine.relay.open(spec).unwrap();
    let leg = |role, target| LegAnswer {
        role,
        peer_path: vec![b"msrp://172.16.4.4:9/path;tcp".to_vec()],
        target,
        sources: Sources::Any,
        own_uri: None,
    };
    let legs = [leg(Role::Dial, Target::None), leg(Role::Dial, target)];
    session.answer(AnswerSpec { legs });
    let b = Peer::accept(&listener);
    let mut bind = BufReader::new(&b.stream).lines().map(Result::unwrap);
    let tid = bind.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let end_line = format!("-------{tid}$");
    let lines: Vec<_> = bind.take_while(|line| *line != end_line).collect();
    assert!(lines.contains(&format!("From-Path: {own}")));
}

#[test]
fn a_refused_own_bind_ends_the_session() {
    let mut engine = Engine::new(config());
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.message(Side::A, "tidfirst", b"hello"));
    let mut b = Peer::accept(&listener);
    let bind = String::from_utf8(b.frame()).unwrap();
    let tid = bind.split(' ').nth(1).unwrap();
    b.send(&call.response(Side::B, tid, "481 No"));
    b.expect_fin();
    a.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&call), CloseReason::OwnBindRefused(Side::B));
}

#[test]
fn an_unanswered_own_bind_ends_the_session() {
    let mut engine =
        Engine::new(msrp_relay::Config { own_bind: Duration::from_millis(50), ..config() });
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.message(Side::A, "tidfirst", b"hello"));
    let mut b = Peer::accept(&listener);
    b.frame();
    b.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&call), CloseReason::OwnBindTimeout(Side::B));
}

#[test]
fn addresses_are_tried_in_turn() {
    let mut engine = Engine::new(config());
    let (listener, target) = listener();
    let Target::Addrs(mut addrs) = target else { unreachable!() };
    addrs.insert(0, nobody());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, Target::Addrs(addrs));
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidfirst"));
    let _b = Peer::accept(&listener);
    engine.until(&call, NoticeKind::Joined);
}

#[test]
fn a_failed_dial_leaves_the_listener_to_the_peer() {
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    let targets = [nobody(), nobody()];
    call.answer(Role::Accept, Role::Dial, Target::None, Target::Addrs(targets.to_vec()));
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidfirst"));
    let told = engine.failure(&call).map(|failure| failure.to_string());
    assert_eq!(told, Some(format!("ECONNREFUSED at {}", targets[1])));
    assert_eq!(call.connections(RingWhat::Dialling), targets.map(|to| (to, "")));
    let failed = targets.map(|to| (to, "ECONNREFUSED"));
    assert_eq!(call.connections(RingWhat::DialFailed), failed);
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidsecond"));
    engine.until(&call, NoticeKind::Joined);
}

#[test]
fn a_dial_that_nobody_answers_has_timed_out() {
    let mut engine = Engine::new(msrp_relay::Config { join: Duration::from_secs(1), ..config() });
    // Its queue is full: the kernel drops whoever else comes.
    let deaf = deaf();
    for targets in [vec![deaf.address], vec![deaf.address, deaf.address]] {
        let call = engine.open(Policy::Aware);
        let timed_out = vec![(deaf.address, "ETIMEDOUT"); targets.len()];
        call.answer(Role::Accept, Role::Dial, Target::None, Target::Addrs(targets));
        let mut a = Peer::dial(call.local[0]);
        a.send(&call.bind(Side::A, "tidfirst"));
        let told = engine.failure(&call).map(|failure| failure.to_string());
        assert_eq!(told, Some(format!("ETIMEDOUT at {}", deaf.address)));
        a.expect_fin();
        drop(a);
        assert_eq!(engine.closed(&call), CloseReason::DialFailed(Side::B));
        assert_eq!(call.connections(RingWhat::DialFailed), timed_out);
    }
}

#[test]
fn a_denied_dial_is_told_by_the_ring() {
    let engine = Engine::new(config());
    let denied = |call: &Call| {
        let events = call.session.events().into_iter();
        let sides = events.filter(|event| event.what == RingWhat::DialDenied);
        sides.map(|event| event.side).collect::<Vec<_>>()
    };
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, Target::Denied);
    support::wait_until(|| denied(&call) == [Some(Side::B)]);
    let call = engine.open(Policy::Aware);
    call.answer(Role::Dial, Role::Accept, Target::Pending, Target::None);
    call.session.set_target(Side::A, Target::Denied);
    support::wait_until(|| denied(&call) == [Some(Side::A)]);
}

#[test]
fn reasons_name_who_is_missing() {
    let cases = [
        (Target::None, Role::Accept, CloseReason::LegMissing(Side::B)),
        (Target::Denied, Role::Dial, CloseReason::DialDenied(Side::B)),
        (Target::Addrs(vec![nobody()]), Role::Dial, CloseReason::DialFailed(Side::B)),
    ];
    let mut engine =
        Engine::new(msrp_relay::Config { join: Duration::from_millis(100), ..config() });
    for (target, role, reason) in cases {
        let call = engine.open(Policy::Aware);
        call.answer(Role::Accept, role, Target::None, target);
        let mut a = Peer::dial(call.local[0]);
        a.send(&call.bind(Side::A, "tidfirst"));
        a.expect_fin();
        drop(a);
        assert_eq!(engine.closed(&call), reason);
    }
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    assert_eq!(engine.closed(&call), CloseReason::JoinTimeout);
}

#[test]
fn a_name_resolved_late_is_dialled_then() {
    let mut engine = Engine::new(config());
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, Target::Pending);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidfirst"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    call.session.set_target(Side::B, target);
    let mut b = Peer::accept(&listener);
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "tidfirst")));
}

#[test]
fn a_valid_bind_on_the_listener_cancels_the_dial() {
    let mut engine = Engine::new(config());
    let (listener, target) = listener();
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.message(Side::A, "tidfirst", b"hello"));
    // The dial is connected and waits for the 200 to the relay's bind.
    let mut dialled = Peer::accept(&listener);
    dialled.frame();
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidsecond"));
    engine.until(&call, NoticeKind::Joined);
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.message(Side::A, "tidfirst", b"hello")));
    dialled.expect_fin();
}

#[test]
fn a_peer_that_leaves_before_the_join_can_come_again() {
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let mut first = Peer::dial(call.local[0]);
    first.send(&call.bind(Side::A, "tidfirst"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    drop(first);
    engine.until(&call, NoticeKind::LegLost(Side::A, LegReason::Fin));
    let mut again = Peer::dial(call.local[0]);
    again.send(&call.bind(Side::A, "tidagain"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    let mut reset = Peer::dial(call.local[1]);
    reset.send(&call.bind(Side::B, "tidreset"));
    reset.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "tidagain")));
}

#[test]
fn a_half_closed_early_peer_is_still_heard() {
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let mut a = Peer::dial(call.local[0]);
    let said = [call.bind(Side::A, "tidfirst"), call.message(Side::A, "tidlast1", b"bye")].concat();
    a.send(&said);
    a.fin();
    engine.until(&call, NoticeKind::LegLost(Side::A, LegReason::Fin));
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidsecond"));
    b.expect(&call.arrives(Side::A, Policy::Aware, &said));
    b.expect_fin();
    b.send(&call.response(Side::B, "tidlast1", "200 OK"));
    b.fin();
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.bind(Side::B, "tidsecond")));
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.response(Side::B, "tidlast1", "200 OK")));
    a.expect_fin();
    assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
}

#[test]
fn a_later_answer_leaves_joined_legs_alone_where_no_chunks_are_seen() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Cema);
    let none = Target::None;
    call.answer(Role::Accept, Role::Accept, none.clone(), none.clone());
    let other = "msrp://172.16.4.5:9/pathC;tcp";
    call.answer_with(Role::Accept, Role::Accept, none.clone(), none, other);
    assert_eq!(engine.next(&call), NoticeKind::AnswerIgnored(Side::B));
    let message = call.message(Side::A, "tidstill", b"still here");
    a.send(&message);
    b.expect(&call.arrives(Side::A, Policy::Cema, &message));
}
