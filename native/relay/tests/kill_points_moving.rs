//! A process dies at every point of a peer's way to another connection, and its successor goes on: the
//! other peer hears the chunk that was cut closed, once, and then what comes next. Needs the feature
//! `kill-points`.

mod kill;
mod support;

use std::io::Read;

use kill::command::{self, Obedient};
use kill::talk::Talk;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use support::Peer;

/// Not a test: what the child runs.
#[test]
fn worker_process() {
    command::run();
}

/// Plays a scene once for every point at which the process can die in it.
fn at_every_point(play: impl Fn(&Obedient)) {
    // The first is passed before a process can be told anything.
    let first = std::env::var("FIRST_POINT").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    for n in first.. {
        let relay = Obedient::dying(n);
        let playing = std::panic::AssertUnwindSafe(|| play(&relay));
        if let Err(why) = std::panic::catch_unwind(playing) {
            panic!("killed at point {n}: {}", why.downcast_ref::<String>().unwrap());
        }
        if !relay.has_died() {
            println!("{} points", n - 1);
            return;
        }
    }
}

const REST: &[u8] = b"\r\n-------large$\r\n";
const CLOSED: &[u8] = b"\r\n-------large#\r\n";

/// A says the begin of a chunk, moves, leaves its old connection in this way and says more on another
/// one. B hears it at once, or when all this is done; gives what that is, down to what A says then.
fn moves(relay: &Obedient, mut talk: Talk, body: &[u8], leave: fn(Peer), at_once: bool) -> Vec<u8> {
    let [mut a, mut b] = talk.join(relay);
    if !at_once {
        set_socket_recv_buffer_size(&b.stream, 30_000).unwrap();
    }
    let begin = |chunk: Vec<u8>| chunk[..chunk.len() - REST.len()].to_vec();
    a.send(&begin(talk.said(0, "large", body)));
    let mut heard = Vec::new();
    if at_once {
        heard = begin(talk.heard(0, "large", body));
        b.expect(&heard);
    }
    talk.paths[0] = "msrp://10.0.0.6:9/movedA;tcp";
    relay.answer(talk.id, talk.paths);
    relay.carry_out(talk.id);
    leave(a);
    relay.wait_for(talk.id, "joined - listening");
    let mut a = Peer::dial(talk.at[0]);
    a.send(&talk.said(0, "moved", b""));
    relay.wait_for(talk.id, "joined - joined");
    let next = talk.heard(0, "moved", b"");
    while !heard.ends_with(&next) {
        let mut some = [0; 4096];
        let read = b.stream.read(&mut some).expect("more comes");
        assert!(read > 0, "ended behind {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&some[..read]);
    }
    b.send(&talk.said(1, "back", b"hello"));
    a.expect(&talk.heard(1, "back", b"hello"));
    heard.truncate(heard.len() - next.len());
    heard
}

#[test]
fn a_chunk_that_was_cut_is_closed_once() {
    for leave in [Peer::reset, |a: Peer| a.fin()] {
        at_every_point(|relay| {
            let heard = moves(relay, Talk::open(relay), b"the begin", leave, true);
            let expected = [b"\r\n\r\nthe begin", CLOSED].concat();
            let heard = String::from_utf8(heard).unwrap();
            assert!(heard.ends_with(std::str::from_utf8(&expected).unwrap()), "{heard}");
        });
    }
}

#[test]
fn who_talks_nonsense_may_come_again_elsewhere() {
    let leave = |mut a: Peer| a.send(&[REST, b"this is no MSRP\r\n\r\n"].concat());
    at_every_point(|relay| {
        let heard = moves(relay, Talk::open(relay), b"the begin", leave, true);
        let expected = [b"\r\n\r\nthe begin", REST].concat();
        assert!(heard.ends_with(&expected), "{}", String::from_utf8_lossy(&heard));
    });
}

#[test]
fn what_waits_for_a_slow_peer_comes_before_what_the_other_says_elsewhere() {
    // Its range says where a body ends: then it goes by in a pipe.
    for ranged in [false, true] {
        let body: Vec<u8> = (0..300_000_u32).map(|n| b' ' + (n % 89) as u8).collect();
        at_every_point(|relay| {
            let talk = Talk { ranged, ..Talk::open(relay) };
            let heard = moves(relay, talk, &body, Peer::reset, false);
            // What it said last may be lost with it.
            let Some(at) = support::find(&heard, b"\r\n\r\n") else { return };
            let heard = &heard[at + 4..];
            let said = heard.strip_suffix(CLOSED).expect("the chunk is closed");
            assert!(body.starts_with(said), "{} other bytes", said.len());
        });
    }
}
