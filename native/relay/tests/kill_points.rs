//! A process dies at every point of a session's life, one after the other, and its successor goes
//! on: the peers notice nothing. Needs the feature `kill-points`.

mod kill;
mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kill::keeper::Keeper;
use kill::worker::{self, OWN, PATH};
use support::{Peer, listener, replace};

/// Not a test: what the child runs.
#[test]
fn worker_process() {
    worker::run();
}

/// A keeper at work while the test plays the peers.
struct Stage {
    died: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    /// The keeper has a connection of the session.
    held: Arc<AtomicBool>,
    ports: Receiver<[SocketAddr; 2]>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// The first process dies at point `n`, the next ones do not.
    fn set(scene: &str, n: u64) -> Self {
        let (died, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let held = Arc::new(AtomicBool::new(false));
        let (tell, ports) = channel();
        let (has_died, is_over) = (Arc::clone(&died), Arc::clone(&over));
        let is_held = Arc::clone(&held);
        let scene = scene.to_owned();
        let thread = std::thread::spawn(move || {
            let mut keeper = Keeper::new();
            keeper.start(&scene, Some(n));
            let mut told = false;
            while !is_over.load(Ordering::Relaxed) {
                keeper.live_for(Duration::from_millis(2));
                if keeper.is_dead() {
                    has_died.store(true, Ordering::Relaxed);
                    keeper.kill();
                    keeper.start(&scene, None);
                } else if keeper.ready && !told {
                    told = true;
                    // None where the relay has dialled both already.
                    keeper.ports(1).map(|ports| tell.send(ports));
                }
                is_held.store(keeper.has_connections(1), Ordering::Relaxed);
            }
        });
        Self { died, over, held, ports, thread: Some(thread) }
    }

    /// Where the session listens.
    fn listening(&self) -> [SocketAddr; 2] {
        self.ports.recv_timeout(support::PATIENCE).expect("a session")
    }
}

impl Stage {
    fn wait_until_held(&self, held: bool) {
        let begun = Instant::now();
        while self.held.load(Ordering::Relaxed) != held {
            assert!(begun.elapsed() < support::PATIENCE, "not so: held {held}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Plays a scene once for every point at which the process can die in it.
fn at_every_point(scene: &str, play: impl Fn(&Stage)) {
    let first = std::env::var("FIRST_POINT").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for n in first.. {
        let stage = Stage::set(scene, n);
        let playing = std::panic::AssertUnwindSafe(|| play(&stage));
        if let Err(why) = std::panic::catch_unwind(playing) {
            panic!("{scene}: killed at point {n}: {}", why.downcast_ref::<String>().unwrap());
        }
        if !stage.died.load(Ordering::Relaxed) {
            println!("{scene}: {} points", n - 1);
            return;
        }
    }
}

/// A request of `side` as it is said to the relay, or as the other peer hears it from the relay.
fn request(tid: &str, (to, from): (&str, &str), body: &str) -> Vec<u8> {
    let body = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: text/plain\r\n\r\n{body}\r\n")
    };
    format!("MSRP {tid} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m{tid}\r\n{body}-------{tid}$\r\n")
        .into_bytes()
}

fn said(aware: bool, side: usize) -> (&'static str, &'static str) {
    if aware { (OWN[side], PATH[side]) } else { (PATH[1 - side], PATH[side]) }
}

fn heard(aware: bool, side: usize) -> (&'static str, &'static str) {
    if aware { (PATH[1 - side], OWN[1 - side]) } else { said(false, side) }
}

/// Both peers dial in.
fn joined(at: [SocketAddr; 2], aware: bool) -> [Peer; 2] {
    let mut peers = at.map(Peer::dial);
    let [a, b] = &mut peers;
    a.send(&request("binda", said(aware, 0), ""));
    b.send(&request("bindb", said(aware, 1), ""));
    b.expect(&request("binda", heard(aware, 0), ""));
    a.expect(&request("bindb", heard(aware, 1), ""));
    peers
}

/// Both peers have a little to say, then end, one after the other.
fn chat([a, b]: &mut [Peer; 2], aware: bool) {
    for n in 0..3 {
        let tid = format!("chat{n}");
        let body = "x".repeat(1000 * n);
        a.send(&request(&tid, said(aware, 0), &body));
        b.send(&request(&tid, said(aware, 1), "short"));
        b.expect(&request(&tid, heard(aware, 0), &body));
        a.expect(&request(&tid, heard(aware, 1), "short"));
    }
    part([a, b], aware);
}

fn part([a, b]: [&mut Peer; 2], aware: bool) {
    a.fin();
    b.expect_fin();
    b.send(&request("last", said(aware, 1), "goodbye"));
    b.fin();
    a.expect(&request("last", heard(aware, 1), "goodbye"));
    a.expect_fin();
}

#[test]
fn both_dial_in() {
    for (scene, aware) in [("aware - -", true), ("sessmatch - -", false)] {
        at_every_point(scene, |stage| {
            chat(&mut joined(stage.listening(), aware), aware);
        });
    }
}

/// Both dial in and are lost in this way.
fn lost(stage: &Stage, aware: bool, lose: impl Fn(Peer) -> Option<Peer>) -> [SocketAddr; 2] {
    let at = stage.listening();
    let [a, b] = joined(at, aware);
    let a = lose(a);
    [a, Some(b)].into_iter().flatten().for_each(|mut peer| peer.expect_reset());
    at
}

fn goes(a: Peer) -> Option<Peer> {
    a.reset();
    None
}

fn talks_nonsense(mut a: Peer) -> Option<Peer> {
    let before = request("before", said(true, 0), "whole");
    a.send(&[&before, &b"this is no MSRP\r\n\r\n"[..]].concat());
    Some(a)
}

#[test]
fn a_peer_whose_other_end_is_lost_is_reset() {
    at_every_point("aware - -", |stage| {
        lost(stage, true, goes);
    });
    at_every_point("sessmatch - -", |stage| {
        lost(stage, false, goes);
    });
    at_every_point("aware - -", |stage| {
        lost(stage, true, talks_nonsense);
    });
}

#[test]
fn peers_of_a_session_that_is_lost_may_come_again() {
    at_every_point("aware - - again", |stage| {
        joined(lost(stage, true, goes), true);
    });
    at_every_point("sessmatch - - again", |stage| {
        joined(lost(stage, false, goes), false);
    });
    at_every_point("aware - - again", |stage| {
        joined(lost(stage, true, talks_nonsense), true);
    });
}

#[test]
fn what_is_unread_when_both_have_ended_still_arrives() {
    for (scene, aware) in [("aware - -", true), ("sessmatch - -", false)] {
        at_every_point(scene, |stage| {
            let [mut a, mut b] = joined(stage.listening(), aware);
            stage.wait_until_held(true);
            b.send(&request("lastb", said(aware, 1), "goodbye"));
            b.fin();
            a.expect(&request("lastb", heard(aware, 1), "goodbye"));
            a.expect_fin();
            // More than the peer's kernel takes while it does not read.
            let body = "z".repeat(300_000);
            a.send(&request("lasta", said(aware, 0), &body));
            a.fin();
            stage.wait_until_held(false);
            b.expect(&request("lasta", heard(aware, 0), &body));
            b.expect_fin();
        });
    }
}

/// Answers the relay's own bind SEND and gives what the answer looks like.
fn answer_own_bind(peer: &mut Peer, side: usize) {
    let bind = String::from_utf8(peer.frame()).unwrap();
    let tid = bind.split(' ').nth(1).unwrap();
    assert!(
        bind.contains(&format!("To-Path: {}\r\nFrom-Path: {}", PATH[side], OWN[side])),
        "{bind}"
    );
    let answer = format!(
        "MSRP {tid} 200 OK\r\nTo-Path: {}\r\nFrom-Path: {}\r\n-------{tid}$\r\n",
        OWN[side], PATH[side]
    );
    peer.send(answer.as_bytes());
}

#[test]
fn a_passive_peer_is_dialled_once() {
    let (waiting, _) = listener();
    let scene = format!("aware - {}", waiting.local_addr().unwrap());
    at_every_point(&scene, |stage| {
        let mut a = Peer::dial(stage.listening()[0]);
        a.send(&request("first", said(true, 0), "a body"));
        let mut b = Peer::accept(&waiting);
        answer_own_bind(&mut b, 1);
        b.expect(&request("first", heard(true, 0), "a body"));
        chat(&mut [a, b], true);
        nobody_else(&waiting);
    });
}

#[test]
fn two_passive_peers_are_dialled_once_each() {
    let waiting = [listener().0, listener().0];
    let [a, b] = [&waiting[0], &waiting[1]].map(|it| it.local_addr().unwrap());
    at_every_point(&format!("aware {a} {b}"), |_| {
        let [mut a, mut b] = [&waiting[0], &waiting[1]].map(Peer::accept);
        answer_own_bind(&mut a, 0);
        answer_own_bind(&mut b, 1);
        chat(&mut [a, b], true);
        waiting.iter().for_each(nobody_else);
    });
}

fn nobody_else(waiting: &TcpListener) {
    waiting.set_nonblocking(true).unwrap();
    assert!(waiting.accept().is_err(), "dialled twice");
    waiting.set_nonblocking(false).unwrap();
}

#[test]
fn a_refused_frame_is_answered_once_between_two_chunks() {
    at_every_point("aware - -", |stage| {
        let mut peers = joined(stage.listening(), true);
        let [a, b] = &mut peers;
        // b is in the middle of a chunk while a is refused.
        let chunk = request("large", said(true, 1), &"y".repeat(5000));
        let (begin, end) = chunk.split_at(3000);
        b.send(begin);
        let heard_begin = replace(begin, OWN[1], PATH[0]);
        let heard_begin = replace(&heard_begin, PATH[1], OWN[0]);
        a.expect(&heard_begin[..heard_begin.len()]);
        a.send(&request("wrong", ("msrp://192.0.2.10:30000/other;tcp", PATH[0]), "lost"));
        a.send(&request("right", said(true, 0), "kept"));
        b.expect(&request("right", heard(true, 0), "kept"));
        b.send(end);
        a.expect(end);
        let refusal = "MSRP wrong 481 No such session\r\nTo-Path: msrp://10.0.0.5:9/pathA;tcp\r\n\
                       From-Path: msrp://192.0.2.10:30000/other;tcp\r\n-------wrong$\r\n";
        a.expect(refusal.as_bytes());
        chat(&mut peers, true);
    });
}

#[test]
fn a_stranger_is_refused_and_the_right_peer_still_comes() {
    at_every_point("aware - -", |stage| {
        let [a, b] = stage.listening();
        let mut stranger = Peer::dial(a);
        stranger.send(&request("guess", (OWN[1], PATH[0]), "let me in"));
        let mut peers = [Peer::dial(a), Peer::dial(b)];
        peers[0].send(&request("binda", said(true, 0), ""));
        peers[1].send(&request("bindb", said(true, 1), ""));
        peers[1].expect(&request("binda", heard(true, 0), ""));
        peers[0].expect(&request("bindb", heard(true, 1), ""));
        chat(&mut peers, true);
    });
}
