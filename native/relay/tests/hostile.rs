//! Any bytes on a leg: no panic, no hang, a reason, and nobody else notices.

mod support;

use std::io::{Read, Write};
use std::thread;

use msrp_relay::{Policy, Role, Side, Target};
use support::{Call, Engine, Numbers, Peer, config};

/// A few good messages.
fn messages(call: &Call, numbers: &mut Numbers) -> Vec<u8> {
    let mut stream = Vec::new();
    for n in 0..1 + numbers.below(5) {
        let body = vec![b"-\r\nx"[numbers.below(4)]; numbers.below(400)];
        stream.extend(call.message(Side::A, &format!("tid{n:05}"), &body));
    }
    stream
}

/// Something wrong in them.
fn mutated(mut stream: Vec<u8>, numbers: &mut Numbers) -> Vec<u8> {
    for _ in 0..1 + numbers.below(4) {
        let at = numbers.below(stream.len());
        match numbers.below(5) {
            0 => stream[at] ^= 1 << numbers.below(8),
            1 => stream.truncate(at.max(1)),
            2 => drop(stream.drain(at..(at + numbers.below(30)).min(stream.len()))),
            3 => stream.insert(at, b"\r\n \0-:$\xff"[numbers.below(8)]),
            _ => stream.extend_from_within(at..),
        }
        if stream.is_empty() {
            stream.push(b'M');
        }
    }
    stream
}

fn read_to_the_end(mut peer: Peer) {
    let mut rest = Vec::new();
    // FIN or RST: both are an end.
    let _ = peer.stream.read_to_end(&mut rest);
}

#[test]
fn any_bytes_after_the_join_end_in_a_reason() {
    let mut engine = Engine::new(config());
    let (bystander, mut near, mut far) = engine.joined(Policy::Aware);
    let mut numbers = Numbers(1);
    for _ in 0..300 {
        let (call, mut a, b) = engine.joined(Policy::Aware);
        let bytes = mutated(messages(&call, &mut numbers), &mut numbers);
        let _ = a.stream.write_all(&bytes);
        let _ = rustix::net::shutdown(&a.stream, rustix::net::Shutdown::Write);
        thread::scope(|scope| {
            scope.spawn(|| read_to_the_end(b));
            scope.spawn(|| read_to_the_end(a));
        });
        engine.closed(&call);
    }
    let counters = engine.relay.counters();
    assert_eq!(counters.total.panics, 0);
    assert!(counters.closed["malformed"] > 20 && counters.closed["hangup"] > 20, "{counters:?}");
    let message = bystander.message(Side::A, "tidstill", b"still here");
    near.send(&message);
    far.expect(&bystander.arrives(Side::A, Policy::Aware, &message));
}

#[test]
fn any_bytes_at_the_gate_let_the_right_peer_in() {
    let mut engine = Engine::new(config());
    let mut numbers = Numbers(2);
    for policy in [Policy::Aware, Policy::Cema] {
        let call = engine.open(policy);
        call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
        for _ in 0..200 {
            let mut stranger = Peer::dial(call.local[0]);
            // Another session-id first: a mutation elsewhere must not open the door.
            let good = messages(&call, &mut numbers);
            let wrong = support::replace(&good, &call.to[0], "msrp://192.0.2.10:30000/guess;tcp");
            let wrong = mutated(wrong, &mut numbers);
            let _ = stranger.stream.write_all(&wrong);
            let _ = rustix::net::shutdown(&stranger.stream, rustix::net::Shutdown::Write);
            read_to_the_end(stranger);
        }
        let mut a = Peer::dial(call.local[0]);
        a.send(&call.bind(Side::A, "tidright"));
        engine.until(&call, msrp_relay::NoticeKind::Bound(Side::A));
    }
    assert_eq!(engine.relay.counters().total.panics, 0);
}
