//! What the engine's memory holds, as the allocator counts it for the whole process: so there is
//! one test.

mod support;

use std::alloc::System;
use std::io::{Read, Write};

use msrp_relay::{Config, NoticeKind, Policy, Role, Session, Side, Target};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Engine, Peer, config};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn idle_sessions_are_small_and_messages_allocate_nothing() {
    for (policy, most) in [(Policy::Aware, 1300), (Policy::Sessmatch, 1100)] {
        let held = idle_session(policy, false);
        assert!(held < most, "{policy:?}: {held} bytes for an idle session");
        let ring = idle_session(policy, true) - held;
        assert!(ring < 320, "{policy:?}: {ring} bytes for the ring of an idle session");
        assert_eq!(allocations_of_messages(policy), 0, "{policy:?}");
    }
}

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Bytes the engine and its handle hold for each of many joined sessions.
fn idle_session(policy: Policy, ring: bool) -> usize {
    const MANY: usize = 500;
    let mut engine = Engine::new(Config { ring, ..config() });
    // What the thread needs for itself.
    let first = engine.joined(policy);
    let before = live();
    let joined: Vec<(Session, Peer, Peer)> = (0..MANY)
        .map(|_| {
            let (call, a, b) = engine.joined(policy);
            (call.session, a, b)
        })
        .collect();
    let held = live() - before;
    drop((first, joined));
    held / MANY
}

/// How often memory is allocated while messages and their responses pass one by one.
fn allocations_of_messages(policy: Policy) -> usize {
    let mut engine = Engine::new(config());
    let call = engine.open(policy);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let (mut a, mut b) = (Peer::dial(call.local[0]), Peer::dial(call.local[1]));
    a.send(&call.bind(Side::A, "bindaaaa"));
    b.send(&call.bind(Side::B, "bindbbbb"));
    engine.until(&call, NoticeKind::Joined);
    a.frame();
    b.frame();
    let message = call.message(Side::A, "tidhello", &[b'x'; 3000]);
    let response = call.response(Side::B, "tidhello", "200 OK");
    let arrives = [(Side::A, &message), (Side::B, &response)]
        .map(|(side, frame)| call.arrives(side, policy, frame).len());
    let mut buf = [0; 8192];
    let mut talk = |times| {
        for _ in 0..times {
            a.stream.write_all(&message).unwrap();
            b.stream.read_exact(&mut buf[..arrives[0]]).unwrap();
            b.stream.write_all(&response).unwrap();
            a.stream.read_exact(&mut buf[..arrives[1]]).unwrap();
        }
    };
    // As many events as its ring has room for.
    talk(30);
    let region = Region::new(ALLOCATOR);
    talk(200);
    region.change().allocations
}
