//! Sessions that are made, used for one request and one response, and ended: connect, first
//! frames, FIN from the left end through the system to the right one and back.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Instant;

use crate::meeting;
use crate::msrp;
use crate::outcome::{Outcome, Stopwatch};
use crate::plan::{Plan, Session};
use crate::poller::{Poller, Ready};

const LISTENER: u64 = u64::MAX;
/// Keys of connections whose session is not known yet start here.
const ARRIVALS: u64 = 1 << 32;
const STUCK_MILLISECONDS: u32 = 20_000;

/// Makes and ends sessions of the plan, each once.
pub(crate) struct Setup<'a> {
    plan: &'a Plan,
    listener: Option<&'a TcpListener>,
    poller: Poller,
    sizes: Sizes,
    /// By From-Path of the left end, for connections that are accepted.
    numbers: HashMap<&'a [u8], usize>,
    calls: HashMap<usize, Call>,
    arrivals: HashMap<u64, Arrival>,
    arrived: u64,
    next: usize,
    ended: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    request: usize,
    response: usize,
    parallel: usize,
}

/// A session in the making; an end that has ended is None.
#[derive(Debug)]
struct Call {
    started: Instant,
    left: Option<Half>,
    right: Option<Half>,
    /// The right end has not come yet.
    awaited: bool,
}

#[derive(Debug)]
struct Half {
    socket: TcpStream,
    got: usize,
    goal: usize,
}

/// An accepted connection and its first bytes.
#[derive(Debug)]
struct Arrival {
    socket: TcpStream,
    seen: Vec<u8>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        listener: Option<&'a TcpListener>,
        (request, response, parallel): (usize, usize, usize),
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        if let Some(listener) = listener {
            listener.set_nonblocking(true)?;
            poller.add(listener, LISTENER)?;
        }
        let sessions = plan.sessions.iter().enumerate();
        let numbers = sessions.map(|(n, session)| (session.left.from.as_bytes(), n)).collect();
        Ok(Self {
            plan,
            listener,
            poller,
            sizes: Sizes { request, response, parallel },
            numbers,
            calls: HashMap::new(),
            arrivals: HashMap::new(),
            arrived: 0,
            next: 0,
            ended: 0,
            bytes: 0,
        })
    }

    /// Makes and ends so many sessions more.
    pub(crate) fn run(&mut self, sessions: u64) -> io::Result<Outcome> {
        let mut watch = Stopwatch::new();
        (self.ended, self.bytes) = (0, 0);
        let last = self.next + sessions as usize;
        if last > self.plan.sessions.len() {
            return Err(io::Error::other("the plan has too few sessions"));
        }
        while self.ended < sessions {
            while self.next < last && self.calls.len() < self.sizes.parallel {
                self.begin()?;
            }
            let events = self.poller.wait(Some(STUCK_MILLISECONDS))?;
            if events.is_empty() {
                return Err(io::Error::other(format!("stuck: {} sessions", self.calls.len())));
            }
            for event in events {
                self.event(event, &mut watch)?;
            }
        }
        let (bytes, ended) = (self.bytes, self.ended);
        Ok(watch.stop(Outcome { bytes, sessions: ended, ..Outcome::default() }))
    }

    fn begin(&mut self) -> io::Result<()> {
        let (number, session) = (self.next, &self.plan.sessions[self.next]);
        self.next += 1;
        let started = Instant::now();
        let left = &session.left;
        let request = msrp::message(&left.to, &left.from, self.sizes.request);
        let goal = meeting::bind(&session.right).len() + self.sizes.response;
        let left = self.half(meeting::connect(left.connect)?, &request, goal, key(number, 0))?;
        let right = match session.right.connect {
            None => None,
            address => {
                let bind = meeting::bind(&session.right);
                let goal = self.sizes.request;
                Some(self.half(meeting::connect(address)?, &bind, goal, key(number, 1))?)
            }
        };
        let awaited = right.is_none();
        self.calls.insert(number, Call { started, left: Some(left), right, awaited });
        Ok(())
    }

    /// Says the first words on a new connection and watches it.
    fn half(&self, mut socket: TcpStream, first: &[u8], goal: usize, key: u64) -> io::Result<Half> {
        socket.write_all(first)?;
        socket.set_nonblocking(true)?;
        self.poller.add(&socket, key)?;
        Ok(Half { socket, got: 0, goal })
    }

    fn event(&mut self, ready: Ready, watch: &mut Stopwatch) -> io::Result<()> {
        match ready.key {
            LISTENER => self.accept(),
            arrival if arrival >= ARRIVALS => self.hear(arrival),
            key if ready.readable => self.advance(key, watch),
            _ => Ok(()),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(listener) = self.listener else { return Ok(()) };
        while let Some((socket, _)) = would_block(listener.accept())? {
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let key = ARRIVALS + self.arrived;
            self.arrived += 1;
            self.poller.add(&socket, key)?;
            self.arrivals.insert(key, Arrival { socket, seen: Vec::new() });
        }
        Ok(())
    }

    /// Whose right end an accepted connection is, its first frame tells.
    fn hear(&mut self, key: u64) -> io::Result<()> {
        let Some(arrival) = self.arrivals.get_mut(&key) else { return Ok(()) };
        let mut buffer = [0; 2048];
        while let Some(read) = would_block(arrival.socket.read(&mut buffer))? {
            if read == 0 {
                return Err(io::Error::other("ended before its first frame"));
            }
            arrival.seen.extend_from_slice(&buffer[..read]);
        }
        if arrival.seen.len() < self.sizes.request {
            return Ok(());
        }
        let from = msrp::header(&arrival.seen, "From-Path").unwrap_or_default();
        let Some(&number) = self.numbers.get(from) else {
            return Err(io::Error::other("a first frame of no session"));
        };
        let Some(Arrival { mut socket, seen }) = self.arrivals.remove(&key) else { return Ok(()) };
        let session = &self.plan.sessions[number];
        let words = [meeting::bind(&session.right), response(session, self.sizes)].concat();
        socket.write_all(&words)?;
        self.poller.rename(&socket, self::key(number, 1))?;
        self.bytes += seen.len() as u64;
        if let Some(call) = self.calls.get_mut(&number) {
            call.awaited = false;
            call.right = Some(Half { socket, got: seen.len(), goal: self.sizes.request });
        }
        Ok(())
    }

    /// Reads what is there on one end of a session, and says what comes next.
    fn advance(&mut self, key: u64, watch: &mut Stopwatch) -> io::Result<()> {
        let (number, is_right) = (key as usize / 2, key % 2 == 1);
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let side = if is_right { &mut call.right } else { &mut call.left };
        let Some(half) = side else { return Ok(()) };
        let before = half.got;
        let ended = half.read()?;
        self.bytes += (half.got - before) as u64;
        if before < half.goal && half.got >= half.goal {
            match is_right {
                true => {
                    half.socket.write_all(&response(&self.plan.sessions[number], self.sizes))?
                }
                false => half.socket.shutdown(Shutdown::Write)?,
            }
        }
        if ended {
            if half.got != half.goal {
                return Err(io::Error::other(format!("{} of {} bytes", half.got, half.goal)));
            }
            *side = None;
        }
        if call.left.is_none() && call.right.is_none() && !call.awaited {
            watch.trip(call.started.elapsed());
            self.calls.remove(&number);
            self.ended += 1;
        }
        Ok(())
    }
}

impl Half {
    /// Reads everything that is there; true at the end.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 2048];
        while let Some(read) = would_block(self.socket.read(&mut buffer))? {
            if read == 0 {
                return Ok(true);
            }
            self.got += read;
        }
        Ok(false)
    }
}

fn response(session: &Session, sizes: Sizes) -> Vec<u8> {
    msrp::response(&session.right.to, &session.right.from, sizes.response)
}

fn key(number: usize, side: u64) -> u64 {
    number as u64 * 2 + side
}

fn would_block<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
