//! Both peers of a session, and what they say: a stream that is a function of the session and the
//! side, so that whoever reads knows what must come.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use msrp_relay::Policy;

use super::worker::{OWN, PATH, policy};
use crate::support::Numbers;

/// How a session's peers behave.
#[derive(Clone, Copy)]
pub struct Traffic {
    policy: Policy,
    /// Bytes of each direction.
    bytes: u64,
    /// Written at most at once.
    write: usize,
    /// Read at most at once, with a rest behind each read.
    read: usize,
    rest: Duration,
}

pub struct Peers {
    id: u64,
    threads: Vec<JoinHandle<u64>>,
    seen: Vec<Arc<AtomicU64>>,
}

impl Traffic {
    pub fn of(id: u64) -> Self {
        let bytes = |megabytes: u64| megabytes << 20;
        let scale = std::env::var("KILL_BYTES").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        let traffic = |bytes, write, read, micros| Self {
            policy: policy(id),
            bytes: bytes * scale,
            write,
            read,
            rest: Duration::from_micros(micros),
        };
        match (id - 1) / 2 {
            0 => traffic(bytes(24), 1 << 17, 1 << 17, 0),
            1 => traffic(bytes(1), 3000, 1 << 16, 0),
            2 => traffic(bytes(1), 1 << 16, 900, 500),
            _ => traffic(20_000, 3, 1 << 12, 0),
        }
    }
}

/// A peer has heard something else than it should, and says so elsewhere.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Tells of a panic.
struct Watch;

impl Drop for Watch {
    fn drop(&mut self) {
        FAILED.fetch_or(std::thread::panicking(), Ordering::Relaxed);
    }
}

/// Both peers dial and talk.
pub fn talk(id: u64, ports: [SocketAddr; 2], traffic: Traffic) -> Peers {
    let sockets = ports.map(|port| TcpStream::connect(port).unwrap());
    let mut peers = Peers { id, threads: Vec::new(), seen: Vec::new() };
    for (side, socket) in sockets.iter().enumerate() {
        let (to, from) = (socket.try_clone().unwrap(), socket.try_clone().unwrap());
        let seen = Arc::new(AtomicU64::new(0));
        peers.seen.push(Arc::clone(&seen));
        peers.threads.push(std::thread::spawn(move || send(to, id, side, traffic)));
        peers.threads.push(std::thread::spawn(move || receive(from, id, 1 - side, traffic, &seen)));
    }
    peers
}

impl Peers {
    pub fn are_done(&self) -> bool {
        assert!(!FAILED.load(Ordering::Relaxed), "a peer has failed");
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Something has arrived in both directions.
    pub fn are_joined(&self) -> bool {
        assert!(!FAILED.load(Ordering::Relaxed), "a peer has failed");
        self.seen.iter().all(|seen| seen.load(Ordering::Relaxed) > 0)
    }

    /// Bytes that arrived.
    pub fn join(self) -> u64 {
        self.threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
}

pub fn progress(peers: &[Peers]) -> String {
    let seen = |peers: &Peers| {
        let seen: Vec<_> = peers.seen.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        format!("{}: {seen:?} {}", peers.id, peers.are_done())
    };
    peers.iter().map(seen).collect::<Vec<_>>().join(", ")
}

/// What one side says.
struct Stream {
    random: Numbers,
    side: usize,
    policy: Policy,
    begun: bool,
    left: u64,
    chunk: u64,
}

impl Stream {
    fn new(id: u64, side: usize, traffic: Traffic) -> Self {
        let random = Numbers(id * 2 + side as u64);
        Self { random, side, policy: traffic.policy, begun: false, left: traffic.bytes, chunk: 0 }
    }

    /// The next piece as it is said, and as the other peer hears it.
    fn next(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (side, other) = (self.side, 1 - self.side);
        if !self.policy.is_aware() {
            if !std::mem::replace(&mut self.begun, true) {
                let bind = self.chunk(PATH[other], PATH[side], 0);
                return Some((bind.clone(), bind));
            }
            let octets = self.octets()?;
            return Some((octets.clone(), octets));
        }
        let body = self.body_len()?;
        let said = self.chunk(OWN[side], PATH[side], body);
        let heard = rewritten(&said, (OWN[side], PATH[side]), (PATH[other], OWN[other]));
        Some((said, heard))
    }

    fn body_len(&mut self) -> Option<u64> {
        if self.left == 0 {
            return None;
        }
        let most = [40, 3000, 20_000, 300_000][self.random.below(4)];
        let body = (self.random.below(most) as u64).min(self.left);
        self.left = self.left.saturating_sub(body + 1);
        Some(body)
    }

    fn octets(&mut self) -> Option<Vec<u8>> {
        let len = self.body_len()?;
        let seed = self.random.below(251) as u64;
        Some((0..len).map(|n| ((n * 7 + seed) % 251) as u8).collect())
    }

    /// A chunk whose body looks like the end of a chunk here and there.
    fn chunk(&mut self, to: &str, from: &str, body: u64) -> Vec<u8> {
        self.chunk += 1;
        let tid = format!("t{}{:07}", self.side, self.chunk);
        let mut chunk = format!(
            "MSRP {tid} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m{tid}\r\n"
        );
        if body == 0 {
            chunk += &format!("-------{tid}$\r\n");
            return chunk.into_bytes();
        }
        chunk += "Content-Type: text/plain\r\n\r\n";
        let mut chunk = chunk.into_bytes();
        let decoys: [&[u8]; 4] = [b"\r\n-------t", b"\r", b"\r\n", &tid.as_bytes()[..5]];
        let end = chunk.len() + body as usize;
        while chunk.len() < end {
            let room = end - chunk.len();
            if self.random.below(8) == 0 {
                let decoy = decoys[self.random.below(4)];
                chunk.extend_from_slice(&decoy[..decoy.len().min(room)]);
            } else {
                let run = (1 + self.random.below(4000)).min(room);
                let seed = self.random.below(97);
                chunk.extend((0..run).map(|n| b' ' + ((n + seed) % 90) as u8));
            }
        }
        chunk.extend_from_slice(format!("\r\n-------{tid}$\r\n").as_bytes());
        chunk
    }
}

fn rewritten(chunk: &[u8], old: (&str, &str), new: (&str, &str)) -> Vec<u8> {
    let paths = |(to, from): (&str, &str)| format!("To-Path: {to}\r\nFrom-Path: {from}\r\n");
    let (old, new) = (paths(old), paths(new));
    let at = chunk.windows(old.len()).position(|part| part == old.as_bytes()).unwrap();
    [&chunk[..at], new.as_bytes(), &chunk[at + old.len()..]].concat()
}

fn send(mut to: TcpStream, id: u64, side: usize, traffic: Traffic) -> u64 {
    let _watch = Watch;
    let mut stream = Stream::new(id, side, traffic);
    let mut sizes = Numbers(id + 99);
    while let Some((said, _)) = stream.next() {
        let mut rest = &said[..];
        while !rest.is_empty() {
            let size = (1 + sizes.below(traffic.write)).min(rest.len());
            let sent = to.write(&rest[..size]);
            let sent = sent.unwrap_or_else(|why| panic!("session {id}, side {side} says: {why}"));
            rest = &rest[sent..];
        }
    }
    to.shutdown(Shutdown::Write).unwrap();
    0
}

fn receive(mut from: TcpStream, id: u64, side: usize, traffic: Traffic, seen: &AtomicU64) -> u64 {
    let _watch = Watch;
    let mut stream = Stream::new(id, side, traffic);
    let mut expected: Vec<u8> = Vec::new();
    let mut at = 0;
    let mut buffer = vec![0; traffic.read];
    let mut total = 0;
    loop {
        let n = from.read(&mut buffer);
        let n = n.unwrap_or_else(|why| panic!("session {id}, from side {side}, {total}: {why}"));
        if n == 0 {
            break;
        }
        while expected.len() - at < n {
            let Some((_, heard)) = stream.next() else { break };
            expected.drain(..at);
            at = 0;
            expected.extend_from_slice(&heard);
        }
        let due = expected.get(at..at + n);
        assert!(due == Some(&buffer[..n]), "session {id}, from side {side}: at {total} of {n}");
        at += n;
        total += n as u64;
        seen.store(total, Ordering::Relaxed);
        if !traffic.rest.is_zero() {
            std::thread::sleep(traffic.rest);
        }
    }
    let whole = at == expected.len() && stream.next().is_none();
    assert!(whole, "session {id}, from side {side}: ended after {total}");
    total
}
