//! The process that is killed: an engine with a few sessions.

use std::time::Duration;

use msrp_relay::{
    AnswerSpec, Config, LegAnswer, LegOpen, OpenSpec, Policy, Relay, Role, Sources, Target,
    descriptor,
};

use super::keeper::receive;

/// How many there are, numbered from 1.
pub const SESSIONS: usize = 8;
/// The descriptor of the way to the keeper, in the environment of the child.
pub const KEEPER: &str = "MSRPRELAY_TEST_KEEPER";

/// Aware and opaque in turn.
pub fn policy(id: u64) -> Policy {
    if id.is_multiple_of(2) { Policy::Sessmatch } else { Policy::Aware }
}

pub const OWN: [&str; 2] = ["msrp://192.0.2.10:30000/ownA;tcp", "msrp://192.0.2.10:30002/ownB;tcp"];
pub const PATH: [&str; 2] = ["msrp://10.0.0.5:9/pathA;tcp", "msrp://172.16.4.4:9/pathB;tcp"];

/// Where the environment names a keeper: takes over what there is, or begins, and goes on until it
/// is killed.
pub fn run() {
    let Some(fd) = std::env::var(KEEPER).ok().and_then(|fd| fd.parse().ok()) else { return };
    let keeper = descriptor(fd).expect("inherited from the parent");
    let left = receive(&keeper);
    let is_first = left.is_empty();
    let config = Config {
        threads: 2,
        grace: Duration::from_secs(600),
        reconnect: Duration::ZERO,
        ..Config::default()
    };
    let relay = if is_first {
        Relay::start_kept(config, keeper).expect("the engine starts")
    } else {
        Relay::adopt(config, keeper, left).expect("the engine goes on")
    };
    if is_first {
        (0..SESSIONS).for_each(|place| open(&relay, policy(place as u64 + 1)));
    }
    loop {
        std::thread::park();
    }
}

fn open(relay: &Relay, policy: Policy) {
    let leg = |side: usize| LegOpen {
        listen: "127.0.0.1:0".parse().unwrap(),
        own_uri: OWN[side].as_bytes().to_vec(),
        peer_path: vec![PATH[side].as_bytes().to_vec()],
        sources: Sources::Any,
    };
    let spec = OpenSpec { policy, legs: [leg(0), leg(1)], tos: None, idle: None };
    let session = relay.open(spec).expect("two free ports");
    let leg = |side: usize| LegAnswer {
        role: Role::Accept,
        peer_path: vec![PATH[side].as_bytes().to_vec()],
        target: Target::None,
        sources: Sources::Any,
    };
    session.answer(AnswerSpec { legs: [leg(0), leg(1)] });
}
