//! The engine's process is killed again and again, its successors go on: not a byte is lost, doubled
//! or out of order. The test is the keeper and both peers of every session; the relay is a child of
//! it, this program again.

mod kill;

use std::time::{Duration, Instant};

use kill::keeper::Keeper;
use kill::peers::{Traffic, talk};
use kill::worker;

/// Not a test: what the child runs.
#[test]
fn worker_process() {
    worker::run();
}

/// How many kills at least; the traffic goes on until they are done.
fn kills() -> u32 {
    std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

#[test]
fn no_byte_is_lost_doubled_or_out_of_order() {
    let mut keeper = Keeper::new();
    keeper.start(None);
    let sessions = keeper.wait_for_sessions(worker::SESSIONS);
    let peers: Vec<_> =
        sessions.iter().map(|(id, ports)| talk(*id, *ports, Traffic::of(*id))).collect();
    let begun = Instant::now();
    let mut random = kill::random::Random::new(7);
    let mut killed = 0;
    while killed < kills() || peers.iter().any(|peers| !peers.are_done()) {
        assert!(
            begun.elapsed() < Duration::from_secs(300),
            "stuck: {}",
            kill::peers::progress(&peers)
        );
        if peers.iter().all(kill::peers::Peers::are_done) {
            break;
        }
        keeper.live_for(Duration::from_micros(500 + random.below(12_000)));
        keeper.kill();
        killed += 1;
        // Half of them die at a point of their own.
        let after =
            (cfg!(feature = "kill-points") && random.below(2) == 0).then(|| 1 + random.below(400));
        keeper.start(after);
    }
    let bytes: u64 = peers.into_iter().map(kill::peers::Peers::join).sum();
    println!("{killed} kills, {bytes} bytes, {:?}", begun.elapsed());
    assert!(killed >= kills(), "the traffic ended after {killed} kills");
}
