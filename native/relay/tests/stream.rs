//! Bytes of joined sessions: whole, in order, bounded, and ended the right way.

mod support;

use std::io::Write;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, LegReason, PATH_OCTETS, Policy, Role, Side, Target};
use support::traffic::read_exactly;
use support::{Call, Engine, Peer, config, replace, wait_until};

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
fn requests_with_a_foreign_from_path_are_forwarded_and_counted() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = engine.joined(Policy::Aware);
    for (from, foreign) in [(call.path[0].as_str(), 0), ("msrp://10.9.9.9:9/else;tcp", 1)] {
        let message = call.message(Side::A, "tidelse0", b"hello");
        a.send(&replace(&message, &call.path[0], from));
        b.expect(&call.arrives(Side::A, Policy::Aware, &message));
        wait_until(|| call.session.report().legs[0].chunks == 2 + foreign);
        wait_until(|| engine.relay.counters().total.foreign_from_paths == foreign);
    }
}

/// A joined session whose side B has a path of this many octets.
fn joined_far(engine: &mut Engine, octets: usize) -> (Call, Peer, Peer) {
    let mut call = engine.open(Policy::Aware);
    call.path[1] = format!("msrp://10.1.1.1:9/{};tcp", "x".repeat(octets - 22));
    assert_eq!(call.path[1].len(), octets);
    call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
    let (mut a, mut b) = (Peer::dial(call.local[0]), Peer::dial(call.local[1]));
    a.send(&call.bind(Side::A, "bindaaaa"));
    b.send(&call.bind(Side::B, "bindbbbb"));
    b.expect(&call.arrives(Side::A, Policy::Aware, &call.bind(Side::A, "bindaaaa")));
    a.expect(&call.arrives(Side::B, Policy::Aware, &call.bind(Side::B, "bindbbbb")));
    (call, a, b)
}

/// Many short chunks, and what they become.
fn short_chunks(call: &Call, many: usize) -> [Vec<u8>; 2] {
    let chunks = (0..many).map(|n| call.bind(Side::A, &format!("tid{n:05}")));
    let chunks: Vec<_> = chunks.collect();
    let arrive = chunks.iter().map(|chunk| call.arrives(Side::A, Policy::Aware, chunk));
    let arrive: Vec<_> = arrive.collect();
    [chunks.concat(), arrive.concat()]
}

#[test]
fn short_chunks_arrive_over_a_long_path_and_hold_little_memory() {
    let mut engine = Engine::new(config());
    let (call, mut a, b) = joined_far(&mut engine, PATH_OCTETS);
    let [chunks, arrive] = short_chunks(&call, 10_000);
    let writer = std::thread::spawn(move || {
        a.send(&chunks);
        a
    });
    // Both socket buffers, what is read at once, and what is made of it in one go.
    let stalled = || engine.relay.counters().stalled_bytes;
    wait_until(|| stalled() > 0);
    assert!(stalled() < 4 << 20, "{} bytes", stalled());
    read_exactly(&b.stream, &arrive);
    writer.join().unwrap().fin();
    b.fin();
    assert_eq!(engine.closed(&call).as_str(), "hangup");
}

#[test]
fn what_was_read_before_the_end_arrives_over_a_long_path_too() {
    let mut engine = Engine::new(config());
    let (call, mut a, mut b) = joined_far(&mut engine, PATH_OCTETS);
    let [chunks, arrive] = short_chunks(&call, 1000);
    let before = call.session.report().legs[0].bytes_in;
    a.send(&chunks);
    wait_until(|| call.session.report().legs[0].bytes_in == before + chunks.len() as u64);
    call.session.close(CloseReason::Deleted, Duration::ZERO);
    b.expect(&arrive);
    b.expect_fin();
}

#[test]
fn a_path_that_is_too_long_ends_the_session() {
    let mut engine = Engine::new(config());
    let call = engine.open(Policy::Aware);
    let path = "x".repeat(PATH_OCTETS + 1);
    call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, &path);
    assert_eq!(engine.closed(&call), CloseReason::Internal);
}

/// Whether the kernel is going to probe the relay's end of this connection.
fn is_probed(peer: &Peer) -> bool {
    let ends = [peer.stream.peer_addr().unwrap(), peer.stream.local_addr().unwrap()];
    let ends = ends.map(|end| format!("0100007F:{:04X}", end.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // The table may skip a line while others come and go.
    sockets.find(|socket| socket[1..3] == ends).is_some_and(|socket| socket[5].starts_with("02:"))
}

#[test]
fn a_peer_that_vanishes_will_be_found_missing() {
    let mut engine = Engine::new(config());
    let (_call, a, b) = engine.joined(Policy::Aware);
    wait_until(|| is_probed(&a) && is_probed(&b));
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
fn the_grace_after_a_fin_ends() {
    let mut engine = Engine::new(Config { grace: Duration::from_millis(50), ..config() });
    let (call, a, mut b) = engine.joined(Policy::Aware);
    a.fin();
    b.expect_fin();
    // b says nothing more and does not close either.
    assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
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
    let idle = Some(Duration::from_millis(50));
    let (call, mut a, mut b) = engine.joined_idle(Policy::Aware, idle);
    a.expect_fin();
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
