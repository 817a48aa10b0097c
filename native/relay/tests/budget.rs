//! What many slow readers together may cost.

mod support;

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use msrp_relay::{Config, Policy, Side};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use support::{Call, Engine, Peer, config};

const MIB: usize = 1 << 20;
const READERS: usize = 24;
const BUDGET: usize = 12 * MIB;
/// Nothing was taken for so long: nothing more will be.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

struct Flood {
    call: Call,
    a: Peer,
    b: Peer,
    message: Vec<u8>,
    /// Of the message, what the relay's kernel has taken.
    sent: usize,
}

fn engine(buffer_budget: usize) -> Engine {
    Engine::new(Config { buffer_budget, ..config() })
}

/// Sends for as long as something is taken.
fn fill(peer: &Peer, message: &[u8]) -> usize {
    peer.stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    loop {
        match (&peer.stream).write(&message[sent..]) {
            Ok(n) => sent += n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                let mut fds = [PollFd::new(&peer.stream, PollFlags::OUT)];
                if poll(&mut fds, Some(&QUIET)).unwrap() == 0 {
                    break;
                }
            }
        }
    }
    peer.stream.set_nonblocking(false).unwrap();
    sent
}

fn flood(engine: &mut Engine, policy: Policy) -> Vec<Flood> {
    let joined: Vec<_> = (0..READERS).map(|_| engine.joined(policy)).collect();
    for (_, a, b) in &joined {
        // Their own buffers are not what is measured.
        set_socket_send_buffer_size(&a.stream, 64 * 1024).unwrap();
        set_socket_recv_buffer_size(&b.stream, 128 * 1024).unwrap();
    }
    let floods = joined.into_iter().map(|(call, a, b)| {
        let message = call.message(Side::A, "tidflood", &[b'f'; 8 * MIB]);
        let sent = fill(&a, &message);
        Flood { call, a, b, message, sent }
    });
    floods.collect()
}

/// Everything arrives, now that it is read.
fn take_all(floods: &mut [Flood], policy: Policy) {
    for flood in floods {
        let rest = &flood.message[flood.sent..];
        let wanted = flood.call.arrives(Side::A, policy, &flood.message);
        std::thread::scope(|scope| {
            scope.spawn(|| flood.a.send(rest));
            flood.b.expect(&wanted);
        });
    }
}

fn held(engine: &Engine) -> usize {
    engine.relay.counters().stalled_bytes as usize
}

fn slow_readers_stay_within_the_budget_and_lose_nothing(policy: Policy) {
    let mut free = engine(usize::MAX);
    let most = flood(&mut free, policy).iter().map(|each| each.sent).sum::<usize>();
    let mut engine = engine(BUDGET);
    let mut floods = flood(&mut engine, policy);
    let taken = floods.iter().map(|each| each.sent).sum::<usize>();
    assert!(taken < most / 2, "{taken} of {most} bytes");
    assert!(held(&engine) < BUDGET, "{} bytes", held(&engine));
    assert!(engine.relay.counters().total.buffers_shrunk >= READERS as u64);
    take_all(&mut floods, policy);
}

#[test]
fn slow_readers_of_chunks_stay_within_the_budget_and_lose_nothing() {
    slow_readers_stay_within_the_budget_and_lose_nothing(Policy::Aware);
}

#[test]
fn slow_readers_of_bytes_stay_within_the_budget_and_lose_nothing() {
    slow_readers_stay_within_the_budget_and_lose_nothing(Policy::Sessmatch);
}

#[test]
fn a_fast_session_goes_on_beside_slow_ones() {
    let policy = Policy::Sessmatch;
    let mut engine = engine(BUDGET);
    let fast = engine.joined(policy);
    let mut floods = flood(&mut engine, policy);
    let (call, mut a, mut b) = fast;
    let big = call.message(Side::A, "tidlarge", &[b'x'; 64 * MIB]);
    std::thread::scope(|scope| {
        scope.spawn(|| a.send(&big));
        b.expect(&call.arrives(Side::A, policy, &big));
    });
    take_all(&mut floods, policy);
}

#[test]
fn buffers_grow_back_when_the_pressure_is_over() {
    let policy = Policy::Sessmatch;
    let mut engine = engine(BUDGET);
    let mut floods = flood(&mut engine, policy);
    take_all(&mut floods, policy);
    let start = Instant::now();
    // The last review is up to a second away.
    let again = loop {
        let Flood { call, a, .. } = &floods[READERS - 1];
        let message = call.message(Side::A, "tidagain", &[b'f'; 8 * MIB]);
        let sent = fill(a, &message);
        if sent > MIB / 2 {
            break sent;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{sent} bytes");
        take_all(&mut floods, policy);
    };
    assert!(again > MIB / 2);
}
