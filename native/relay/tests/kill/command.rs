//! A process that is killed, and does until then what a test tells it: one line, one line back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use msrp_relay::{
    AnswerSpec, Config, LegAnswer, LegOpen, OpenSpec, Policy, Relay, RingWhat, Role, Session, Side,
    Sources, Target, descriptor,
};

use super::keeper::{Keeper, Label, receive};
use super::worker::{KEEPER, OWN, PATH, SCENE};
use crate::support::wait_until;

/// A keeper, and the process that obeys. Where that dies, another one goes on, and is told again
/// what its sessions' answers are.
pub struct Obedient {
    inner: Arc<Mutex<Inner>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    keeper: Keeper,
    listener: TcpListener,
    control: BufReader<TcpStream>,
    has_died: bool,
    /// For the next process: milliseconds at the gate, bytes per second of a session.
    gate: u64,
    rate: u64,
    answers: BTreeMap<u64, [&'static str; 2]>,
}

impl Obedient {
    pub fn new() -> Self {
        Self::start(None)
    }

    /// The first process dies at point `n`, the next ones do not.
    pub fn dying(n: u64) -> Self {
        Self::start(Some(n))
    }

    fn start(kill_after: Option<u64>) -> Self {
        let inner = Arc::new(Mutex::new(Inner::new(kill_after)));
        let over = Arc::new(AtomicBool::new(false));
        let (watched, is_over) = (Arc::clone(&inner), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                watched.lock().unwrap().live();
                // The others get their turn at the lock.
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        Self { inner, over, thread: Some(thread) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A process has died, by itself or killed.
    pub fn has_died(&self) -> bool {
        self.inner().has_died
    }

    /// Kills the process; another one starts.
    pub fn kill(&self) {
        self.inner().restart();
    }

    /// The process gets no descriptor any more.
    pub fn starve(&self) {
        self.inner().keeper.starve();
    }

    /// The next process has other settings: see [`Inner`].
    pub fn set(&self, gate: u64, rate: u64) {
        let mut inner = self.inner();
        (inner.gate, inner.rate) = (gate, rate);
    }

    /// The keeper has this, too.
    pub fn hold(&self, label: Label, fd: OwnedFd) {
        self.inner().keeper.held.insert(label, fd);
    }

    /// A session, both peers of which dial in: its number and where it listens.
    pub fn open(&self, policy: &str) -> (u64, [SocketAddr; 2]) {
        self.open_idle(policy, "never")
    }

    /// The same, of one that may be idle for so many milliseconds.
    pub fn open_idle(&self, policy: &str, idle: &str) -> (u64, [SocketAddr; 2]) {
        let told = self.inner().tell(&format!("open {policy} {idle}"));
        let words: Vec<_> = told.split(' ').collect();
        let id = words[0].parse().unwrap();
        self.answer(id, PATH);
        (id, [words[1], words[2]].map(|address| address.parse().unwrap()))
    }

    pub fn answer(&self, id: u64, paths: [&'static str; 2]) {
        let mut inner = self.inner();
        inner.answers.insert(id, paths);
        inner.tell(&answer(id, paths));
    }

    /// Until all that was told of this session is carried out.
    pub fn carry_out(&self, id: u64) {
        self.inner().tell(&format!("carry-out {id}"));
    }

    /// Stage, reason, states of both legs.
    pub fn wait_for(&self, id: u64, state: &str) {
        wait_until(|| {
            let found = self.inner().tell(&format!("report {id}"));
            assert!(!found.starts_with("closed"), "{found}");
            found.starts_with(state)
        });
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn new(kill_after: Option<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (gate, rate, mut keeper) = (10_000, 0, Keeper::new());
        keeper.start(&scene(&listener, gate, rate), kill_after);
        let control = control(&listener);
        let answers = BTreeMap::new();
        Self { keeper, listener, control, has_died: false, gate, rate, answers }
    }

    fn live(&mut self) {
        self.keeper.live_for(Duration::from_millis(1));
        if self.keeper.is_dead() {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.has_died = true;
        self.keeper.kill();
        self.keeper.start(&scene(&self.listener, self.gate, self.rate), None);
        self.control = control(&self.listener);
        for (id, paths) in self.answers.clone() {
            self.tell(&answer(id, paths));
        }
    }

    /// What it answers to a command; another one is asked again.
    fn tell(&mut self, command: &str) -> String {
        loop {
            let mut line = String::new();
            let told = say(self.control.get_mut(), command);
            if told.and_then(|()| self.control.read_line(&mut line)).is_ok_and(|n| n > 0) {
                return line.trim_end().to_owned();
            }
            self.restart();
        }
    }
}

/// In one piece: the kernel waits for an acknowledgement before it sends a second one.
fn say(stream: &mut TcpStream, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}

/// The way to the process, once it is there.
fn control(listener: &TcpListener) -> BufReader<TcpStream> {
    BufReader::new(listener.accept().unwrap().0)
}

fn scene(listener: &TcpListener, gate: u64, rate: u64) -> String {
    format!("{} {gate} {rate}", listener.local_addr().unwrap())
}

fn answer(id: u64, [a, b]: [&str; 2]) -> String {
    format!("answer {id} {a} {b}")
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
        // So that peers that do not read stall soon.
        buffer_cap: 64 * 1024,
        reconnect: far,
        join: far,
        splice_bodies: true,
        ..Config::default()
    };
    let relay = if left.is_empty() {
        Relay::start_kept(config, keeper).expect("the engine starts")
    } else {
        Relay::adopt(config, keeper, left, false).expect("the engine goes on")
    };
    let mut sessions = relay.sessions().clone();
    let mut control = TcpStream::connect(control).unwrap();
    for line in BufReader::new(control.try_clone().unwrap()).lines() {
        let reply = obey(&relay, &mut sessions, &line.unwrap());
        say(&mut control, &reply).unwrap();
    }
}

fn obey(relay: &Relay, sessions: &mut BTreeMap<u64, Session>, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    if let ["open", policy, idle] = words[..] {
        let policy = if policy == "aware" { Policy::Aware } else { Policy::Sessmatch };
        let session = open(relay, policy, idle.parse().ok().map(Duration::from_millis));
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

fn open(relay: &Relay, policy: Policy, idle: Option<Duration>) -> Session {
    let leg = |side: Side| LegOpen {
        listen: "127.0.0.1:0".parse().unwrap(),
        own_uri: OWN[side.index()].as_bytes().to_vec(),
        peer_path: vec![PATH[side.index()].as_bytes().to_vec()],
        sources: Sources::Any,
    };
    let legs = Side::BOTH.map(leg);
    relay.open(OpenSpec { policy, legs, tos: None, idle }).expect("ports")
}

fn leg(path: &str) -> LegAnswer {
    let peer_path = vec![path.as_bytes().to_vec()];
    LegAnswer {
        role: Role::Accept,
        peer_path,
        target: Target::None,
        sources: Sources::Any,
        own_uri: None,
    }
}
