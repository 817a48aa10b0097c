//! Sessions that stay: bulk and chat.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

use rustix::net::{RecvFlags, recv};

use crate::meeting::Ends;
use crate::msrp;
use crate::outcome::{Outcome, Stopwatch};
use crate::plan::{Content, Load, Session};
use crate::poller::{Poller, Ready};
use crate::stream::Stream;

/// One read takes at most so much.
const READ: usize = 256 * 1024;
/// Writes in one turn, so that one end does not keep the others waiting.
const WRITES: usize = 2;
/// No progress for so long in a run: something was lost.
const STUCK_MILLISECONDS: u32 = 20_000;

/// All ends, left and right of each session in turn.
pub(crate) struct Traffic {
    poller: Poller,
    ends: Vec<End>,
    runnable: Vec<usize>,
    unfinished: usize,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct End {
    socket: TcpStream,
    stream: Stream,
    duty: Duty,
    readable: bool,
    writable: bool,
    queued: bool,
    /// Bytes received in this run, and when it is finished.
    got: u64,
    goal: u64,
}

/// What an end does with what it receives.
#[derive(Debug)]
enum Duty {
    /// Counts it; in frames of so many bytes, where there are frames.
    Sink { frame: u64 },
    /// Answers every `request` bytes.
    Answer { request: u64, answered: u64 },
    /// Takes every `response` bytes as leave to ask again.
    Ask { response: u64, heard: u64, unasked: u64, window: u64, asked_at: VecDeque<Instant> },
}

impl Traffic {
    pub(crate) fn new(load: Load, sessions: &[Session], met: Vec<Ends>) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut ends = Vec::with_capacity(met.len() * 2);
        for (session, met) in sessions.iter().zip(met) {
            ends.extend(pair(load, session, met));
        }
        for (key, end) in ends.iter().enumerate() {
            poller.add(&end.socket, key as u64)?;
        }
        Ok(Self { poller, ends, runnable: Vec::new(), unfinished: 0, buffer: vec![0; READ] })
    }

    /// `work`: bytes per stream for bulk, messages per session for chat.
    pub(crate) fn run(&mut self, load: Load, work: u64) -> io::Result<Outcome> {
        for end in &mut self.ends {
            end.got = 0;
            end.goal = 0;
        }
        let mut watch = Stopwatch::new();
        for left in (0..self.ends.len()).step_by(2) {
            self.begin(load, left, work);
        }
        self.unfinished = self.ends.iter().filter(|end| end.got < end.goal).count();
        while self.unfinished > 0 {
            self.turn(&mut watch)?;
        }
        let bytes = self.ends.iter().map(|end| end.got).sum();
        let messages = self.ends.iter().map(End::messages).sum();
        Ok(watch.stop(Outcome { bytes, messages, ..Outcome::default() }))
    }

    /// Gives the ends of one session their share of the work.
    fn begin(&mut self, load: Load, left: usize, work: u64) {
        let [one, other] = &mut self.ends[left..left + 2] else { return };
        match load {
            Load::Bulk { both_ways, .. } => {
                other.goal = one.stream.ask_bytes(work);
                one.goal = if both_ways { other.stream.ask_bytes(work) } else { 0 };
            }
            _ => {
                one.start_asking(work);
                one.goal = work * one.duty.unit();
                other.goal = work * one.stream.unit();
            }
        }
        other.duty.restart();
        self.queue(left);
        self.queue(left + 1);
    }

    fn turn(&mut self, watch: &mut Stopwatch) -> io::Result<()> {
        let wait = if self.runnable.is_empty() { STUCK_MILLISECONDS } else { 0 };
        let events = self.poller.wait(Some(wait))?;
        if events.is_empty() && self.runnable.is_empty() {
            return Err(io::Error::other(format!("stuck: {} ends wait", self.unfinished)));
        }
        for Ready { key, readable, writable } in events {
            let end = &mut self.ends[key as usize];
            end.readable |= readable;
            end.writable |= writable;
            self.queue(key as usize);
        }
        for key in std::mem::take(&mut self.runnable) {
            let end = &mut self.ends[key];
            end.queued = false;
            let unfinished = end.got < end.goal;
            let more = end.turn(&mut self.buffer, watch)?;
            self.unfinished -= usize::from(unfinished && end.got >= end.goal);
            if more {
                self.queue(key);
            }
        }
        Ok(())
    }

    fn queue(&mut self, key: usize) {
        let end = &mut self.ends[key];
        if !end.queued {
            end.queued = true;
            self.runnable.push(key);
        }
    }
}

impl End {
    fn new(socket: TcpStream, stream: Stream, duty: Duty) -> Self {
        let (readable, writable) = (false, true);
        Self { socket, stream, duty, readable, writable, queued: false, got: 0, goal: 0 }
    }

    fn start_asking(&mut self, messages: u64) {
        if let Duty::Ask { heard, unasked, window, asked_at, .. } = &mut self.duty {
            let first = messages.min(*window);
            *heard = 0;
            *unasked = messages - first;
            asked_at.extend((0..first).map(|_| Instant::now()));
            self.stream.ask_frames(first);
        }
    }

    /// One read and a few writes; true if there is more to do at once.
    fn turn(&mut self, buffer: &mut [u8], watch: &mut Stopwatch) -> io::Result<bool> {
        if self.readable {
            self.read(buffer, watch)?;
        }
        for _ in 0..WRITES {
            if self.writable && !self.stream.is_done() {
                self.writable = self.stream.write(&mut self.socket)?;
            }
        }
        Ok(self.readable || (self.writable && !self.stream.is_done()))
    }

    fn read(&mut self, buffer: &mut [u8], watch: &mut Stopwatch) -> io::Result<()> {
        let read = match self.duty {
            // The kernel drops the bytes without a copy: the sink must not be the bottleneck.
            Duty::Sink { .. } => recv(&self.socket, &mut *buffer, RecvFlags::TRUNC)
                .map(|(_, read)| read)
                .map_err(io::Error::from),
            _ => self.socket.read(buffer),
        };
        match read {
            Ok(0) => Err(io::Error::other("a session ended during the run")),
            Ok(read) => {
                self.readable = read == buffer.len();
                self.got += read as u64;
                self.act(watch);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Answers requests, or asks again.
    fn act(&mut self, watch: &mut Stopwatch) {
        match &mut self.duty {
            Duty::Sink { .. } => {}
            Duty::Answer { request, answered } => {
                let requests = self.got / *request;
                self.stream.ask_frames(requests - *answered);
                *answered = requests;
            }
            Duty::Ask { response, heard, unasked, asked_at, .. } => {
                let responses = self.got / *response;
                let fresh = responses - *heard;
                *heard = responses;
                let now = Instant::now();
                for asked in asked_at.drain(..fresh as usize) {
                    watch.trip(now - asked);
                }
                let next = fresh.min(*unasked);
                *unasked -= next;
                asked_at.extend((0..next).map(|_| now));
                self.stream.ask_frames(next);
            }
        }
    }

    /// Frames received in this run.
    fn messages(&self) -> u64 {
        self.goal.checked_div(self.duty.unit()).unwrap_or(0)
    }
}

impl Duty {
    /// Bytes of a frame this end receives.
    fn unit(&self) -> u64 {
        match self {
            Self::Sink { frame } => *frame,
            Self::Answer { request, .. } => *request,
            Self::Ask { response, .. } => *response,
        }
    }

    fn restart(&mut self) {
        if let Self::Answer { answered, .. } = self {
            *answered = 0;
        }
    }
}

/// Both ends of one session with their duties.
fn pair(load: Load, session: &Session, met: Ends) -> [End; 2] {
    let (left, right) = (&session.left, &session.right);
    match load {
        Load::Chat { request, response, window } => {
            let ask = msrp::message(&left.to, &left.from, request);
            let say = msrp::response(&right.to, &right.from, response);
            let answer = Duty::Answer { request: ask.len() as u64, answered: 0 };
            let response = met.answer.unwrap_or(say.len()) as u64;
            let window = window as u64;
            let asking =
                Duty::Ask { response, heard: 0, unasked: 0, window, asked_at: VecDeque::new() };
            // Where the system answers itself, the right end only counts.
            let count = Duty::Sink { frame: ask.len() as u64 };
            let duty = if met.answer.is_some() { count } else { answer };
            let together = window as usize;
            [
                End::new(met.left, Stream::frames(&ask, together), asking),
                End::new(met.right, Stream::frames(&say, together), duty),
            ]
        }
        Load::Bulk { content: Content::Chunks { body, message, explicit }, .. } => {
            let end = |socket, to: &str, from: &str| {
                let stream = Stream::chunks(to, from, body, message, explicit);
                let frame = stream.unit();
                End::new(socket, stream, Duty::Sink { frame })
            };
            [end(met.left, &left.to, &left.from), end(met.right, &right.to, &right.from)]
        }
        _ => [met.left, met.right]
            .map(|socket| End::new(socket, Stream::opaque(), Duty::Sink { frame: 0 })),
    }
}
