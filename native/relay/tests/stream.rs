//! Bytes of joined sessions: whole, in order, bounded, and ended the right way.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, LegReason, NoticeKind, Policy, Side};
use support::{Call, Engine, Numbers, Peer, config};

/// Chunks of every size with bodies that look like end-lines, about `size` bytes in all.
fn traffic(call: &Call, side: Side, size: usize, seed: u64) -> Vec<u8> {
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
            _ => all.extend(call.message(side, &tid, &body)),
        }
    }
    all
}

/// Writes in random pieces while the other peer reads; both directions at once.
fn exchange(
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

fn write_in_pieces(mut to: &TcpStream, bytes: &[u8], piece: usize) {
    let mut numbers = Numbers(7);
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = (1 + numbers.below(piece)).min(rest.len());
        to.write_all(&rest[..n]).expect("the relay reads");
        rest = &rest[n..];
    }
}

fn read_exactly(mut from: &TcpStream, wanted: &[u8]) {
    let mut buf = vec![0; 50_000];
    let mut at = 0;
    while at < wanted.len() {
        let n = from.read(&mut buf).expect("bytes come");
        assert!(n > 0, "ended after {at} of {} bytes", wanted.len());
        assert!(wanted[at..].starts_with(&buf[..n]), "different within {at}..{}", at + n);
        at += n;
    }
}

#[test]
fn megabytes_arrive_whole_both_ways() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Sessmatch] {
        let (call, a, b) = engine.joined(policy);
        let (a, b) = exchange(&call, policy, a, b, 20 << 20, 300_000);
        a.fin();
        b.fin();
        engine.closed(&call);
        for leg in call.session.report().legs {
            assert!(leg.bytes_in > 20 << 20 && leg.bytes_out > 20 << 20, "{leg:?}");
        }
    }
}

#[test]
fn any_segmentation_arrives_whole() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Cema] {
        for (size, piece) in [(20_000, 1), (200_000, 7), (1 << 20, 1500)] {
            let (call, a, b) = engine.joined(policy);
            exchange(&call, policy, a, b, size, piece);
        }
    }
}

#[test]
fn urgent_bytes_stay_in_the_stream() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Sessmatch] {
        let (call, mut a, mut b) = engine.joined(policy);
        let all = traffic(&call, Side::A, 100_000, 5);
        for (n, piece) in all.chunks(1000).enumerate() {
            let (urgent, rest) = piece.split_at(1);
            let flags = match n % 3 {
                0 => rustix::net::SendFlags::OOB,
                _ => rustix::net::SendFlags::empty(),
            };
            assert_eq!(rustix::net::send(&a.stream, urgent, flags).unwrap(), 1);
            a.send(rest);
        }
        b.expect(&call.arrives(Side::A, policy, &all));
    }
}

#[test]
fn small_socket_buffers_force_partial_sends() {
    let mut engine = Engine::new(Config { buffer_cap: 16 * 1024, ..config() });
    for policy in [Policy::Aware, Policy::Sessmatch] {
        let (call, a, b) = engine.joined(policy);
        exchange(&call, policy, a, b, 3 << 20, 100_000);
    }
}

#[test]
fn bytes_and_chunks_are_counted_per_leg() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let message = call.message(Side::A, "tidcount", b"hello");
    a.send(&message);
    let arrived = call.arrives(Side::A, Policy::Aware, &message);
    b.expect(&arrived);
    a.fin();
    b.expect_fin();
    b.fin();
    assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
    let bind = |side, tid| call.bind(side, tid).len() as u64;
    let bound = |side, tid| call.arrives(side, Policy::Aware, &call.bind(side, tid)).len() as u64;
    let [leg_a, leg_b] = call.session.report().legs;
    assert_eq!(leg_a.bytes_in, bind(Side::A, "bindaaaa") + message.len() as u64);
    assert_eq!(leg_b.bytes_out, bound(Side::A, "bindaaaa") + arrived.len() as u64);
    assert_eq!(leg_b.bytes_in, bind(Side::B, "bindbbbb"));
    assert_eq!(leg_a.bytes_out, bound(Side::B, "bindbbbb"));
    assert_eq!((leg_a.chunks, leg_b.chunks), (2, 1));
    assert_eq!((leg_a.reason, leg_b.reason), (Some(LegReason::Fin), Some(LegReason::Fin)));
}

#[test]
fn a_slow_reader_bounds_what_is_taken_from_its_sender() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Sessmatch] {
        let (call, a, b) = engine.joined(policy);
        let head = call.message(Side::A, "tidbulk1", b"");
        let head = &head[..head.len() - b"\r\n-------tidbulk1$\r\n".len()];
        rustix::net::sockopt::set_socket_send_buffer_size(&a.stream, 4096).unwrap();
        a.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        (&a.stream).write_all(head).unwrap();
        let block = vec![b'x'; 16 * 1024];
        let mut taken = head.len();
        let stalled = loop {
            match (&a.stream).write(&block) {
                Ok(n) => taken += n,
                Err(error) => break error,
            }
        };
        assert_eq!(stalled.kind(), ErrorKind::WouldBlock);
        assert!(taken < 2 << 20, "{taken} bytes taken while nobody reads");
        // Nothing is lost once it reads again.
        a.stream.set_write_timeout(Some(support::PATIENCE)).unwrap();
        let mut all = head.to_vec();
        all.resize(taken, b'x');
        all.extend_from_slice(b"\r\n-------tidbulk1$\r\n");
        thread::scope(|scope| {
            let rest = &all[taken..];
            let writer = &a.stream;
            scope.spawn(move || write_in_pieces(writer, rest, 10));
            read_exactly(&b.stream, &call.arrives(Side::A, policy, &all));
        });
    }
}

/// The one test here that must let time pass: what it shows is that nothing happens.
#[test]
fn a_slow_reader_outlives_the_user_timeout() {
    let user_timeout = Duration::from_millis(400);
    let mut engine = Engine::new(Config { user_timeout, ..config() });
    let (call, a, b) = engine.joined(Policy::Sessmatch);
    a.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut taken = 0;
    while let Ok(n) = (&a.stream).write(&[b'x'; 65536]) {
        taken += n;
    }
    assert_eq!(engine.quiet_for(user_timeout * 4), None);
    read_exactly(&b.stream, &vec![b'x'; taken]);
    a.fin();
    b.fin();
    assert_eq!(engine.closed(&call).as_str(), "hangup");
}

#[test]
fn a_fin_is_passed_on_and_the_other_direction_may_finish() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Sessmatch] {
        for first in Side::BOTH {
            let (call, a, b) = engine.joined(policy);
            let (mut near, mut far) = if first == Side::A { (a, b) } else { (b, a) };
            let last = call.message(first, "tidlast1", b"bye");
            near.send(&last);
            near.fin();
            far.expect(&call.arrives(first, policy, &last));
            far.expect_fin();
            let answer = call.response(first.other(), "tidlast1", "200 OK");
            far.send(&answer);
            near.expect(&call.arrives(first.other(), policy, &answer));
            far.fin();
            near.expect_fin();
            engine.until(&call, NoticeKind::LegLost(first, LegReason::Fin));
            assert_eq!(engine.closed(&call), CloseReason::Hangup(first));
        }
    }
}

#[test]
fn the_grace_after_a_fin_ends() {
    let mut engine = Engine::new(Config { grace: Duration::from_millis(50), ..config() });
    let (call, a, mut b) = engine.joined(Policy::Aware);
    a.fin();
    b.expect_fin();
    // b says nothing more and does not close either.
    assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
}

#[test]
fn a_full_close_does_not_destroy_what_was_said() {
    let mut engine = Engine::new(config());
    for _ in 0..20 {
        let (call, mut a, b) = engine.joined(Policy::Aware);
        let said = call.message(Side::A, "tidlast1", &vec![b'x'; 400_000]);
        a.send(&said);
        drop(a);
        // Its answers meet a closed connection; what it was told must arrive all the same.
        let mut peer = b;
        let answer = call.response(Side::B, "tidlast1", "200 OK");
        let _ = peer.stream.write_all(&answer);
        peer.expect(&call.arrives(Side::A, Policy::Aware, &said));
        peer.expect_fin();
        drop(peer);
        assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
    }
}

#[test]
fn a_reset_is_passed_on() {
    let mut engine = Engine::new(config());
    for policy in [Policy::Aware, Policy::Cema] {
        for first in Side::BOTH {
            let (call, a, b) = engine.joined(policy);
            let (near, mut far) = if first == Side::A { (a, b) } else { (b, a) };
            near.reset();
            far.expect_reset();
            assert_eq!(engine.closed(&call), CloseReason::PeerReset(first));
            let legs = call.session.report().legs;
            assert_eq!(legs[first.index()].reason, Some(LegReason::Reset));
            assert_eq!(legs[first.other().index()].reason, Some(LegReason::Aborted));
        }
    }
}

#[test]
fn a_reset_is_noticed_under_backpressure() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Sessmatch);
    a.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while a.stream.write(&[0; 65536]).is_ok() {}
    a.reset();
    assert_eq!(engine.closed(&call), CloseReason::PeerReset(Side::A));
    b.expect_reset();
}

#[test]
fn a_fin_inside_a_chunk_is_no_clean_end() {
    let mut engine = Engine::new(config());
    let whole = |call: &Call| call.message(Side::A, "tidcut01", b"some body");
    for cut in ["MSRP tid", "Content-Type", "\r\n\r\nsome", "-------tid"] {
        let (call, mut a, mut b) = engine.joined(Policy::Aware);
        let frame = whole(&call);
        let at = support::find(&frame, cut.as_bytes()).unwrap() + cut.len();
        a.send(&frame[..at]);
        a.fin();
        b.expect_reset();
        assert_eq!(engine.closed(&call), CloseReason::CutChunk(Side::A), "cut after {cut:?}");
    }
    // Opaque cannot know and passes it as it is.
    let (call, mut a, mut b) = engine.joined(Policy::Cema);
    let frame = whole(&call);
    a.send(&frame[..100]);
    a.fin();
    b.expect(&frame[..100]);
    b.expect_fin();
}

#[test]
fn malformed_bytes_abort_both_legs() {
    let mut engine = Engine::new(config());
    let cases: [&[u8]; 3] = [
        b"HELLO\r\n",
        b"MSRP abcd1234 SEND\r\nno colon here\r\n\r\n",
        b"MSRP abcd1234 SEND\r\nTo-Path: x\r\n-------wrongtid$\r\n",
    ];
    for bytes in cases {
        let (call, mut a, mut b) = engine.joined(Policy::Aware);
        a.send(bytes);
        b.expect_reset();
        a.expect_reset();
        assert_eq!(engine.closed(&call), CloseReason::Malformed(Side::A));
        let [leg_a, _] = call.session.report().legs;
        assert_eq!(leg_a.reason, Some(LegReason::Malformed));
    }
}

#[test]
fn a_wrong_to_path_is_answered_between_two_chunks_of_the_other_peer() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let long = call.message(Side::B, "tidlong1", &[b'y'; 5000]);
    let (begin, rest) = long.split_at(2000);
    b.send(begin);
    let arrives = call.arrives(Side::B, Policy::Aware, &long);
    // The head and some of the body are here: a is inside b's chunk now.
    a.expect(&arrives[..1500]);
    let wrong = String::from_utf8(call.message(Side::A, "tidwrong", b"x")).unwrap();
    a.send(wrong.replace("/ownA", "/other").as_bytes());
    a.send(&call.message(Side::A, "tidright", b"x"));
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.message(Side::A, "tidright", b"x")));
    let next = call.message(Side::B, "tidnext1", b"next");
    b.send(&[rest, &next].concat());
    a.expect(&arrives[1500..]);
    let answer = a.frame();
    assert!(answer.starts_with(b"MSRP tidwrong 481 "), "{}", String::from_utf8_lossy(&answer));
    a.expect(&call.arrives(Side::B, Policy::Aware, &next));
}

#[test]
fn a_stalled_chunk_ends_the_session() {
    let stall = Duration::from_millis(50);
    let mut engine = Engine::new(Config { stall, ..config() });
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let frame = call.message(Side::A, "tidstall", b"some body");
    a.send(&frame[..frame.len() - 5]);
    assert_eq!(engine.closed(&call), CloseReason::ChunkStalled(Side::A));
    b.expect_reset();
    a.expect_reset();
}

#[test]
fn an_idle_session_ends_where_that_is_asked_for() {
    let mut engine = Engine::new(config());
    let call = engine.open_idle(Policy::Aware, Some(Duration::from_millis(50)));
    let none = msrp_relay::Target::None;
    call.answer(msrp_relay::Role::Accept, msrp_relay::Role::Accept, none.clone(), none);
    let (mut a, mut b) = (Peer::dial(call.local[0]), Peer::dial(call.local[1]));
    a.send(&call.bind(Side::A, "bindaaaa"));
    b.send(&call.bind(Side::B, "bindbbbb"));
    engine.until(&call, NoticeKind::Joined);
    a.frame();
    a.expect_fin();
    b.frame();
    b.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&call), CloseReason::Idle);
}

#[test]
fn a_delete_lets_what_is_in_flight_arrive() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let message = call.message(Side::A, "tidlast1", b"bye");
    call.session.close(CloseReason::Deleted, Duration::from_secs(60));
    a.send(&message);
    b.expect(&call.arrives(Side::A, Policy::Aware, &message));
    a.fin();
    b.expect_fin();
    b.fin();
    a.expect_fin();
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
}

#[test]
fn after_the_linger_both_are_ended_politely() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    call.session.close(CloseReason::Deleted, Duration::from_millis(20));
    a.expect_fin();
    b.expect_fin();
    drop((a, b));
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
}

#[test]
fn what_was_read_is_written_before_the_end() {
    let mut engine = Engine::new(config());
    let (call, a, b) = engine.joined(Policy::Sessmatch);
    a.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let before = call.session.report().legs[0].bytes_in;
    let block: Vec<u8> = (0..65536u32).map(|n| n as u8).collect();
    while let Ok(65536) = (&a.stream).write(&block) {}
    call.session.close(CloseReason::Deleted, Duration::ZERO);
    // Its peer leaves at once, with more unread than the relay has taken.
    drop(a);
    let mut got = Vec::new();
    (&b.stream).read_to_end(&mut got).expect("a clean end");
    drop(b);
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
    let legs = call.session.report().legs;
    assert_eq!(legs[0].bytes_in - before, got.len() as u64);
    assert!(got.len() > 256 * 1024);
    assert!(got.chunks(65536).all(|part| block.starts_with(part)));
}

#[test]
fn a_delete_inside_a_chunk_is_no_clean_end_for_its_receiver() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    let frame = call.message(Side::A, "tidcut01", b"some body");
    let arrives = call.arrives(Side::A, Policy::Aware, &frame);
    a.send(&frame[..frame.len() - 25]);
    b.expect(&arrives[..arrives.len() - 30]);
    call.session.close(CloseReason::Deleted, Duration::ZERO);
    b.expect_reset();
    a.expect_fin();
    drop(a);
    assert_eq!(engine.closed(&call), CloseReason::Deleted);
}

#[test]
fn the_ring_tells_the_story() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    a.send(&call.message(Side::A, "tidhello", b"hello"));
    b.frame();
    b.send(&call.response(Side::B, "tidhello", "200 OK"));
    a.frame();
    a.fin();
    b.fin();
    engine.closed(&call);
    let story: Vec<String> = call
        .session
        .events()
        .iter()
        .filter(|event| event.side != Some(Side::B))
        .map(|event| format!("{} {}", event.side.map_or("-", Side::as_str), event.what.as_str()))
        .collect();
    let wanted =
        ["a accepted", "a first-frame", "a bound", "- joined", "a send", "a send", "a fin"];
    let mut rest = story.iter();
    for event in wanted {
        assert!(rest.any(|told| told == event), "{event} is missing in {story:?}");
    }
}
