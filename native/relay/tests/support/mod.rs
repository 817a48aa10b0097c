//! Peers with real sockets, and an engine whose notices are awaited. Nothing here sleeps: every
//! wait ends with an event or, far beyond any healthy run, with a panic.
#![allow(dead_code, unreachable_pub)]

pub mod traffic;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use msrp_relay::{
    AnswerSpec, CloseReason, Config, DialFailure, LegAnswer, LegOpen, Notice, NoticeKind, OpenSpec,
    Policy, Relay, RingEvent, RingWhat, RingWhy, Role, Session, Side, Sources, Target,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A wait that takes longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until this is so; nothing tells of it.
pub fn wait_until(so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it has not become so");
        std::thread::yield_now();
    }
}

/// An engine and the notices it gave that nobody asked for yet.
pub struct Engine {
    pub relay: Relay,
    notices: VecDeque<Notice>,
}

/// One session and what its peers know of it.
pub struct Call {
    pub session: Session,
    pub local: [SocketAddr; 2],
    /// What each side's first frame and every other must have as To-Path.
    pub to: [String; 2],
    /// What each side's peer gave as its path.
    pub path: [String; 2],
}

/// Durations nobody reaches unless a test makes them short.
pub fn config() -> Config {
    Config { threads: 1, reconnect: Duration::ZERO, ..Config::default() }
}

impl Engine {
    pub fn new(config: Config) -> Self {
        let relay = Relay::start(config).expect("the engine starts");
        Self { relay, notices: VecDeque::new() }
    }

    pub fn open(&self, policy: Policy) -> Call {
        self.open_idle(policy, None)
    }

    pub fn open_idle(&self, policy: Policy, idle: Option<Duration>) -> Call {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        self.open_with(policy, [any; 2], idle, [Sources::Any, Sources::Any])
    }

    /// Listens at these addresses.
    pub fn open_at(&self, policy: Policy, at: [SocketAddr; 2]) -> Call {
        self.open_with(policy, at, None, [Sources::Any, Sources::Any])
    }

    pub fn open_with(
        &self,
        policy: Policy,
        at: [SocketAddr; 2],
        idle: Option<Duration>,
        [from_a, from_b]: [Sources; 2],
    ) -> Call {
        let path =
            ["msrp://10.0.0.5:9/pathA;tcp", "msrp://172.16.4.4:9/pathB;tcp"].map(String::from);
        let own = ["msrp://192.0.2.10:30000/ownA;tcp", "msrp://192.0.2.10:30002/ownB;tcp"];
        let leg = |own: &str, listen, path: Vec<Vec<u8>>, sources| LegOpen {
            listen,
            own_uri: own.as_bytes().to_vec(),
            peer_path: path,
            sources,
        };
        let path_a = vec![path[0].clone().into_bytes()];
        let legs = [leg(own[0], at[0], path_a, from_a), leg(own[1], at[1], vec![], from_b)];
        let spec = OpenSpec { policy, legs, tos: None, idle };
        let session = self.relay.open(spec).expect("two free ports");
        let local = session.report().legs.map(|leg| leg.local);
        let to = match policy {
            Policy::Aware => own.map(String::from),
            _ => [path[1].clone(), path[0].clone()],
        };
        Call { session, local, to, path }
    }

    /// Waits for the next notice of this session.
    pub fn next(&mut self, call: &Call) -> NoticeKind {
        self.next_whole(call).what
    }

    /// Waits until a dial of the session has failed; gives what became of it.
    pub fn failure(&mut self, call: &Call) -> Option<DialFailure> {
        loop {
            let notice = self.next_whole(call);
            if matches!(notice.what, NoticeKind::DialFailed(_)) {
                return notice.failure;
            }
            assert_eq!(notice.failure, None);
        }
    }

    fn next_whole(&mut self, call: &Call) -> Notice {
        loop {
            let mine = self.notices.iter().position(|notice| notice.session == call.session.id());
            if let Some(notice) = mine.and_then(|at| self.notices.remove(at)) {
                return notice;
            }
            let mut fds = [PollFd::from_borrowed_fd(self.relay.notices_fd(), PollFlags::IN)];
            let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
            let ready = poll(&mut fds, Some(&patience)).unwrap();
            assert_eq!(
                ready,
                1,
                "no notice of {}: {:#?}",
                call.session.id(),
                call.session.report()
            );
            self.notices.extend(self.relay.take_notices());
        }
    }

    /// Waits for this notice, passing over others.
    pub fn until(&mut self, call: &Call, wanted: NoticeKind) {
        loop {
            let next = self.next(call);
            if next == wanted {
                return;
            }
            assert!(
                !matches!(next, NoticeKind::Closed(_)),
                "waited for {wanted:?}, got {next:?}: {:#?} {:#?}",
                call.session.report(),
                call.session.events(),
            );
        }
    }

    /// Waits for the end of the session.
    pub fn closed(&mut self, call: &Call) -> CloseReason {
        loop {
            if let NoticeKind::Closed(reason) = self.next(call) {
                return reason;
            }
        }
    }

    /// The first notice within this time, if any.
    pub fn quiet_for(&mut self, time: Duration) -> Option<Notice> {
        let mut fds = [PollFd::from_borrowed_fd(self.relay.notices_fd(), PollFlags::IN)];
        let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        poll(&mut fds, Some(&time)).unwrap();
        self.relay.take_notices().into_iter().next()
    }

    /// Both peers dial in and are joined, with their bind SENDs delivered.
    pub fn joined(&mut self, policy: Policy) -> (Call, Peer, Peer) {
        self.joined_idle(policy, None)
    }

    /// The same, of a session that may not be idle for longer.
    pub fn joined_idle(&mut self, policy: Policy, idle: Option<Duration>) -> (Call, Peer, Peer) {
        let call = self.open_idle(policy, idle);
        call.answer(Role::Accept, Role::Accept, Target::None, Target::None);
        let (mut a, mut b) = (Peer::dial(call.local[0]), Peer::dial(call.local[1]));
        a.send(&call.bind(Side::A, "bindaaaa"));
        b.send(&call.bind(Side::B, "bindbbbb"));
        self.until(&call, NoticeKind::Joined);
        b.expect(&call.arrives(Side::A, policy, &call.bind(Side::A, "bindaaaa")));
        a.expect(&call.arrives(Side::B, policy, &call.bind(Side::B, "bindbbbb")));
        (call, a, b)
    }
}

impl Call {
    pub fn answer(&self, a: Role, b: Role, target_a: Target, target_b: Target) {
        self.answer_with(a, b, target_a, target_b, &self.path[1]);
    }

    pub fn answer_with(&self, a: Role, b: Role, target_a: Target, target_b: Target, path_b: &str) {
        let leg = |role, path: &str, target| LegAnswer {
            role,
            peer_path: vec![path.as_bytes().to_vec()],
            target,
            sources: Sources::Any,
            own_uri: None,
        };
        let legs = [leg(a, &self.path[0], target_a), leg(b, path_b, target_b)];
        self.session.answer(AnswerSpec { legs });
    }

    /// Both accept, and the answer gives the offerer another URI to call.
    pub fn answer_giving(&mut self, own_a: &str) {
        self.to[0] = own_a.into();
        let leg = |path: &str, own_uri: Option<&str>| LegAnswer {
            role: Role::Accept,
            peer_path: vec![path.as_bytes().to_vec()],
            target: Target::None,
            sources: Sources::Any,
            own_uri: own_uri.map(|uri| uri.as_bytes().to_vec()),
        };
        let legs = [leg(&self.path[0], Some(own_a)), leg(&self.path[1], None)];
        self.session.answer(AnswerSpec { legs });
    }

    /// The refusals that the session's own ring tells of: from which host and port, and why.
    pub fn refusals(&self) -> Vec<(SocketAddr, &'static str)> {
        self.connections(RingWhat::Refused)
    }

    /// What the ring tells of connections: with whom, and why where that is said.
    pub fn connections(&self, what: RingWhat) -> Vec<(SocketAddr, &'static str)> {
        let events = self.session.events().into_iter();
        let meant = events.filter(|event| event.what == what);
        let told = |event: RingEvent| {
            let from = SocketAddr::new(event.host.unwrap(), event.n as u16);
            (from, event.why.map_or("", RingWhy::as_str))
        };
        meant.map(told).collect()
    }

    /// The empty SEND with which this side's peer begins.
    pub fn bind(&self, from: Side, tid: &str) -> Vec<u8> {
        self.request(from, tid, "SEND", None)
    }

    pub fn message(&self, from: Side, tid: &str, body: &[u8]) -> Vec<u8> {
        self.request(from, tid, "SEND", Some(body))
    }

    pub fn request(&self, from: Side, tid: &str, method: &str, body: Option<&[u8]>) -> Vec<u8> {
        match body {
            None => {
                let range = format!("Byte-Range: 1-0/0\r\n-------{tid}$\r\n");
                [self.head(from, tid, method), range.into_bytes()].concat()
            }
            Some(body) => self.chunk_of(from, tid, method, "1-*", body),
        }
    }

    /// A SEND whose range has this start and end.
    pub fn chunk(&self, from: Side, tid: &str, range: &str, body: &[u8]) -> Vec<u8> {
        self.chunk_of(from, tid, "SEND", range, body)
    }

    fn chunk_of(&self, from: Side, tid: &str, method: &str, range: &str, body: &[u8]) -> Vec<u8> {
        let rest =
            format!("Byte-Range: {range}/{}\r\nContent-Type: text/plain\r\n\r\n", body.len());
        let end = format!("\r\n-------{tid}$\r\n");
        [&self.head(from, tid, method), rest.as_bytes(), body, end.as_bytes()].concat()
    }

    fn head(&self, from: Side, tid: &str, method: &str) -> Vec<u8> {
        head(tid, method, &self.to[from.index()], &self.path[from.index()])
    }

    pub fn response(&self, from: Side, tid: &str, status: &str) -> Vec<u8> {
        let (to, path) = (&self.to[from.index()], &self.path[from.index()]);
        format!("MSRP {tid} {status}\r\nTo-Path: {to}\r\nFrom-Path: {path}\r\n-------{tid}$\r\n")
            .into_bytes()
    }

    /// Both peers of an aware session can talk.
    pub fn talk(&self, a: &mut Peer, b: &mut Peer) {
        let hello = self.message(Side::A, "tidhello", b"hello");
        a.send(&hello);
        b.expect(&self.arrives(Side::A, Policy::Aware, &hello));
        let answer = self.response(Side::B, "tidhello", "200 OK");
        b.send(&answer);
        a.expect(&self.arrives(Side::B, Policy::Aware, &answer));
    }

    /// What the other side gets of this.
    pub fn arrives(&self, from: Side, policy: Policy, frame: &[u8]) -> Vec<u8> {
        if policy != Policy::Aware {
            return frame.to_vec();
        }
        let (here, there) = (from.index(), from.other().index());
        let to = replace(
            frame,
            &format!("To-Path: {}", self.to[here]),
            &format!("To-Path: {}", self.path[there]),
        );
        replace(
            &to,
            &format!("From-Path: {}", self.path[here]),
            &format!("From-Path: {}", self.to[there]),
        )
    }
}

fn head(tid: &str, method: &str, to: &str, from: &str) -> Vec<u8> {
    format!("MSRP {tid} {method}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m{tid}\r\n")
        .into_bytes()
}

pub fn replace(text: &[u8], old: &str, new: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = find(&text[at..], old.as_bytes()) {
        out.extend_from_slice(&text[at..at + found]);
        out.extend_from_slice(new.as_bytes());
        at += found + old.len();
    }
    out.extend_from_slice(&text[at..]);
    out
}

pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// An MSRP endpoint of few words.
pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    pub fn dial(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&to, PATIENCE).expect("the relay listens"))
    }

    /// Where it comes from.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub fn accept(listener: &TcpListener) -> Self {
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "nobody dialled");
        Self::over(listener.accept().unwrap().0)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the relay reads");
    }

    /// Exactly these bytes come next.
    pub fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        let read = self.stream.read_exact(&mut got);
        let shown =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
        assert!(read.is_ok(), "{read:?} instead of {}", shown(bytes));
        assert!(got == bytes, "got {} instead of {}", shown(&got), shown(bytes));
    }

    /// One whole frame, whatever it says.
    pub fn frame(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut byte = [0];
        loop {
            self.stream.read_exact(&mut byte).expect("a frame comes");
            frame.push(byte[0]);
            let tid = frame.split(|b| *b == b' ').nth(1).unwrap_or_default();
            let end = [b"-------", tid].concat();
            if frame.ends_with(b"\r\n")
                && frame.len() > 30
                && frame[..frame.len() - 3].ends_with(&end)
            {
                return frame;
            }
        }
    }

    pub fn fin(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends with RST.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// The relay's FIN comes next.
    pub fn expect_fin(&mut self) {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        assert!(read.is_ok(), "{read:?}");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// The relay's RST comes, whatever stands before it.
    pub fn expect_reset(&mut self) {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        assert_eq!(read.map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));
    }
}

/// Somewhere to be dialled.
pub fn listener() -> (TcpListener, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::Addrs(vec![listener.local_addr().unwrap()]);
    (listener, target)
}

/// An address that refuses connections.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A listener whose queue is full: the kernel drops who else wants to connect.
pub struct Deaf {
    pub address: SocketAddr,
    _listener: TcpListener,
    _queued: TcpStream,
}

pub fn deaf() -> Deaf {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let queued = TcpStream::connect(address).unwrap();
    Deaf { address, _listener: listener, _queued: queued }
}

/// A small generator of the same numbers in every run (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}
