//! Without descriptors: accepting pauses, nothing spins, and it goes on when there are some again.

mod support;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use msrp_relay::{CloseReason, Config, NoticeKind, Policy, RingWhat, Role, Side, Target};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Engine, Peer, config, listener, wait_until};

/// One test at a time: the limit is the process's.
static ONE: Mutex<()> = Mutex::new(());

/// All descriptors that there are.
fn hoard() -> Vec<File> {
    limit_to(64);
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn limit_to(descriptors: u64) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), ..limit }).unwrap();
}

/// An eighth of them, where there are so few.
#[test]
fn the_last_descriptors_are_not_for_strangers() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    limit_to(128);
    let mut hoard = hoard_below(128 - 16);
    let pauses = || engine.relay.counters().total.accept_pauses;
    let mut strangers = Vec::new();
    while pauses() == 0 {
        assert!(strangers.len() < 10, "all were accepted");
        let accepted = engine.relay.counters().total.accepted;
        strangers.push(Peer::dial(call.local[0]));
        wait_until(|| pauses() > 0 || engine.relay.counters().total.accepted > accepted);
    }
    let accepted = engine.relay.counters().total.accepted;
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    let before = pauses();
    wait_until(|| pauses() > before + 1);
    assert_eq!(engine.relay.counters().total.accepted, accepted);
    File::open("/dev/null").expect("there are some for others");
    hoard.clear();
    engine.until(&call, NoticeKind::Bound(Side::A));
}

/// All up to this one.
fn hoard_below(end: i32) -> Vec<File> {
    let files = std::iter::from_fn(|| File::open("/dev/null").ok());
    files.take_while(|file| file.as_raw_fd() < end).collect()
}

#[test]
fn ports_are_opened_again_after_a_loss_for_which_there_were_no_descriptors() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut engine = Engine::new(Config { reconnect: Duration::from_secs(60), ..config() });
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let hoard = hoard();
    a.fin();
    b.expect_fin();
    b.fin();
    a.expect_fin();
    engine.until(&call, NoticeKind::Reconnecting(CloseReason::Hangup(Side::A)));
    drop(hoard);
    for side in Side::BOTH {
        let mut peer = Peer::dial(call.local[side.index()]);
        peer.send(&call.bind(side, "tidagain"));
        engine.until(&call, NoticeKind::Bound(side));
    }
}

#[test]
fn accepting_recovers_from_a_lack_of_descriptors() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    // One descriptor is left, for the peer's own end: the relay finds none.
    let mut hoard = hoard();
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

#[test]
fn a_dial_for_which_there_are_no_descriptors_is_made_when_there_are() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    let (listener, target) = listener();
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidright"));
    engine.until(&call, NoticeKind::Bound(Side::A));
    let failures = || {
        let events = call.session.events();
        events.iter().filter(|event| event.what == RingWhat::DialFailed).count()
    };
    let hoard = hoard();
    call.answer(Role::Accept, Role::Dial, Target::None, target);
    wait_until(|| failures() > 0);
    drop(hoard);
    listener.accept().expect("the relay dials");
    assert_eq!(failures(), 1);
    drop(a);
}
