//! Many sessions at once, and what is left when they are gone.

mod support;

use std::fs;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, NoticeKind, Policy, Role, Side, Target};
use support::{Call, Engine, Peer, config};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// One test: the count of descriptors is the process's.
#[test]
fn two_hundred_sessions_on_two_threads_leave_nothing_behind() {
    let before = descriptors();
    let mut engine = Engine::new(Config { threads: 2, ..config() });
    let started = descriptors();
    let calls: Vec<Call> = (0..200).map(|_| engine.open(Policy::Aware)).collect();
    for call in &calls {
        call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    }
    let mut peers: Vec<[Peer; 2]> = calls.iter().map(|c| c.local.map(Peer::dial)).collect();
    for (call, peers) in calls.iter().zip(&mut peers) {
        for side in Side::BOTH {
            peers[side.index()].send(&call.bind(side, "bindaaaa"));
        }
    }
    for (call, peers) in calls.iter().zip(&mut peers) {
        for side in Side::BOTH {
            let bind = call.bind(side, "bindaaaa");
            peers[side.other().index()].expect(&call.arrives(side, Policy::Aware, &bind));
        }
        engine.until(call, NoticeKind::Joined);
    }
    // Two descriptors a session, and the peers' own two.
    assert_eq!(descriptors(), started + 4 * calls.len());
    for round in 0..10 {
        let tid = format!("tidround{round}");
        for (call, peers) in calls.iter().zip(&mut peers) {
            let message = call.message(Side::A, &tid, tid.as_bytes());
            peers[0].send(&message);
            peers[1].expect(&call.arrives(Side::A, Policy::Aware, &message));
        }
    }
    let counters = engine.relay.counters();
    assert_eq!(counters.threads.len(), 2);
    assert!(counters.threads.iter().all(|thread| thread.joined == 100), "{counters:?}");
    // Half of them are deleted, half hang up.
    for (n, (call, mut peers)) in calls.iter().zip(peers).enumerate() {
        if n % 2 == 0 {
            call.session.close(CloseReason::Deleted, Duration::ZERO);
            peers.iter_mut().for_each(Peer::expect_fin);
        }
        drop(peers);
        let reason = engine.closed(call);
        assert_eq!(reason == CloseReason::Deleted, n % 2 == 0, "{reason:?}");
    }
    assert_eq!(descriptors(), started);
    let ended: u64 = engine.relay.counters().closed.values().sum();
    assert_eq!(ended, 200);
    drop((calls, engine));
    assert_eq!(descriptors(), before);
}
