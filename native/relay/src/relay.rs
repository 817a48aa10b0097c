//! The handle of the engine, and of one session.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use msrp_proto::session::{CloseReason, Side};

use crate::board::{Board, Report};
use crate::buffers::CARRY;
use crate::command::{Answered, Command};
use crate::config::Config;
use crate::counters::{Counters, ThreadCounters};
use crate::half_open::HalfOpen;
use crate::notice::Notice;
use crate::pair::Opening;
use crate::queue::Queue;
use crate::ring::RingEvent;
use crate::spec::{AnswerSpec, OpenError, OpenSpec, Target};
use crate::sys::tcp;
use crate::worker::Worker;

/// The engine: threads that move bytes, behind a handle. Dropping it ends them and every session.
#[derive(Debug)]
pub struct Relay {
    config: Arc<Config>,
    threads: Vec<Thread>,
    notices: Arc<Queue<Notice>>,
    opened: AtomicU64,
}

#[derive(Debug)]
struct Thread {
    commands: Arc<Queue<Command>>,
    counters: Arc<ThreadCounters>,
    join: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts the threads.
    ///
    /// # Errors
    /// The kernel's, for want of descriptors or threads.
    pub fn start(mut config: Config) -> io::Result<Self> {
        config.limits.head = config.limits.head.min(CARRY);
        let half_open = HalfOpen::new(config.half_open);
        let config = Arc::new(config);
        let notices = Arc::new(Queue::new()?);
        let mut relay = Self { config, threads: Vec::new(), notices, opened: AtomicU64::new(0) };
        for number in 0..relay.config.threads.max(1) {
            let thread = relay.start_thread(number, half_open.clone())?;
            relay.threads.push(thread);
        }
        Ok(relay)
    }

    fn start_thread(&self, number: usize, half_open: HalfOpen) -> io::Result<Thread> {
        let commands = Arc::new(Queue::new()?);
        let counters = Arc::new(ThreadCounters::default());
        let worker = Worker::new(
            Arc::clone(&self.config),
            half_open,
            Arc::clone(&commands),
            Arc::clone(&self.notices),
            Arc::clone(&counters),
        )?;
        let name = format!("msrp-{number}");
        let join = std::thread::Builder::new().name(name).spawn(move || worker.run())?;
        Ok(Thread { commands, counters, join: Some(join) })
    }

    /// Opens a session: both listeners accept connections when this returns. Waits for no thread.
    ///
    /// # Errors
    /// Says whose listener could not be opened. A port in use is a normal outcome.
    pub fn open(&self, spec: OpenSpec) -> Result<Session, OpenError> {
        let options = tcp::Options::new(&self.config, spec.tos);
        let listen = |side: Side| {
            tcp::listen(spec.legs[side.index()].listen, &options)
                .map_err(|source| OpenError { side, source })
        };
        let listeners = [listen(Side::A)?, listen(Side::B)?];
        let local = Side::BOTH.map(|side| {
            let (asked, listener) = (spec.legs[side.index()].listen, &listeners[side.index()]);
            let chosen = || tcp::local_address(listener);
            (asked.port() == 0).then(chosen).flatten().unwrap_or(asked)
        });
        let board = Arc::new(Board::new(local, Instant::now(), self.config.ring));
        let id = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let thread = &self.threads[id as usize % self.threads.len()];
        for (side, leg) in Side::BOTH.into_iter().zip(&spec.legs) {
            board.leg(side).moves(&leg.peer_path);
        }
        let session = Session {
            id,
            board: Arc::clone(&board),
            commands: Arc::clone(&thread.commands),
            config: Arc::clone(&self.config),
            tos: spec.tos,
        };
        let opening = Opening { id, spec, listeners, board };
        thread.commands.push(Command::Adopt(Box::new(opening)));
        Ok(session)
    }

    /// Readable while [`drain`](Self::drain) has something to give.
    pub fn notices_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }

    /// Every notice since the last call, oldest first.
    pub fn drain(&self) -> Vec<Notice> {
        self.notices.drain()
    }

    /// All threads' counters, read while they run.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for thread in &self.threads {
            sum.add(&thread.counters);
        }
        sum
    }

    /// Ends the threads and every session at once, without notices. For an orderly end, close the
    /// sessions first.
    pub fn stop(self) {}
}

impl Drop for Relay {
    fn drop(&mut self) {
        for thread in &self.threads {
            thread.commands.push(Command::Stop);
        }
        for thread in &mut self.threads {
            if let Some(join) = thread.join.take() {
                // A thread that panicked outside a session has ended all the same.
                let _ = join.join();
            }
        }
    }
}

/// A cheap handle of one session, usable from any thread. Dropping it ends nothing.
#[derive(Clone, Debug)]
pub struct Session {
    id: u64,
    board: Arc<Board>,
    commands: Arc<Queue<Command>>,
    config: Arc<Config>,
    tos: Option<u8>,
}

impl Session {
    /// The number in notices: 1, 2, ... in the order of opening.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Roles and paths from the answer. May come again (late 200, fork, committed re-offer): a peer
    /// that has another path since finds its listener open when this returns. Waits for no thread.
    pub fn answer(&self, spec: AnswerSpec) {
        let listeners =
            Side::BOTH.map(|side| self.listen_again(side, &spec.legs[side.index()].peer_path));
        self.commands.push(Command::Answer(self.id, Box::new(Answered { spec, listeners })));
    }

    fn listen_again(&self, side: Side, path: &[Vec<u8>]) -> Option<OwnedFd> {
        let options = tcp::Options::new(&self.config, self.tos);
        // A port in use is the listener that is still open.
        let listen = || tcp::listen(self.board.local(side), &options).ok();
        self.board.leg(side).moves(path).then(listen).flatten()
    }

    /// What became of a target that was [`Target::Pending`].
    pub fn set_target(&self, side: Side, target: Target) {
        self.commands.push(Command::SetTarget(self.id, side, target));
    }

    /// Ends the session: no new connections; joined legs go on for `linger`, then both are ended
    /// politely.
    pub fn close(&self, reason: CloseReason, linger: Duration) {
        self.commands.push(Command::Close(self.id, reason, linger));
    }

    /// How it stands, also after its end.
    pub fn report(&self) -> Report {
        self.board.report()
    }

    /// Its event ring, oldest first, also after its end; empty where the ring is off.
    pub fn events(&self) -> Vec<RingEvent> {
        self.board.events()
    }
}
