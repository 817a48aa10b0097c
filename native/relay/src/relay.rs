//! The handle of the engine, and of one session.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use msrp_proto::session::{CloseReason, Side};

use crate::board::{Board, Report};
use crate::budget::Budget;
use crate::buffers::CARRY;
use crate::command::{Answered, Command};
use crate::config::Config;
use crate::counters::{Counters, ThreadCounters};
use crate::half_open::HalfOpen;
use crate::keep::{self, Held, Keep, Keeper, Kind};
use crate::notice::Notice;
use crate::pair::{Inheritance, Opening};
use crate::queue::Queue;
use crate::ring::RingEvent;
use crate::spec::{AnswerSpec, OpenError, OpenSpec, Target, is_too_long};
use crate::sys::arena::Arena;
use crate::sys::{clock, tcp};
use crate::worker::Worker;

/// The engine: threads that move bytes, behind a handle. Dropping it ends them and every session.
#[derive(Debug)]
pub struct Relay {
    config: Arc<Config>,
    threads: Vec<ThreadHandle>,
    notices: Arc<Queue<Notice>>,
    budget: Budget,
    opened: AtomicU64,
    keep: Option<Keep>,
    /// Sessions of a dead process.
    inherited: BTreeMap<u64, Session>,
}

#[derive(Debug)]
struct ThreadHandle {
    owner: Arc<Owner>,
    counters: Arc<ThreadCounters>,
    join: Option<JoinHandle<()>>,
}

/// What the handles of a thread's sessions have in common.
#[derive(Debug)]
struct Owner {
    commands: Arc<Queue<Command>>,
    config: Arc<Config>,
    keep: Option<Keep>,
}

impl Relay {
    /// Starts the threads.
    ///
    /// # Errors
    /// The kernel's, for want of descriptors or threads.
    pub fn start(config: Config) -> io::Result<Self> {
        Self::start_with(config, None)
    }

    /// The same with a keeper: duplicates of every descriptor go to this `SOCK_SEQPACKET` socket,
    /// whatever a successor must know is in memory that is kept there.
    ///
    /// # Errors
    /// The kernel's, for want of descriptors, memory or threads.
    pub fn start_kept(config: Config, keeper: OwnedFd) -> io::Result<Self> {
        let keep = Keep::new(Arena::create()?, Keeper::new(keeper));
        keep.register();
        Self::start_with(config, Some(keep))
    }

    /// Goes on with what a process that is dead has left with the keeper: labels and descriptors.
    /// That process must have been reaped. Its notices are lost; [`sessions`](Self::sessions) says
    /// what there is. `crashed`: nobody has killed it. A session that a third process crashes with
    /// is ended.
    ///
    /// # Errors
    /// `InvalidData`: without an arena among them, or with one of another version.
    pub fn adopt(
        config: Config,
        keeper: OwnedFd,
        left: Vec<([u8; 16], OwnedFd)>,
        crashed: bool,
    ) -> io::Result<Self> {
        let (keep, sessions) = keep::adopt(keeper, left, config.ring, crashed)?;
        let mut relay = Self::start_with(config, Some(keep))?;
        for inheritance in sessions {
            relay.inherit(inheritance);
        }
        Ok(relay)
    }

    fn start_with(mut config: Config, keep: Option<Keep>) -> io::Result<Self> {
        config.limits.head = config.limits.head.min(CARRY);
        let half_open = HalfOpen::new(config.half_open);
        let budget = Budget::new(&config);
        let config = Arc::new(config);
        let notices = Arc::new(Queue::new()?);
        let mut relay = Self {
            config,
            threads: Vec::new(),
            notices,
            budget,
            opened: AtomicU64::new(0),
            keep,
            inherited: BTreeMap::new(),
        };
        for number in 0..relay.config.threads.max(1) {
            let thread = relay.start_thread(number, half_open.clone())?;
            relay.threads.push(thread);
        }
        Ok(relay)
    }

    fn start_thread(&self, number: usize, half_open: HalfOpen) -> io::Result<ThreadHandle> {
        let commands = Arc::new(Queue::new()?);
        let counters = Arc::new(ThreadCounters::default());
        let worker = Worker::new(
            Arc::clone(&self.config),
            half_open,
            self.keep.as_ref().map(|keep| keep.of_thread(number)),
            self.budget.clone(),
            Arc::clone(&commands),
            Arc::clone(&self.notices),
            Arc::clone(&counters),
        )?;
        let name = format!("msrp-{number}");
        let join = std::thread::Builder::new().name(name).spawn(move || worker.run())?;
        let (config, keep) = (Arc::clone(&self.config), self.keep.clone());
        let owner = Arc::new(Owner { commands, config, keep });
        Ok(ThreadHandle { owner, counters, join: Some(join) })
    }

    /// Opens a session: both listeners accept connections when this returns. Waits for no thread.
    ///
    /// # Errors
    /// Says whose listener could not be opened. A port in use is a normal outcome.
    pub fn open(&self, spec: OpenSpec) -> Result<Session, OpenError> {
        let options = tcp::Options::new(&self.config, spec.tos);
        let is_too_long = |side: &Side| is_too_long(&spec.legs[side.index()].peer_path);
        if let Some(side) = Side::BOTH.into_iter().find(is_too_long) {
            return Err(OpenError { side, source: io::ErrorKind::InvalidInput.into() });
        }
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
        let board = Arc::new(Board::new(local, clock::now(), self.config.ring));
        let id = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        for (side, leg) in Side::BOTH.into_iter().zip(&spec.legs) {
            board.leg(side).moves(&leg.peer_path);
        }
        let listeners = Keep::hold_both(self.keep.as_ref(), listeners, Kind::Listener, id);
        let session = self.session_handle(id, Arc::clone(&board), spec.tos);
        let mut opening = Opening { id, spec, listeners, board, record: None };
        opening.record = self.keep.as_ref().and_then(|keep| opening.write_down(keep));
        session.owner.commands.push(Command::Open(Box::new(opening)));
        Ok(session)
    }

    fn session_handle(&self, id: u64, board: Arc<Board>, tos: Option<u8>) -> Session {
        let thread = &self.threads[id as usize % self.threads.len()];
        Session { id, board, owner: Arc::clone(&thread.owner), tos }
    }

    fn inherit(&mut self, inheritance: Inheritance) {
        let Inheritance { id, board, state, .. } = &inheritance;
        let session = self.session_handle(*id, Arc::clone(board), state.tos);
        self.opened.fetch_max(*id, Ordering::Relaxed);
        session.owner.commands.push(Command::Inherit(Box::new(inheritance)));
        self.inherited.insert(session.id, session);
    }

    /// The sessions that a dead process has left, by their number; they may have ended since.
    pub fn sessions(&self) -> &BTreeMap<u64, Session> {
        &self.inherited
    }

    /// There is a new keeper: has it keep everything.
    pub fn register(&self, keeper: OwnedFd) {
        let Some(keep) = &self.keep else { return };
        keep.keeper.replace(keeper);
        keep.register();
        for thread in &self.threads {
            thread.owner.commands.push(Command::Register);
        }
    }

    /// Readable while [`take_notices`](Self::take_notices) has something to give.
    pub fn notices_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }

    /// Every notice since the last call, oldest first.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.notices.drain()
    }

    /// All threads' counters, read while they run.
    pub fn counters(&self) -> Counters {
        let stalled_bytes = self.budget.held() as u64;
        let mut sum = Counters { stalled_bytes, ..Counters::default() };
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
            thread.owner.commands.push(Command::Stop);
        }
        for thread in &mut self.threads {
            if let Some(join) = thread.join.take() {
                // None ends by a panic: the process would.
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
    owner: Arc<Owner>,
    tos: Option<u8>,
}

impl Session {
    /// The number in notices: 1, 2, ... in the order of opening.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Roles and paths from the answer. May come again (late 200, fork, committed re-offer): a peer
    /// that has another path since finds its listener open when this returns. Waits for no thread.
    /// A path that is too long ends the session.
    pub fn answer(&self, spec: AnswerSpec) {
        if spec.legs.iter().any(|leg| is_too_long(&leg.peer_path)) {
            return self.close(CloseReason::Internal, Duration::ZERO);
        }
        let listeners = Side::BOTH.map(|side| {
            let path = &spec.legs[side.index()].peer_path;
            self.board.leg(side).moves(path).then(|| self.listen_again(side)).flatten()
        });
        self.board.announce(Side::BOTH.map(|side| spec.legs[side.index()].role));
        self.owner.commands.push(Command::Answer(self.id, Box::new(Answered { spec, listeners })));
    }

    /// The peer of a joined side has a re-offer, and may dial before its answer is known: it finds
    /// its listener open when this returns, and is heard when [`answer`](Self::answer) moves it or
    /// [`settle`](Self::settle) does not. Without effect where bytes pass untouched.
    pub fn reoffer(&self, side: Side) {
        self.owner.commands.push(Command::Reoffer(self.id, side, self.listen_again(side)));
    }

    /// The re-offer is over, answered or rejected. To be called after [`answer`](Self::answer).
    pub fn settle(&self, side: Side) {
        self.owner.commands.push(Command::Settle(self.id, side));
    }

    fn listen_again(&self, side: Side) -> Option<Held> {
        let options = tcp::Options::new(&self.owner.config, self.tos);
        // A port in use is the listener that is still open.
        let listener = tcp::listen(self.board.local(side), &options).ok()?;
        Some(Keep::hold(self.owner.keep.as_ref(), listener, Kind::Listener, side, self.id))
    }

    /// What became of a target that was [`Target::Pending`].
    pub fn set_target(&self, side: Side, target: Target) {
        self.owner.commands.push(Command::SetTarget(self.id, side, target));
    }

    /// Reads nothing from either peer, or goes on. What they send waits with them: TCP tells them.
    pub fn pause(&self, paused: bool) {
        self.owner.commands.push(Command::Pause(self.id, paused));
    }

    /// Ends the session: no new connections; joined legs go on for `linger`, then both are ended
    /// politely.
    pub fn close(&self, reason: CloseReason, linger: Duration) {
        self.owner.commands.push(Command::Close(self.id, reason, linger));
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
