//! The process that is killed: an engine with a few sessions.

use std::time::Duration;

use msrp_relay::{
    AnswerSpec, Config, LegAnswer, LegOpen, OpenSpec, Policy, Relay, Role, Session, Side, Sources,
    Target, descriptor, duplicate,
};

use super::keeper::{receive, tell_ready};

/// How many there are in the test of traffic, numbered from 1.
pub const SESSIONS: usize = 8;
/// The descriptor of the way to the keeper, in the environment of the child.
pub const KEEPER: &str = "MSRPRELAY_TEST_KEEPER";
/// What the sessions are, in the environment of the child: see [`Scene`].
pub const SCENE: &str = "MSRPRELAY_TEST_SCENE";

pub const OWN: [&str; 2] = ["msrp://192.0.2.10:30000/ownA;tcp", "msrp://192.0.2.10:30002/ownB;tcp"];
pub const PATH: [&str; 2] = ["msrp://10.0.0.5:9/pathA;tcp", "msrp://172.16.4.4:9/pathB;tcp"];

/// One session of a certain kind: `POLICY TARGET-A TARGET-B`, `-` for a peer that dials in, and
/// ` again` where lost peers may come again. Without a scene there are [`SESSIONS`] for the test of
/// traffic.
struct Scene {
    policy: Policy,
    targets: [Option<String>; 2],
}

/// Aware and opaque in turn.
pub fn policy(id: u64) -> Policy {
    if id.is_multiple_of(2) { Policy::Sessmatch } else { Policy::Aware }
}

/// Where the environment names a keeper: takes over what there is, or begins, and goes on until it
/// is killed.
pub fn run() {
    let Some(fd) = std::env::var(KEEPER).ok().and_then(|fd| fd.parse().ok()) else { return };
    let keeper = descriptor(fd).expect("inherited from the parent");
    let left = receive(&keeper);
    let text = std::env::var(SCENE).unwrap_or_default();
    let (text, reconnect) = match text.strip_suffix(" again") {
        Some(text) => (text, Duration::from_secs(600)),
        None => (&*text, Duration::ZERO),
    };
    let config =
        Config { threads: 2, grace: Duration::from_secs(600), reconnect, ..Config::default() };
    let told = duplicate(fd).unwrap();
    let relay = if left.is_empty() {
        Relay::start_kept(config, keeper).expect("the engine starts")
    } else {
        Relay::adopt(config, keeper, left, false).expect("the engine goes on")
    };
    let scenes = scenes(text);
    for (place, scene) in scenes.iter().enumerate() {
        // The control plane gives an answer again: it cannot know whether it was taken.
        match relay.sessions().get(&(place as u64 + 1)) {
            Some(session) => scene.answer(session),
            None => scene.answer(&scene.open(&relay)),
        }
    }
    tell_ready(&told);
    loop {
        std::thread::park();
    }
}

fn scenes(text: &str) -> Vec<Scene> {
    match *text.split(' ').collect::<Vec<_>>() {
        [policy, a, b] => {
            let policy = if policy == "aware" { Policy::Aware } else { Policy::Sessmatch };
            let target = |text: &str| (text != "-").then(|| text.to_owned());
            vec![Scene { policy, targets: [target(a), target(b)] }]
        }
        _ => (1..=SESSIONS as u64)
            .map(|id| Scene { policy: policy(id), targets: [None, None] })
            .collect(),
    }
}

impl Scene {
    fn open(&self, relay: &Relay) -> Session {
        let leg = |side: Side| LegOpen {
            listen: "127.0.0.1:0".parse().unwrap(),
            own_uri: OWN[side.index()].as_bytes().to_vec(),
            peer_path: vec![PATH[side.index()].as_bytes().to_vec()],
            sources: Sources::Any,
        };
        let legs = Side::BOTH.map(leg);
        relay.open(OpenSpec { policy: self.policy, legs, tos: None, idle: None }).expect("ports")
    }

    fn answer(&self, session: &Session) {
        let leg = |side: Side| {
            let target = self.targets[side.index()].as_ref();
            LegAnswer {
                role: if target.is_some() { Role::Dial } else { Role::Accept },
                peer_path: vec![PATH[side.index()].as_bytes().to_vec()],
                target: target.map_or(Target::None, |to| Target::Addrs(vec![to.parse().unwrap()])),
                sources: Sources::Any,
                own_uri: None,
            }
        };
        session.answer(AnswerSpec { legs: Side::BOTH.map(leg) });
    }
}
