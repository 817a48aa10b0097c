//! The engine's process is killed again and again, its successors go on: not a byte is lost, doubled
//! or out of order. The test is the keeper and both peers of every session; the relay is a child of
//! it, this program again.

mod kill;
mod support;

use std::time::{Duration, Instant};

use kill::keeper::Keeper;
use kill::peers::{Peers, Traffic, progress, talk};
use kill::worker::{self, OWN, PATH};
use support::{Peer, listener};

/// Not a test: what the child runs.
#[test]
fn worker_process() {
    worker::run();
}

/// How many kills; the traffic may end before.
fn kills() -> u32 {
    std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

#[test]
fn no_byte_is_lost_doubled_or_out_of_order() {
    let mut keeper = Keeper::new();
    keeper.start("", None);
    let sessions = keeper.wait_for_sessions(worker::SESSIONS);
    let peers: Vec<_> =
        sessions.iter().map(|(id, ports)| talk(*id, *ports, Traffic::of(*id))).collect();
    let begun = Instant::now();
    // Between accept(2) and its hand-over a connection is the dying process's alone.
    while !peers.iter().all(Peers::are_joined) {
        assert!(begun.elapsed() < Duration::from_secs(20), "not joined: {}", progress(&peers));
        keeper.live_for(Duration::from_millis(1));
    }
    let mut random = support::Numbers(7);
    let mut killed = 0;
    while !peers.iter().all(Peers::are_done) {
        assert!(begun.elapsed() < Duration::from_secs(240), "stuck: {}", progress(&peers));
        // Some die while they take over, most when they have.
        if random.below(4) > 0 {
            keeper.wait_until_ready();
        }
        keeper.live_for(Duration::from_micros(random.below(10_000) as u64));
        if killed == kills() && !keeper.is_dead() {
            continue;
        }
        keeper.kill();
        killed += 1;
        let is_chosen = cfg!(feature = "kill-points") && random.below(2) == 0;
        let most = 1 << random.below(14);
        let after = (is_chosen && killed < kills()).then(|| 1 + random.below(most) as u64);
        keeper.start("", after);
    }
    let bytes: u64 = peers.into_iter().map(Peers::join).sum();
    println!("{killed} kills, {bytes} bytes, {:?}", begun.elapsed());
    assert!(killed >= 50, "the traffic ended after {killed} kills");
}

#[test]
fn a_dial_for_which_a_process_had_no_descriptor_is_made_by_the_next_one() {
    let (waiting, _) = listener();
    let scene = format!("aware - {}", waiting.local_addr().unwrap());
    let mut keeper = Keeper::new();
    keeper.start(&scene, None);
    let (id, ports) = keeper.wait_for_sessions(1)[0];
    let mut a = Peer::dial(ports[0]);
    while !keeper.has_connections(id) {
        keeper.live_for(Duration::from_millis(1));
    }
    keeper.starve();
    let head = format!("MSRP binda SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\n", OWN[0], PATH[0]);
    a.send(format!("{head}Message-ID: m\r\n-------binda$\r\n").as_bytes());
    // Long enough for it to try; if it is not, its successor has less to know.
    keeper.live_for(Duration::from_millis(200));
    waiting.set_nonblocking(true).unwrap();
    assert!(waiting.accept().is_err(), "there was a descriptor");
    waiting.set_nonblocking(false).unwrap();
    keeper.kill();
    keeper.start(&scene, None);
    keeper.wait_until_ready();
    Peer::accept(&waiting);
}
