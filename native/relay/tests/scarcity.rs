//! Without descriptors: accepting pauses, nothing spins, and it goes on when there are some again.

mod support;

use std::fs::File;

use msrp_relay::{NoticeKind, Policy, Role, Side, Target};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Engine, Peer, config};

/// One test: the limit is the process's.
#[test]
fn accepting_recovers_from_a_lack_of_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    // One descriptor is left, for the peer's own end: the relay finds none.
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    while engine.relay.counters().total.accept_pauses == 0 {
        std::thread::yield_now();
    }
    drop(hoard);
    engine.until(&call, NoticeKind::Bound(Side::A));
    // It tried a few times, not all the time.
    assert!(engine.relay.counters().total.accept_pauses < 100);
}
