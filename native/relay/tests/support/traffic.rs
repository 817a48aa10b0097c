//! Bytes in quantity: chunks of every size, written in random pieces, read and compared.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;

use msrp_relay::{Policy, Side};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Call, Numbers, Peer};

/// Chunks of every size with bodies that look like end-lines, about `size` bytes in all.
pub fn traffic(call: &Call, side: Side, size: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut all = Vec::new();
    for n in 0.. {
        if all.len() >= size {
            return all;
        }
        let tid = format!("t{n:07}");
        let body = match numbers.below(4) {
            0 => vec![b'-'; numbers.below(3000)],
            1 => format!("\r\n-------t{n:06}x$\r\n").repeat(numbers.below(50)).into_bytes(),
            _ => (0..numbers.below(200_000)).map(|_| numbers.next() as u8).collect(),
        };
        match numbers.below(8) {
            0 => all.extend(call.response(side, &tid, "200 OK")),
            1 => all.extend(call.request(side, &tid, "REPORT", None)),
            2..4 => all.extend(call.chunk(side, &tid, "1-*", &body)),
            // A range that claims too little, as one end's does that counts characters.
            4 => all.extend(call.chunk(side, &tid, &format!("1-{}", body.len() / 2), &body)),
            _ => all.extend(call.chunk(side, &tid, &format!("1-{}", body.len()), &body)),
        }
    }
    all
}

/// Writes in random pieces while the other peer reads; both directions at once.
pub fn exchange(
    call: &Call,
    policy: Policy,
    a: Peer,
    b: Peer,
    size: usize,
    piece: usize,
) -> (Peer, Peer) {
    let ways = [(Side::A, &a.stream, &b.stream), (Side::B, &b.stream, &a.stream)];
    thread::scope(|scope| {
        for (side, from, to) in ways {
            let sent = traffic(call, side, size, side.index() as u64);
            let wanted = call.arrives(side, policy, &sent);
            scope.spawn(move || write_in_pieces(from, &sent, piece));
            scope.spawn(move || read_exactly(to, &wanted));
        }
    });
    (a, b)
}

pub fn write_in_pieces(mut to: &TcpStream, bytes: &[u8], piece: usize) {
    let mut numbers = Numbers(7);
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = (1 + numbers.below(piece)).min(rest.len());
        to.write_all(&rest[..n]).expect("the relay reads");
        rest = &rest[n..];
    }
}

pub fn read_exactly(mut from: &TcpStream, wanted: &[u8]) {
    let mut buf = vec![0; 50_000];
    let mut at = 0;
    while at < wanted.len() {
        let n = from.read(&mut buf).expect("bytes come");
        assert!(n > 0, "ended after {at} of {} bytes", wanted.len());
        assert!(wanted[at..].starts_with(&buf[..n]), "different within {at}..{}", at + n);
        at += n;
    }
}

/// A request that the relay refuses with 481.
pub fn misdirected(number: usize) -> Vec<u8> {
    let tid = format!("bad{number:06}");
    let body = "x".repeat(100);
    format!(
        "MSRP {tid} SEND\r\nTo-Path: msrp://192.0.2.77:1/old;tcp\r\n\
         From-Path: msrp://172.16.4.4:9/p;tcp\r\nMessage-ID: m\r\nByte-Range: 1-100/100\r\n\
         Content-Type: text/plain\r\n\r\n{body}\r\n-------{tid}$\r\n"
    )
    .into_bytes()
}

/// Writes as much of `bytes` as is taken while nobody reads it; gives how much that was.
pub fn fill(mut to: &TcpStream, bytes: &[u8]) -> usize {
    to.set_nonblocking(true).unwrap();
    let mut at = 0;
    // What was taken goes on through the relay, which makes room again for a while.
    while is_writable(to) {
        match to.write(&bytes[at..]) {
            Ok(n) => at += n,
            Err(why) => assert_eq!(why.kind(), ErrorKind::WouldBlock),
        }
    }
    to.set_nonblocking(false).unwrap();
    assert!(at < bytes.len(), "all of it was taken");
    at
}

fn is_writable(stream: &TcpStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::OUT)];
    let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    poll(&mut fds, Some(&patience)).unwrap() > 0
}
