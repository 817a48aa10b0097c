//! What the relay answers itself: to whom, and to nobody any more.

mod support;

use std::time::Duration;

use msrp_relay::{Config, LegReason, NoticeKind, Policy, Role, Side, Target};
use support::traffic::{fill, misdirected};
use support::{Engine, Peer, config, wait_until};

const AWARE: Policy = Policy::Aware;

/// Its answers cannot be said: they must not stand in the way of what can.
#[test]
fn who_is_refused_behind_the_others_fin_is_still_relayed() {
    for side in Side::BOTH {
        let mut engine = Engine::new(Config { grace: Duration::from_secs(600), ..config() });
        let (call, a, b) = engine.joined(AWARE);
        let (mut ends, mut talks) = if side == Side::A { (a, b) } else { (b, a) };
        ends.fin();
        talks.expect_fin();
        for number in 0..1000 {
            talks.send(&misdirected(number));
        }
        let last = call.message(side.other(), "tidlast", b"goodbye");
        talks.send(&last);
        ends.expect(&call.arrives(side.other(), AWARE, &last));
    }
}

#[test]
fn answers_to_a_connection_that_is_gone_do_not_reach_the_next_one() {
    let mut engine = Engine::new(Config { buffer_cap: 64 * 1024, ..config() });
    let (mut call, mut old, mut b) = engine.joined(AWARE);
    let chunk = |n| call.message(Side::B, &format!("chunk{n:04}"), &[b'x'; 1000]);
    let chunks: Vec<u8> = (0..8000).flat_map(chunk).collect();
    let at = fill(&b.stream, &chunks);
    let read = || call.session.report().legs[0].bytes_in;
    let (refused, before) = (misdirected(0), read());
    old.send(&refused);
    wait_until(|| read() == before + refused.len() as u64);
    call.path[0] = "msrp://10.0.0.6:9/movedA;tcp".to_owned();
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let mut new = Peer::dial(call.local[0]);
    old.reset();
    engine.until(&call, NoticeKind::LegLost(Side::A, LegReason::Reset));
    new.send(&call.bind(Side::A, "tidmoved"));
    b.expect(&call.arrives(Side::A, AWARE, &call.bind(Side::A, "tidmoved")));
    let last = call.message(Side::B, "tidlast", b"hello");
    std::thread::scope(|scope| {
        scope.spawn(|| b.send(&[&chunks[at..], &last].concat()));
        let last = call.arrives(Side::B, AWARE, &last);
        let mut heard = Vec::new();
        while heard != last {
            heard = new.frame();
            let answer = String::from_utf8_lossy(&heard);
            assert!(!answer.contains(" 481 "), "{answer}");
        }
    });
}
