//! Sessions from open to close, again and again: descriptors and memory return to the start.
//!
//! `LIFECYCLES` says how many, 100,000 if it does not; `make soak` asks for a million.

mod support;

use std::fs;
use std::time::Duration;

use msrp_relay::{CloseReason, Config, NoticeKind, Policy, Role, Side, Target};
use support::{Call, Engine, Peer, config, replace};

const MOVED: &str = "msrp://172.16.4.5:9/moved;tcp";

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Resident memory in pages of 4 KiB.
fn memory() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Sessions that are told to end. A thread looks for commands that come on the heels of others once
/// in a while: so many are awaited together.
#[derive(Default)]
struct Ending(Vec<Call>);

const TOGETHER: usize = 64;
/// From so many lives on, growth is theirs. After few it may be valgrind's own, which takes memory in
/// pieces of megabytes; what is not freed there, it finds at the exit.
const TELLING: usize = 10_000;
/// Whose sessions live at the same time.
const ENGINES: usize = 4;

impl Ending {
    fn delete(&mut self, engine: &mut Engine, call: Call) {
        call.session.close(CloseReason::Deleted, Duration::ZERO);
        self.0.push(call);
        if self.0.len() == TOGETHER {
            self.wait(engine);
        }
    }

    fn wait(&mut self, engine: &mut Engine) {
        self.0.drain(..).for_each(|call| {
            engine.closed(&call);
        });
    }
}

/// One life; every connection ends by RST so that none stays behind in TIME_WAIT.
fn live(engine: &mut Engine, ending: &mut Ending, number: usize) {
    let policy = [Policy::Aware, Policy::Cema, Policy::Sessmatch][number % 3];
    match number % 50 {
        // Joined, and lost.
        0 | 10 | 20 => {
            let (call, a, b) = engine.joined(policy);
            a.reset();
            engine.closed(&call);
            b.reset();
        }
        // A stranger first; lost, come back, deleted.
        30 => {
            let (mut call, a, b) = engine.joined(Policy::Aware);
            call.answer_with(Role::Accept, Role::Accept, Target::None, Target::None, MOVED);
            call.path[1] = MOVED.to_owned();
            let mut stranger = Peer::dial(call.local[1]);
            stranger.send(&replace(&call.bind(Side::B, "tidwrong"), "ownB", "other"));
            stranger.frame();
            stranger.reset();
            let mut new = Peer::dial(call.local[1]);
            new.send(&call.bind(Side::B, "tidmoved"));
            engine.until(&call, NoticeKind::Renewed(Side::B));
            [a, b, new].into_iter().for_each(Peer::reset);
            engine.closed(&call);
        }
        // Bound on one side, deleted.
        40 => {
            let call = engine.open(policy);
            call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
            let mut a = Peer::dial(call.local[0]);
            a.send(&call.bind(Side::A, "tidalone"));
            engine.until(&call, NoticeKind::Bound(Side::A));
            a.reset();
            engine.until(&call, NoticeKind::LegLost(Side::A, msrp_relay::LegReason::Reset));
            ending.delete(engine, call);
        }
        // Answered, and nobody came.
        odd if odd % 2 == 1 => {
            let call = engine.open(policy);
            call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
            ending.delete(engine, call);
        }
        _ => {
            let call = engine.open(policy);
            ending.delete(engine, call);
        }
    }
}

/// So many lives in every engine, all at the same time: most of a life is waiting. Where they are few,
/// the engines have different ones.
fn live_all(engines: &mut [Engine], lives: usize) {
    std::thread::scope(|scope| {
        for (place, engine) in engines.iter_mut().enumerate() {
            scope.spawn(move || {
                let mut ending = Ending::default();
                let numbers = place * lives..(place + 1) * lives;
                numbers.for_each(|number| live(engine, &mut ending, number));
                ending.wait(engine);
            });
        }
    });
}

#[test]
fn lives_leave_nothing_behind() {
    let lives = std::env::var("LIFECYCLES").map_or(100_000, |lives| lives.parse().unwrap());
    let config = || Config { threads: 2, ..config() };
    let mut engines = [(); ENGINES].map(|()| Engine::new(config()));
    let warm = lives / ENGINES / 10;
    live_all(&mut engines, warm);
    let (descriptors_then, memory_then) = (descriptors(), memory());
    live_all(&mut engines, lives / ENGINES - warm);
    assert_eq!(descriptors(), descriptors_then);
    let grown = memory().saturating_sub(memory_then);
    assert!(
        lives < TELLING || grown < 1024,
        "{grown} pages more than after a tenth of {lives} lives"
    );
    for engine in engines {
        let counters = engine.relay.counters();
        assert_eq!(counters.closed.values().sum::<u64>(), (lives / ENGINES) as u64);
        assert_eq!(counters.total.opened, (lives / ENGINES) as u64);
        assert_eq!(counters.total.panics, 0);
    }
    println!("{lives} lives, {grown} pages more");
}
