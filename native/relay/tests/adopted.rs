//! What a session has left when its process is killed in the middle of something that is over soon:
//! connections that were lost, and those that come instead.

mod kill;
mod support;

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Instant;

use kill::command::{self, Obedient};
use kill::talk::Talk;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use support::Peer;
use support::traffic::fill;

/// Not a test: what the child runs.
#[test]
fn worker_process() {
    command::run();
}

/// Says the rest meanwhile.
fn say(peer: &Peer, said: Vec<u8>) -> JoinHandle<()> {
    let mut stream = peer.stream.try_clone().unwrap();
    std::thread::spawn(move || stream.write_all(&said).expect("the relay reads"))
}

/// Sessions that are lost in this way come before and behind one that is killed while neither peer
/// listens.
fn lost_and_stalled(lose: impl Fn(&Obedient, &Talk, [Peer; 2])) {
    let relay = Obedient::new();
    let [first, talk, last] = [(); 3].map(|()| Talk::open(&relay));
    let mut peers = talk.join(&relay);
    for lost in [&first, &last] {
        let peers = lost.join(&relay);
        lose(&relay, lost, peers);
        relay.wait_for(lost.id, "reconnecting");
    }
    let body: Vec<u8> = (0..8_000_000_u32).map(|n| b' ' + (n % 89) as u8).collect();
    let said = [talk.said(0, "large", &body), talk.said(1, "large", &body)];
    let at = [fill(&peers[0].stream, &said[0]), fill(&peers[1].stream, &said[1])];
    relay.kill();
    let rest = [0, 1].map(|side| say(&peers[side], said[side][at[side]..].to_vec()));
    let [a, b] = &mut peers;
    std::thread::scope(|scope| {
        scope.spawn(|| a.expect(&talk.heard(1, "large", &body)));
        b.expect(&talk.heard(0, "large", &body));
    });
    rest.into_iter().for_each(|saying| saying.join().unwrap());
    for lost in [&first, &last] {
        relay.wait_for(lost.id, "reconnecting");
        lost.join(&relay);
    }
}

#[test]
fn a_session_lost_to_nonsense_claims_nothing_of_others() {
    lost_and_stalled(|_, _, [mut a, _b]| a.send(b"this is no MSRP\r\n\r\n"));
}

#[test]
fn a_session_lost_while_a_peer_stalls_claims_nothing_of_others() {
    lost_and_stalled(|_, lost, [a, _b]| {
        let large = vec![b'x'; 8_000_000];
        fill(&a.stream, &lost.said(0, "large", &large));
        a.reset();
    });
}

/// B talks, A does not listen, moves and is gone. What was for it does no harm to anybody.
#[test]
fn what_was_for_a_peer_that_has_moved_is_over() {
    let relay = &Obedient::new();
    let [mut talk, other] = [(); 2].map(|()| Talk::open(relay));
    let [a, mut b] = talk.join(relay);
    let mut others = other.join(relay);
    let chunks: Vec<Vec<u8>> =
        (0..8000).map(|n| talk.said(1, &format!("chunk{n:04}"), &[b'x'; 1000])).collect();
    let chunks = chunks.concat();
    let at = fill(&b.stream, &chunks);
    talk.paths[0] = "msrp://10.0.0.6:9/movedA;tcp";
    relay.answer(talk.id, talk.paths);
    a.reset();
    relay.wait_for(talk.id, "joined - listening");
    // The room it was in is another session's now.
    for n in 0..3 {
        let tid = format!("other{n}");
        others[0].send(&other.said(0, &tid, &[b'y'; 50_000]));
        others[1].expect(&other.heard(0, &tid, &[b'y'; 50_000]));
    }
    relay.kill();
    relay.wait_for(talk.id, "joined - listening");
    let mut a = Peer::dial(talk.at[0]);
    a.send(&talk.said(0, "moved", b""));
    b.expect(&talk.heard(0, "moved", b""));
    let saying = say(&b, [&chunks[at..], &talk.said(1, "last", b"hello")].concat());
    let mut heard = Vec::new();
    while !heard.ends_with(b"-------last$\r\n") {
        heard = a.frame();
        assert!(heard.starts_with(b"MSRP "), "the middle of a chunk");
    }
    assert_eq!(heard, talk.heard(1, "last", b"hello"));
    saying.join().unwrap();
}

#[test]
fn what_passed_before_is_paid_for() {
    let relay = Obedient::new();
    let talk = Talk::open(&relay);
    let [mut a, mut b] = talk.join(&relay);
    let body = [b'x'; 100_000];
    for n in 0..10 {
        a.send(&talk.said(0, &format!("large{n}"), &body));
        b.expect(&talk.heard(0, &format!("large{n}"), &body));
    }
    relay.set(10_000, 1000);
    relay.kill();
    // At this rate all that came before would take a quarter of an hour.
    for tid in ["first", "second"] {
        a.send(&talk.said(0, tid, b""));
        b.expect(&talk.heard(0, tid, b""));
    }
}

/// Processes die sooner than the session may be idle.
#[test]
fn who_is_idle_is_so_however_many_processes_die_meanwhile() {
    for stalls in [false, true] {
        let relay = Obedient::new();
        let talk = Talk::open_idle(&relay, "1000");
        let [a, b] = talk.join(&relay);
        if stalls {
            fill(&a.stream, &talk.said(0, "large", &vec![b'x'; 8_000_000]));
        }
        let begun = Instant::now();
        while !is_readable(&a) {
            assert!(begun.elapsed() < support::PATIENCE, "it has not ended");
            relay.kill();
        }
        drop(b);
    }
}

/// Within a moment.
fn is_readable(peer: &Peer) -> bool {
    let mut fds = [PollFd::new(&peer.stream, PollFlags::IN)];
    let moment = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
    poll(&mut fds, Some(&moment)).unwrap() > 0
}

#[test]
fn a_lost_session_knows_why_when_the_answer_is_told_again() {
    let relay = Obedient::new();
    let talk = Talk::open(&relay);
    let [a, mut b] = talk.join(&relay);
    a.reset();
    b.expect_reset();
    relay.wait_for(talk.id, "reconnecting peer-reset");
    relay.kill();
    relay.carry_out(talk.id);
    relay.wait_for(talk.id, "reconnecting peer-reset");
    talk.join(&relay);
}

#[test]
fn ports_that_a_process_could_not_open_are_opened_by_the_next_one() {
    let relay = Obedient::new();
    let talk = Talk::open(&relay);
    let [a, mut b] = talk.join(&relay);
    relay.starve();
    a.reset();
    b.expect_reset();
    relay.wait_for(talk.id, "reconnecting peer-reset");
    relay.carry_out(talk.id);
    TcpStream::connect(talk.at[0]).expect_err("it could not be opened");
    relay.kill();
    relay.carry_out(talk.id);
    talk.join(&relay);
}

#[test]
fn a_listener_that_is_not_asked_for_again_closes() {
    let relay = Obedient::new();
    let talk = Talk::open(&relay);
    let [mut a, mut b] = talk.join(&relay);
    // As when a process dies between the opening and what it was opened for.
    let listener = TcpListener::bind(talk.at[1]).unwrap();
    let label = [b"e\x03\x01\0", &[0xff; 4][..], &talk.id.to_le_bytes()].concat();
    relay.hold(label.try_into().unwrap(), listener.into());
    relay.set(50, 0);
    relay.kill();
    let dial = || TcpStream::connect_timeout(&talk.at[1], support::PATIENCE);
    let begun = Instant::now();
    while dial().map_err(|why| why.kind()).err() != Some(ErrorKind::ConnectionRefused) {
        assert!(begun.elapsed() < support::PATIENCE, "it still listens");
    }
    a.send(&talk.said(0, "still", b""));
    b.expect(&talk.heard(0, "still", b""));
}
