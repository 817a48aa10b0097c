//! A process that is killed, and does until then what a test tells it: one line, one line back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use msrp_relay::{
    AnswerSpec, Config, LegAnswer, LegOpen, OpenSpec, Policy, Relay, RingWhat, Role, Session, Side,
    Sources, Target, descriptor, duplicate,
};

use super::keeper::{Keeper, receive, tell_ready};
use super::worker::{KEEPER, OWN, PATH, SCENE};
use crate::support::wait_until;

/// A keeper, and the process that obeys.
pub struct Obedient {
    pub keeper: Keeper,
    /// For the next process: milliseconds at the gate, and bytes per second of a session.
    pub gate: u64,
    pub rate: u64,
    listener: TcpListener,
    control: BufReader<TcpStream>,
}

impl Obedient {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (gate, rate, mut keeper) = (10_000, 0, Keeper::new());
        let control = start(&mut keeper, &listener, [gate, rate]);
        Self { keeper, gate, rate, listener, control }
    }

    /// Kills the process and starts another.
    pub fn kill(&mut self) {
        self.keeper.kill();
        self.control = start(&mut self.keeper, &self.listener, [self.gate, self.rate]);
    }

    /// What it answers to a command.
    pub fn tell(&mut self, command: &str) -> String {
        writeln!(self.control.get_mut(), "{command}").unwrap();
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// A session, both peers of which dial in: its number and where it listens.
    pub fn open(&mut self, policy: &str) -> (u64, [SocketAddr; 2]) {
        let told = self.tell(&format!("open {policy}"));
        let words: Vec<_> = told.split(' ').collect();
        let id = words[0].parse().unwrap();
        self.answer(id, PATH);
        (id, [words[1], words[2]].map(|address| address.parse().unwrap()))
    }

    pub fn answer(&mut self, id: u64, paths: [&str; 2]) {
        self.tell(&format!("answer {id} {} {}", paths[0], paths[1]));
    }

    /// Until all that was told of this session is carried out.
    pub fn carry_out(&mut self, id: u64) {
        self.tell(&format!("carry-out {id}"));
    }

    /// Stage, reason, states of both legs.
    pub fn wait_for(&mut self, id: u64, state: &str) {
        let control = std::cell::RefCell::new(self);
        wait_until(|| {
            let mut this = control.borrow_mut();
            let found = this.tell(&format!("report {id}"));
            this.keeper.live_for(Duration::from_millis(1));
            assert!(!found.starts_with("closed") || state.starts_with("closed"), "{found}");
            found.starts_with(state)
        });
    }
}

fn start(
    keeper: &mut Keeper,
    listener: &TcpListener,
    [gate, rate]: [u64; 2],
) -> BufReader<TcpStream> {
    let control = listener.local_addr().unwrap();
    keeper.start(&format!("{control} {gate} {rate}"), None);
    keeper.wait_until_ready();
    BufReader::new(listener.accept().unwrap().0)
}

/// What the process runs, where there is a keeper.
pub fn run() {
    let Some(fd) = std::env::var(KEEPER).ok().and_then(|fd| fd.parse().ok()) else { return };
    let keeper = descriptor(fd).expect("inherited from the parent");
    let left = receive(&keeper);
    let scene = std::env::var(SCENE).unwrap();
    let [control, gate, rate] = scene.split(' ').collect::<Vec<_>>()[..] else { panic!("{scene}") };
    let far = Duration::from_secs(600);
    let config = Config {
        threads: 1,
        gate: Duration::from_millis(gate.parse().unwrap()),
        session_rate: rate.parse().unwrap(),
        reconnect: far,
        join: far,
        ..Config::default()
    };
    let told = duplicate(fd).unwrap();
    let relay = if left.is_empty() {
        Relay::start_kept(config, keeper).expect("the engine starts")
    } else {
        Relay::adopt(config, keeper, left, false).expect("the engine goes on")
    };
    let mut sessions = relay.sessions().clone();
    let mut control = TcpStream::connect(control).unwrap();
    tell_ready(&told);
    for line in BufReader::new(control.try_clone().unwrap()).lines() {
        let reply = obey(&relay, &mut sessions, &line.unwrap());
        writeln!(control, "{reply}").unwrap();
    }
}

fn obey(relay: &Relay, sessions: &mut BTreeMap<u64, Session>, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    if let ["open", policy] = words[..] {
        let policy = if policy == "aware" { Policy::Aware } else { Policy::Sessmatch };
        let session = open(relay, policy);
        let [a, b] = session.report().legs.map(|leg| leg.local);
        let id = session.id();
        sessions.insert(id, session);
        return format!("{id} {a} {b}");
    }
    let session = &sessions[&words[1].parse().unwrap()];
    match words[..] {
        ["answer", _, a, b] => session.answer(AnswerSpec { legs: [a, b].map(leg) }),
        ["carry-out", _] => {
            session.pause(true);
            session.pause(false);
            let is_carried_out =
                || session.events().iter().any(|event| event.what == RingWhat::Unpaused);
            wait_until(is_carried_out);
        }
        ["report", _] => {
            let report = session.report();
            let reason = report.reason.map_or("-", |reason| reason.as_str());
            let [a, b] = report.legs.map(|leg| leg.state.as_str());
            return format!("{} {reason} {a} {b}", report.stage.as_str());
        }
        _ => panic!("{line}"),
    }
    String::new()
}

fn open(relay: &Relay, policy: Policy) -> Session {
    let leg = |side: Side| LegOpen {
        listen: "127.0.0.1:0".parse().unwrap(),
        own_uri: OWN[side.index()].as_bytes().to_vec(),
        peer_path: vec![PATH[side.index()].as_bytes().to_vec()],
        sources: Sources::Any,
    };
    let legs = Side::BOTH.map(leg);
    relay.open(OpenSpec { policy, legs, tos: None, idle: None }).expect("ports")
}

fn leg(path: &str) -> LegAnswer {
    let peer_path = vec![path.as_bytes().to_vec()];
    LegAnswer { role: Role::Accept, peer_path, target: Target::None, sources: Sources::Any }
}
