//! One thread: its poller, its sessions, its deadlines.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use msrp_proto::Moment;
use msrp_proto::session::{CloseReason, NoticeKind, Stage};
use slab::Slab;

use crate::board::Board;
use crate::budget::{Budget, SLOW};
use crate::buffers::Buffers;
use crate::command::Command;
use crate::config::Config;
use crate::counters::ThreadCounters;
use crate::deadlines::Deadlines;
use crate::half_open::HalfOpen;
use crate::keep::Keep;
use crate::notice::{News, Notice};
use crate::pair::{Inheritance, Opening, Pair};
use crate::pipe::Pipes;
use crate::poller::{Events, Group, Part, Poller, Readiness, Source};
use crate::queue::Queue;
use crate::reserve::Reserve;
use crate::sys::clock;
use crate::thread::Thread;

/// A thread's whole state.
#[derive(Debug)]
pub(crate) struct Worker {
    thread: Thread,
    commands: Arc<Queue<Command>>,
    /// When to look for commands without having heard the bell.
    look: Option<Moment>,
    pairs: Slab<Pair>,
    keys: HashMap<u64, usize>,
    deadlines: Deadlines,
    /// When to look after unacknowledged data again, see [`Pair::sweep`].
    sweep: Moment,
    /// When to try again to accept.
    retry: Option<Moment>,
}

/// Where there was a command more will come. They are looked for after this time: who rings for
/// every one pays more for it than for the command, and so does who is woken.
const LOOK: Duration = Duration::from_millis(5);
/// How long accepting pauses when descriptors or memory have run out.
const RETRY: Duration = Duration::from_millis(100);

impl Worker {
    pub(crate) fn new(
        config: Arc<Config>,
        half_open: HalfOpen,
        keep: Option<Keep>,
        budget: Budget,
        commands: Arc<Queue<Command>>,
        notices: Arc<Queue<Notice>>,
        counters: Arc<ThreadCounters>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_bell(&*commands, Source::Commands)?;
        let now = clock::now();
        let pipes = Pipes::new(config.pipe, keep.clone());
        let buffers = Buffers::new(keep.as_ref().map(|keep| Arc::clone(&keep.arena)));
        let timers = Arc::new(config.timers());
        let thread = Thread {
            config,
            timers,
            half_open,
            reserve: Reserve::new(),
            keep,
            budget,
            poller,
            buffers,
            pipes,
            counters,
            news: News::new(notices),
            now,
            runnable: Vec::new(),
            starved: Vec::new(),
        };
        Ok(Self {
            thread,
            commands,
            look: None,
            pairs: Slab::new(),
            keys: HashMap::new(),
            deadlines: Deadlines::default(),
            sweep: now,
            retry: None,
        })
    }

    /// Until [`Command::Stop`]. Whatever else ends it ends the process: without this thread its
    /// sessions would stand still for ever, while a successor of the process goes on with them.
    pub(crate) fn run(self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.turns()));
        if !matches!(ended, Ok(Ok(()))) {
            // Of a panic the hook has told.
            if let Ok(Err(error)) = ended {
                eprintln!("a thread of the engine cannot wait for events: {error}");
            }
            std::process::abort();
        }
    }

    fn turns(mut self) -> io::Result<()> {
        let mut events = Events::new();
        let mut runnable = Vec::new();
        loop {
            self.thread.poller.wait(self.wake(), self.thread.now, &mut events)?;
            self.thread.now = clock::now();
            // First: a peer may act on an answer as soon as the control plane has given it.
            if !self.obey() {
                return Ok(());
            }
            for group in events.groups() {
                self.prefetch(group);
                for (source, readiness) in group.iter() {
                    if let Source::Pair(key, part) = source {
                        self.event(key, part, readiness);
                    }
                }
            }
            std::mem::swap(&mut runnable, &mut self.thread.runnable);
            for key in runnable.drain(..) {
                self.with(key, Pair::resume);
            }
            self.expire();
            self.thread.tell();
        }
    }

    /// When to wake without an event; at once while sessions have more to move.
    fn wake(&self) -> Option<Moment> {
        if !self.thread.runnable.is_empty() {
            return Some(self.thread.now);
        }
        let sweep = (!self.pairs.is_empty()).then_some(self.sweep);
        self.deadlines.next().into_iter().chain(self.look).chain(self.retry).chain(sweep).min()
    }

    /// What one session waits for in memory comes one after the other; what several do, together.
    fn prefetch(&self, group: Group<'_>) {
        for (source, _) in group.iter() {
            if let Source::Pair(key, _) = source
                && let Some(pair) = self.pairs.get(key)
            {
                pair.prefetch();
            }
        }
    }

    fn event(&mut self, key: usize, part: Part, readiness: Readiness) {
        self.with(key, |pair, thread| pair.event(part, readiness, thread));
    }

    /// Carries out the commands; false at the end.
    fn obey(&mut self) -> bool {
        let (stays, now) = (self.commands.holds(), self.thread.now);
        if !stays && self.look.is_none_or(|at| at > now) {
            return true;
        }
        self.look = stays.then(|| now + LOOK);
        for command in self.commands.take(stays) {
            match command {
                Command::Open(opening) => self.open(*opening),
                Command::Answer(id, answered) => {
                    self.with_id(id, |pair, thread| pair.answer(*answered, thread));
                }
                Command::SetTarget(id, side, target) => {
                    self.with_id(id, |pair, thread| pair.set_target(side, target, thread));
                }
                Command::Reoffer(id, side, listener) => {
                    self.with_id(id, |pair, thread| pair.reoffer(side, listener, thread));
                }
                Command::Settle(id, side) => {
                    self.with_id(id, |pair, thread| pair.settle(side, thread));
                }
                Command::Pause(id, paused) => {
                    self.with_id(id, |pair, thread| pair.pause(paused, thread));
                }
                Command::Close(id, reason, linger) => {
                    self.with_id(id, |pair, thread| pair.close(reason, linger, thread));
                }
                Command::Inherit(inheritance) => self.inherit(*inheritance, Pair::inherit),
                Command::Register => self.register(),
                Command::Stop => return false,
            }
        }
        true
    }

    fn open(&mut self, opening: Opening) {
        let (id, board) = (opening.id, Arc::clone(&opening.board));
        self.begin(id, &board, |key, thread| Pair::new(opening, key, thread));
    }

    /// A session of a dead process. A record that does not make sense harms no other session.
    fn inherit(
        &mut self,
        inheritance: Inheritance,
        resume: impl FnOnce(Inheritance, usize, &mut Thread) -> Pair,
    ) {
        let (id, board) = (inheritance.id, Arc::clone(&inheritance.board));
        if let Some(keep) = &self.thread.keep {
            keep.in_hand(id);
        }
        match self.begin(id, &board, |key, thread| resume(inheritance, key, thread)) {
            Some(key) => {
                self.thread.counters.resumed(1);
                self.with(key, |_, _| {});
            }
            None => self.thread.keep.iter().for_each(|keep| keep.in_hand(0)),
        }
    }

    /// Gives a session its place; gives that.
    fn begin(
        &mut self,
        id: u64,
        board: &Board,
        new: impl FnOnce(usize, &mut Thread) -> Pair,
    ) -> Option<usize> {
        let (entry, thread) = (self.pairs.vacant_entry(), &mut self.thread);
        let key = entry.key();
        let Ok(pair) = catch_unwind(AssertUnwindSafe(|| new(key, thread))) else {
            self.thread.counters.panics(1);
            self.lose(id, board);
            return None;
        };
        entry.insert(pair);
        self.keys.insert(id, key);
        Some(key)
    }

    /// Has a new keeper keep everything.
    fn register(&mut self) {
        self.with_all(|pair, _| pair.register());
        self.thread.pipes.register();
    }

    /// Lets something happen to every session.
    fn with_all(&mut self, act: impl Fn(&mut Pair, &mut Thread)) {
        let keys: Vec<_> = self.pairs.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.with(key, &act));
    }

    fn with_id(&mut self, id: u64, act: impl FnOnce(&mut Pair, &mut Thread)) {
        if let Some(&key) = self.keys.get(&id) {
            self.with(key, act);
        }
    }

    /// Lets something happen to one session. A panic ends that session and no other.
    fn with(&mut self, key: usize, act: impl FnOnce(&mut Pair, &mut Thread)) {
        self.let_happen(key, act);
        if let Some(keep) = &self.thread.keep {
            keep.in_hand(0);
        }
    }

    fn let_happen(&mut self, key: usize, act: impl FnOnce(&mut Pair, &mut Thread)) {
        let thread = &mut self.thread;
        let Some(pair) = self.pairs.get_mut(key) else { return };
        let id = pair.id();
        if let Some(keep) = &thread.keep {
            keep.in_hand(id);
        }
        let mut happened = catch_unwind(AssertUnwindSafe(|| {
            act(pair, thread);
            go_on(pair, thread)
        }));
        if happened.is_err() {
            thread.counters.panics(1);
            happened = catch_unwind(AssertUnwindSafe(|| {
                pair.fail(thread);
                go_on(pair, thread)
            }));
        }
        match happened {
            Ok(GoesOn::Until(at)) => {
                self.deadlines.push(at, key);
                let is_armed =
                    |at, key| self.pairs.get(key).is_some_and(|it: &Pair| it.is_armed(at));
                self.deadlines.tidy(self.pairs.len(), is_armed);
            }
            Ok(GoesOn::Armed) => {}
            Ok(GoesOn::Over) => self.forget(key, id),
            Err(_) => {
                let board = Arc::clone(pair.board());
                self.forget(key, id);
                self.lose(id, &board);
            }
        }
    }

    fn forget(&mut self, key: usize, id: u64) {
        self.pairs.remove(key);
        self.keys.remove(&id);
    }

    /// Panics have left nothing of it.
    fn lose(&mut self, id: u64, board: &Board) {
        let reason = CloseReason::Internal;
        board.set_course(Stage::Closed, Some(reason));
        self.thread.counters.closed(reason);
        self.thread.notify(id, NoticeKind::Closed(reason), None);
    }

    fn expire(&mut self) {
        let now = self.thread.now;
        while let Some((at, key)) = self.deadlines.pop(now) {
            if self.pairs.get(key).is_some_and(|pair| pair.is_armed(at)) {
                self.with(key, Pair::expire);
            }
        }
        if self.sweep <= now {
            self.sweep = now + self.thread.config.sweep();
            self.thread.budget.shrunk = false;
            self.with_all(Pair::sweep);
        }
        if self.thread.budget.presses() {
            self.sweep = self.sweep.min(now + SLOW);
        }
        if self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            for key in std::mem::take(&mut self.thread.starved) {
                self.with(key, Pair::try_again);
            }
        }
        if !self.thread.starved.is_empty() {
            self.retry.get_or_insert(now + RETRY);
        }
    }
}

/// What becomes of a session to which something has happened.
enum GoesOn {
    /// It has to be looked at then.
    Until(Moment),
    /// When to look at it is arranged already.
    Armed,
    Over,
}

fn go_on(pair: &mut Pair, thread: &Thread) -> GoesOn {
    if pair.is_over() {
        return GoesOn::Over;
    }
    pair.write_changes();
    pair.arm(thread).map_or(GoesOn::Armed, GoesOn::Until)
}

#[cfg(test)]
mod tests;
