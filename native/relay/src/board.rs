//! What the owning thread shows of a session: written there, readable anywhere at any time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use msrp_proto::Moment;
use msrp_proto::session::{CloseReason, LegReason, Role, Side, Stage};

use crate::ring::{Ring, RingEvent, RingWhat};
use crate::why::RingWhy;

/// A session at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// Stage of its life.
    pub stage: Stage,
    /// Why it ends or ended.
    pub reason: Option<CloseReason>,
    /// Offerer's leg, answerer's leg.
    pub legs: [LegReport; 2],
}

/// A leg at one moment.
#[derive(Clone, Debug)]
pub struct LegReport {
    /// Who makes the connection; unknown before the answer.
    pub role: Option<Role>,
    /// How far it is.
    pub state: LegState,
    /// Where the relay listens for it.
    pub local: SocketAddr,
    /// The peer's end of its connection, also after its end.
    pub peer: Option<SocketAddr>,
    /// Bytes read from this peer.
    pub bytes_in: u64,
    /// Bytes written to this peer.
    pub bytes_out: u64,
    /// Aware: complete chunks of this peer that were forwarded.
    pub chunks: u64,
    /// Why its last connection ended.
    pub reason: Option<LegReason>,
}

/// How far a leg is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum LegState {
    /// No connection yet.
    Listening,
    /// The relay is connecting, or waits for the answer to its own bind SEND.
    Dialling,
    /// It has its connection and waits for the other leg.
    Bound,
    /// Bytes move.
    Joined,
    /// It is being ended.
    Draining,
    /// It has ended.
    Closed,
}

impl LegState {
    /// Every state once, in order of life.
    pub const ALL: [Self; 6] =
        [Self::Listening, Self::Dialling, Self::Bound, Self::Joined, Self::Draining, Self::Closed];

    /// The code, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::Dialling => "dialling",
            Self::Bound => "bound",
            Self::Joined => "joined",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }
}

/// The shared side of one session.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) opened: Moment,
    course: Mutex<Course>,
    pub(crate) legs: [LegBoard; 2],
    ring: Option<Box<Ring>>,
}

/// How far it is, and why it ends.
#[derive(Debug)]
struct Course {
    stage: Stage,
    reason: Option<CloseReason>,
}

/// The shared side of one leg.
#[derive(Debug)]
pub(crate) struct LegBoard {
    state: AtomicU8,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    chunks: AtomicU64,
    /// Of the path that was named last, 0 where none was.
    path: AtomicU64,
    /// An answer that moves the peer is on its way to the thread.
    moving: AtomicBool,
    facts: Mutex<Facts>,
}

#[derive(Debug)]
struct Facts {
    role: Option<Role>,
    local: Endpoint,
    peer: Option<Endpoint>,
    reason: Option<LegReason>,
}

/// An address without what only the kernel wants of it: there are four to a session.
#[derive(Clone, Copy, Debug)]
struct Endpoint {
    ip: IpAddr,
    port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: address.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(Endpoint { ip, port }: Endpoint) -> Self {
        Self::new(ip, port)
    }
}

impl Board {
    pub(crate) fn new(local: [SocketAddr; 2], opened: Moment, ring: bool) -> Self {
        Self {
            opened,
            course: Mutex::new(Course { stage: Stage::Offered, reason: None }),
            legs: local.map(LegBoard::new),
            ring: ring.then(Box::default),
        }
    }

    pub(crate) fn leg(&self, side: Side) -> &LegBoard {
        &self.legs[side.index()]
    }

    /// Where this side's listener is.
    pub(crate) fn local(&self, side: Side) -> SocketAddr {
        lock(&self.leg(side).facts).local.into()
    }

    /// `reason`: `None` where it does not end, or no longer.
    pub(crate) fn set_course(&self, stage: Stage, reason: Option<CloseReason>) {
        *lock(&self.course) = Course { stage, reason };
    }

    /// The control plane has an answer that the owning thread will carry out soon: who asks before
    /// that is told of it already.
    pub(crate) fn announce(&self, roles: [Role; 2]) {
        let mut course = lock(&self.course);
        if course.stage == Stage::Offered {
            course.stage = Stage::Answered;
            self.legs.iter().zip(roles).for_each(|(leg, role)| leg.set_role(role));
        }
    }

    /// Bytes read from both peers.
    pub(crate) fn bytes(&self) -> u64 {
        self.legs.iter().map(|leg| leg.bytes_in.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn event(&self, now: Moment, side: Option<Side>, what: RingWhat, n: u32) {
        if let Some(ring) = &self.ring {
            let at = now.saturating_duration_since(self.opened);
            ring.write(RingEvent { at, side, what, n, host: None, why: None });
        }
    }

    /// An event about a connection with `peer`.
    pub(crate) fn event_with(
        &self,
        now: Moment,
        side: Side,
        what: RingWhat,
        peer: SocketAddr,
        why: Option<RingWhy>,
    ) {
        if let Some(ring) = &self.ring {
            let at = now.saturating_duration_since(self.opened);
            let (side, n, host) = (Some(side), peer.port().into(), Some(peer.ip()));
            ring.write(RingEvent { at, side, what, n, host, why });
        }
    }

    pub(crate) fn events(&self) -> Vec<RingEvent> {
        self.ring.as_ref().map(|ring| ring.read()).unwrap_or_default()
    }

    pub(crate) fn report(&self) -> Report {
        let Course { stage, reason } = *lock(&self.course);
        Report { stage, reason, legs: [self.legs[0].report(), self.legs[1].report()] }
    }
}

impl LegBoard {
    fn new(local: SocketAddr) -> Self {
        Self {
            state: AtomicU8::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            path: AtomicU64::new(0),
            moving: AtomicBool::new(false),
            facts: Mutex::new(Facts { role: None, local: local.into(), peer: None, reason: None }),
        }
    }

    pub(crate) fn set_state(&self, state: LegState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_role(&self, role: Role) {
        lock(&self.facts).role = Some(role);
    }

    /// A new connection: whatever ended the one before is history.
    pub(crate) fn set_peer(&self, peer: SocketAddr) {
        let mut facts = lock(&self.facts);
        facts.peer = Some(peer.into());
        facts.reason = None;
    }

    /// The first reason stays: what follows from it is not one.
    pub(crate) fn set_reason(&self, reason: LegReason) {
        lock(&self.facts).reason.get_or_insert(reason);
    }

    /// Notes the path that is named now; gives whether another one was named before. For the
    /// control plane's threads, which cannot see what the owning thread knows.
    pub(crate) fn moves(&self, path: &[Vec<u8>]) -> bool {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let now = if path.is_empty() { 0 } else { hasher.finish() };
        let before = self.path.swap(now, Ordering::Relaxed);
        let moves = before != 0 && before != now;
        if moves {
            self.moving.store(true, Ordering::Release);
        }
        moves
    }

    /// Whether the owning thread will hear of such a path yet.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Acquire)
    }

    /// It has heard; gives whether it had to.
    pub(crate) fn has_moved(&self) -> bool {
        self.moving.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn add_in(&self, bytes: usize) {
        add(&self.bytes_in, bytes as u64);
    }

    pub(crate) fn add_out(&self, bytes: usize) {
        add(&self.bytes_out, bytes as u64);
    }

    pub(crate) fn add_chunks(&self, chunks: u64) {
        add(&self.chunks, chunks);
    }

    /// What was counted before, in a dead process: bytes in, bytes out, chunks.
    pub(crate) fn inherit(&self, [bytes_in, bytes_out, chunks]: [u64; 3]) {
        self.bytes_in.store(bytes_in, Ordering::Relaxed);
        self.bytes_out.store(bytes_out, Ordering::Relaxed);
        self.chunks.store(chunks, Ordering::Relaxed);
    }

    /// Bytes in, bytes out, chunks.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [&self.bytes_in, &self.bytes_out, &self.chunks].map(|n| n.load(Ordering::Relaxed))
    }

    /// Who makes the connection, where its peer is, and what has ended it.
    pub(crate) fn facts(&self) -> (Option<Role>, Option<SocketAddr>, Option<LegReason>) {
        let facts = lock(&self.facts);
        (facts.role, facts.peer.map(SocketAddr::from), facts.reason)
    }

    fn report(&self) -> LegReport {
        let facts = lock(&self.facts);
        let state = usize::from(self.state.load(Ordering::Relaxed));
        LegReport {
            role: facts.role,
            state: LegState::ALL.get(state).copied().unwrap_or(LegState::Closed),
            local: facts.local.into(),
            peer: facts.peer.map(SocketAddr::from),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            chunks: self.chunks.load(Ordering::Relaxed),
            reason: facts.reason,
        }
    }
}

/// One writer: no read-modify-write is needed.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
