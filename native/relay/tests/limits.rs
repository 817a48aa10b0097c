//! What one session and all strangers together may take.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use msrp_relay::{
    AnswerSpec, CloseReason, Config, LegAnswer, NoticeKind, Policy, Role, Side, Sources, Target,
};
use support::{Call, Engine, Peer, config};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn refusals(engine: &Engine, reason: &str) -> u64 {
    engine.relay.counters().refused.get(reason).copied().unwrap_or_default()
}

/// Waits for a counter of refusals; nothing tells of one.
fn refused(engine: &Engine, reason: &str, times: u64) {
    let start = Instant::now();
    while refusals(engine, reason) < times {
        assert!(start.elapsed() < support::PATIENCE, "{:?}", engine.relay.counters().refused);
        std::thread::yield_now();
    }
}

fn answer(call: &Call, sources: [Sources; 2]) {
    let [from_a, from_b] = sources;
    let leg = |path: &str, sources| LegAnswer {
        role: Role::Accept,
        peer_path: vec![path.as_bytes().to_vec()],
        target: Target::None,
        sources,
        own_uri: None,
    };
    let legs = [leg(&call.path[0], from_a), leg(&call.path[1], from_b)];
    call.session.answer(AnswerSpec { legs });
}

#[test]
fn only_the_sources_named_may_bind() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Cema] {
        let any = "127.0.0.1:0".parse().unwrap();
        let sources = [Sources::Only(vec![ELSEWHERE, LOOPBACK]), Sources::Pending];
        let call = engine.open_with(policy, [any, any], None, sources);
        let mut early = Peer::dial(call.local[1]);
        early.send(&call.bind(Side::B, "tidearly"));
        let before = refusals(&engine, "source");
        answer(&call, [Sources::Only(vec![LOOPBACK]), Sources::Only(vec![ELSEWHERE])]);
        early.expect_fin();
        refused(&engine, "source", before + 1);
        assert_eq!(call.refusals(), [(early.address(), "source")]);
        let mut a = Peer::dial(call.local[0]);
        a.send(&call.bind(Side::A, "tidright"));
        engine.until(&call, NoticeKind::Bound(Side::A));
        // Another answer lets it in after all.
        answer(&call, [Sources::Any, Sources::Only(vec![LOOPBACK])]);
        let mut b = Peer::dial(call.local[1]);
        b.send(&call.bind(Side::B, "tidright"));
        engine.until(&call, NoticeKind::Joined);
    }
}

#[test]
fn nobody_is_judged_while_the_sources_are_not_known() {
    let mut engine = Engine::new(Config { gate: Duration::from_millis(50), ..config() });
    let any = "127.0.0.1:0".parse().unwrap();
    let call = engine.open_with(Policy::Aware, [any; 2], None, [Sources::Any, Sources::Pending]);
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidearly"));
    assert_eq!(engine.quiet_for(Duration::from_millis(200)), None);
    answer(&call, [Sources::Any, Sources::Any]);
    engine.until(&call, NoticeKind::Bound(Side::B));
}

#[test]
fn the_gate_time_of_an_early_caller_counts_from_when_it_can_be_judged() {
    let mut engine = Engine::new(Config { gate: Duration::from_millis(50), ..config() });
    let call = engine.open(Policy::Sessmatch);
    // Without the answer the relay does not know B's session-id, which A's first frame names.
    let mut a = Peer::dial(call.local[0]);
    a.send(&call.bind(Side::A, "tidearly"));
    let mut silent = Peer::dial(call.local[0]);
    assert_eq!(engine.quiet_for(Duration::from_millis(200)), None);
    answer(&call, [Sources::Any, Sources::Any]);
    engine.until(&call, NoticeKind::Bound(Side::A));
    silent.expect_fin();
    refused(&engine, "gate-timeout", 1);
}

#[test]
fn connections_without_a_first_frame_are_bounded_over_all_ports() {
    let mut engine = Engine::new(Config { half_open: 3, ..config() });
    let calls = [(); 3].map(|()| engine.open(Policy::Aware));
    let mut waiting: Vec<_> = calls.iter().map(|call| Peer::dial(call.local[0])).collect();
    while engine.relay.counters().total.accepted < 3 {
        std::thread::yield_now();
    }
    let mut one_more = Peer::dial(calls[0].local[1]);
    one_more.expect_fin();
    refused(&engine, "half-open", 1);
    assert_eq!(calls[0].refusals(), [(one_more.address(), "half-open")]);
    // At a port where somebody waits already, the newcomer takes that place.
    let call = &calls[0];
    answer(call, [Sources::Any, Sources::Any]);
    let mut right = Peer::dial(call.local[0]);
    right.send(&call.bind(Side::A, "tidright"));
    waiting[0].expect_fin();
    engine.until(call, NoticeKind::Bound(Side::A));
    // It is bound, so that there is a place again.
    let mut b = Peer::dial(call.local[1]);
    b.send(&call.bind(Side::B, "tidright"));
    engine.until(call, NoticeKind::Joined);
}

#[test]
fn a_session_that_has_carried_too_much_ends() {
    let mut engine = Engine::new(Config { session_bytes: 100_000, ..config() });
    for policy in [Policy::Aware, Policy::Cema] {
        let (call, mut a, mut b) = engine.joined(policy);
        let small = call.message(Side::A, "tidsmall", &[b'x'; 1000]);
        a.send(&small);
        b.expect(&call.arrives(Side::A, policy, &small));
        let big = call.message(Side::A, "tidlarge", &[b'x'; 100_000]);
        a.send(&big);
        b.expect(&call.arrives(Side::A, policy, &big));
        b.expect_fin();
        drop((a, b));
        assert_eq!(engine.closed(&call), CloseReason::ByteLimit);
    }
}

#[test]
fn a_session_is_slowed_down_to_its_rate_and_loses_nothing() {
    let rate = 4_000_000;
    // Not willing to read is not the sender's fault: the short stall timer must not see it.
    let stall = Duration::from_millis(150);
    let mut engine = Engine::new(Config { session_rate: rate, stall, ..config() });
    for policy in [Policy::Aware, Policy::Sessmatch] {
        let (call, mut a, mut b) = engine.joined(policy);
        let big = call.message(Side::A, "tidlarge", &[b'x'; 2_400_000]);
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| a.send(&big));
            b.expect(&call.arrives(Side::A, policy, &big));
        });
        // What one turn reads comes at once; the rest takes its time.
        let late = call.message(Side::B, "tidlater", b"behind it");
        b.send(&late);
        a.expect(&call.arrives(Side::B, policy, &late));
        assert!(start.elapsed() >= Duration::from_millis(400), "{:?}", start.elapsed());
    }
}

#[test]
fn nobody_is_idle_while_the_rate_keeps_the_relay_from_reading() {
    let idle = Duration::from_millis(150);
    let mut engine = Engine::new(Config { session_rate: 250_000, ..config() });
    for policy in [Policy::Aware, Policy::Cema] {
        let (call, mut a, mut b) = engine.joined_idle(policy, Some(idle));
        // Read at once, and paid for in the seconds after it.
        let big = call.message(Side::A, "tidlarge", &[b'x'; 100_000]);
        a.send(&big);
        b.expect(&call.arrives(Side::A, policy, &big));
        let late = call.message(Side::A, "tidlater", b"in the pause");
        a.send(&late);
        assert_eq!(engine.quiet_for(idle * 3), None);
        b.expect(&call.arrives(Side::A, policy, &late));
        b.expect_fin();
        drop((a, b));
        assert_eq!(engine.closed(&call), CloseReason::Idle);
    }
}
