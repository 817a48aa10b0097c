//! Every way bytes take through the engine: whole, in order, bounded, and ended the right way.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, LegReason, NoticeKind, Policy, Side};
use support::traffic::{exchange, read_exactly, traffic, write_in_pieces};
use support::{Call, Engine, Peer, config};

/// One way.
struct Way {
    name: &'static str,
    policy: Policy,
    config: Config,
    /// Bulk goes through pipes.
    splices: bool,
}

fn ways() -> [Way; 6] {
    let way = |name, policy, config, splices| Way { name, policy, config, splices };
    let opaque = |pipe| Config { pipe, ..config() };
    let unseen = Config { splice_bodies: true, ..config() };
    let small = Config { pipe: 64 * 1024, ..unseen.clone() };
    [
        way("aware", Policy::Aware, config(), false),
        way("aware, bodies unseen", Policy::Aware, unseen, true),
        way("aware, bodies unseen, small pipes", Policy::Aware, small, true),
        way("opaque, large pipes", Policy::Sessmatch, opaque(1 << 20), true),
        way("opaque, small pipes", Policy::Cema, opaque(64 * 1024), true),
        way("opaque, pipes of one page", Policy::Cema, opaque(4096), false),
    ]
}

/// Joins a session of every way, or of every opaque one.
fn on_every_way(mut act: impl FnMut(&mut Engine, &Way, Call, Peer, Peer)) {
    for way in ways() {
        eprintln!("{}", way.name);
        let mut engine = Engine::new(way.config.clone());
        let (call, a, b) = engine.joined(way.policy);
        act(&mut engine, &way, call, a, b);
    }
}

#[test]
fn megabytes_arrive_whole_both_ways() {
    on_every_way(|engine, way, call, a, b| {
        let (a, b) = exchange(&call, way.policy, a, b, 6 << 20, 300_000);
        a.fin();
        b.fin();
        engine.closed(&call);
        for leg in call.session.report().legs {
            assert!(leg.bytes_in > 6 << 20 && leg.bytes_out > 6 << 20, "{leg:?}");
        }
        let load = engine.relay.counters().total;
        assert_eq!(load.spliced > 1 << 20, way.splices, "{} of {load:?}", load.spliced);
        assert!(load.spliced < load.bytes_in);
    });
}

#[test]
fn any_segmentation_arrives_whole() {
    for (size, piece) in [(20_000, 1), (200_000, 7), (1 << 20, 1500), (2 << 20, 70_000)] {
        on_every_way(|_, way, call, a, b| {
            exchange(&call, way.policy, a, b, size, piece);
        });
    }
}

#[test]
fn small_socket_buffers_force_partial_writes() {
    for mut way in ways() {
        way.config.buffer_cap = 16 * 1024;
        let mut engine = Engine::new(way.config);
        let (call, a, b) = engine.joined(way.policy);
        exchange(&call, way.policy, a, b, 3 << 20, 100_000);
    }
}

#[test]
fn urgent_bytes_stay_in_the_stream() {
    on_every_way(|_, way, call, mut a, mut b| {
        // Bulk first, so that what can be spliced is.
        let all = traffic(&call, Side::A, 2 << 20, 5);
        let arrives = call.arrives(Side::A, way.policy, &all);
        thread::scope(|scope| {
            let reader = &mut b;
            scope.spawn(move || reader.expect(&arrives));
            for (n, piece) in all.chunks(100_000).enumerate() {
                let (urgent, rest) = piece.split_at(1);
                let flags = match n {
                    0..4 => rustix::net::SendFlags::empty(),
                    _ => rustix::net::SendFlags::OOB,
                };
                assert_eq!(rustix::net::send(&a.stream, urgent, flags).unwrap(), 1);
                a.send(rest);
            }
        });
        // Nor does an urgent byte right before the FIN get lost.
        let last = call.response(Side::A, "tidlast1", "200 OK");
        let flags = rustix::net::SendFlags::OOB;
        assert_eq!(rustix::net::send(&a.stream, &last, flags).unwrap(), last.len());
        a.fin();
        b.expect(&call.arrives(Side::A, way.policy, &last));
        b.expect_fin();
    });
}

#[test]
fn a_slow_reader_bounds_what_is_taken_from_its_sender() {
    on_every_way(|_, way, call, a, b| {
        let frame = call.chunk(Side::A, "tidbulk1", "1-3000000", &vec![b'x'; 3_000_000]);
        rustix::net::sockopt::set_socket_send_buffer_size(&a.stream, 4096).unwrap();
        a.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut taken = 0;
        let stalled = loop {
            match (&a.stream).write(&frame[taken..][..16 * 1024]) {
                Ok(n) => taken += n,
                Err(error) => break error,
            }
        };
        assert_eq!(stalled.kind(), ErrorKind::WouldBlock);
        assert!(taken < 2 << 20, "{taken} bytes taken while nobody reads");
        // Nothing is lost once it reads again.
        a.stream.set_write_timeout(Some(support::PATIENCE)).unwrap();
        rustix::net::sockopt::set_socket_send_buffer_size(&a.stream, 1 << 20).unwrap();
        thread::scope(|scope| {
            let (writer, rest) = (&a.stream, &frame[taken..]);
            scope.spawn(move || write_in_pieces(writer, rest, 100_000));
            read_exactly(&b.stream, &call.arrives(Side::A, way.policy, &frame));
        });
    });
}

#[test]
fn a_fin_is_passed_on_and_the_other_direction_may_finish() {
    for first in Side::BOTH {
        on_every_way(|engine, way, call, a, b| {
            let (mut near, mut far) = if first == Side::A { (a, b) } else { (b, a) };
            let last = traffic(&call, first, 1 << 20, 3);
            let arrives = call.arrives(first, way.policy, &last);
            thread::scope(|scope| {
                let reader = &far.stream;
                scope.spawn(move || read_exactly(reader, &arrives));
                write_in_pieces(&near.stream, &last, 400_000);
                near.fin();
            });
            far.expect_fin();
            let answer = traffic(&call, first.other(), 1 << 20, 4);
            let arrives = call.arrives(first.other(), way.policy, &answer);
            thread::scope(|scope| {
                let reader = &near.stream;
                scope.spawn(move || read_exactly(reader, &arrives));
                write_in_pieces(&far.stream, &answer, 400_000);
                far.fin();
            });
            near.expect_fin();
            engine.until(&call, NoticeKind::LegLost(first, LegReason::Fin));
            assert_eq!(engine.closed(&call), CloseReason::Hangup(first));
        });
    }
}

#[test]
fn a_full_close_does_not_destroy_what_was_said() {
    for _ in 0..5 {
        on_every_way(|engine, way, call, mut a, mut b| {
            let said = call.chunk(Side::A, "tidlast1", "1-400000", &[b'x'; 400_000]);
            a.send(&said);
            drop(a);
            // Its answers meet a closed connection; what it was told must arrive all the same.
            let _ = b.stream.write_all(&call.response(Side::B, "tidlast1", "200 OK"));
            b.expect(&call.arrives(Side::A, way.policy, &said));
            b.expect_fin();
            drop(b);
            assert_eq!(engine.closed(&call), CloseReason::Hangup(Side::A));
        });
    }
}

#[test]
fn a_reset_is_passed_on() {
    for first in Side::BOTH {
        on_every_way(|engine, way, call, a, b| {
            let (a, b) = exchange(&call, way.policy, a, b, 1 << 20, 400_000);
            let (near, mut far) = if first == Side::A { (a, b) } else { (b, a) };
            near.reset();
            far.expect_reset();
            assert_eq!(engine.closed(&call), CloseReason::PeerReset(first));
            let legs = call.session.report().legs;
            assert_eq!(legs[first.index()].reason, Some(LegReason::Reset));
            assert_eq!(legs[first.other().index()].reason, Some(LegReason::Aborted));
        });
    }
}

/// Writes a chunk nobody reads until no more is taken.
fn fill(call: &Call, a: &Peer) -> usize {
    let frame = call.chunk(Side::A, "tidbulk1", "1-9000000", &vec![b'x'; 9_000_000]);
    a.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut taken = 0;
    while let Ok(n) = (&a.stream).write(&frame[taken..][..65_536]) {
        taken += n;
    }
    taken
}

#[test]
fn a_reset_is_noticed_under_backpressure() {
    for first in Side::BOTH {
        on_every_way(|engine, _, call, a, b| {
            fill(&call, &a);
            let (near, mut far) = if first == Side::A { (a, b) } else { (b, a) };
            near.reset();
            assert_eq!(engine.closed(&call), CloseReason::PeerReset(first));
            far.expect_reset();
        });
    }
}

#[test]
fn what_was_read_is_written_before_the_end() {
    on_every_way(|engine, way, call, a, mut b| {
        if way.policy == Policy::Aware {
            // It would be cut inside a chunk, and that is no clean end.
            return;
        }
        let before = call.session.report().legs[0].bytes_in;
        fill(&call, &a);
        call.session.close(CloseReason::Deleted, Duration::ZERO);
        // Its peer leaves at once, with more unread than the relay has taken.
        drop(a);
        let mut got = Vec::new();
        b.stream.read_to_end(&mut got).expect("a clean end");
        drop(b);
        assert_eq!(engine.closed(&call), CloseReason::Deleted);
        let read = call.session.report().legs[0].bytes_in - before;
        assert_eq!(read, got.len() as u64);
        assert!(got.len() > 256 * 1024);
        let frame = call.chunk(Side::A, "tidbulk1", "1-9000000", &vec![b'x'; 9_000_000]);
        assert!(frame.starts_with(&got));
    });
}

#[test]
fn bodies_go_unseen_only_as_far_as_their_range_says() {
    let mut engine = Engine::new(Config { splice_bodies: true, ..config() });
    let body = vec![b'x'; 300_000];
    let inner = |call: &Call| call.message(Side::A, "tidinner", b"hello");
    // A range that claims too much hides the end-line and what follows it, octet for octet.
    for (claim, unseen) in [(100_000, 0), (300_000, 0), (300_500, 1)] {
        let (call, mut a, mut b) = engine.joined(Policy::Aware);
        let frame = call.chunk(Side::A, "tidbulk1", &format!("1-{claim}"), &body);
        let (head, rest) = frame.split_at(1000);
        a.send(head);
        b.expect(&call.arrives(Side::A, Policy::Aware, &frame)[..990]);
        let before = engine.relay.counters().total.spliced;
        a.send(&[rest, &inner(&call)].concat());
        let arrives = call.arrives(Side::A, Policy::Aware, &frame);
        b.expect(&arrives[990..]);
        if unseen == 0 {
            b.expect(&call.arrives(Side::A, Policy::Aware, &inner(&call)));
        } else {
            b.expect(&inner(&call)[..100]);
        }
        assert!(engine.relay.counters().total.spliced - before > 50_000);
    }
}
