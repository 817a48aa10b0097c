//! The event ring of a session: enough to draw its ladder, live and after the end.
//!
//! The first events (who connected, who spoke first) are kept for good; behind them the latest
//! ones go round. One thread writes, any thread may read at any time.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use msrp_proto::session::Side;

use crate::why::{DialError, RefusedFor, RingWhy};

/// One event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RingEvent {
    /// Since the session was opened; microseconds.
    pub at: Duration,
    /// Which peer it came from or concerns.
    pub side: Option<Side>,
    /// What happened.
    pub what: RingWhat,
    /// A port (connections), a status (responses), else 0.
    pub n: u32,
    /// The host that connected or was dialled, of `refused`, `dialling` and `dial-failed`. Of a
    /// session that saw many hosts not all are kept.
    pub host: Option<IpAddr>,
    /// Why, of `refused` and `dial-failed`.
    pub why: Option<RingWhy>,
}

macro_rules! ring_what {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum RingWhat {
            $($(#[$doc])* $name,)*
        }

        impl RingWhat {
            /// Every kind of event once.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code, lower case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

ring_what! {
    /// A connection came in; `n` = its port.
    Accepted = "accepted",
    /// The relay reset this leg.
    Aborted = "aborted",
    /// The leg has its connection.
    Bound = "bound",
    /// The session is over.
    Closed = "closed",
    /// A dial succeeded.
    Connected = "connected",
    /// A peer waits at an address that must not be dialled.
    DialDenied = "dial-denied",
    /// An address did not take the relay's connection; `n` = its port.
    DialFailed = "dial-failed",
    /// The relay dials; `n` = the port.
    Dialling = "dialling",
    /// The peer's FIN.
    Fin = "fin",
    /// The relay sent FIN to this peer.
    FinSent = "fin-sent",
    /// A valid first frame.
    FirstFrame = "first-frame",
    /// Bytes move both ways.
    Joined = "joined",
    /// The leg's connection was lost without FIN.
    Lost = "lost",
    /// The relay's own bind SEND went out.
    OwnBind = "own-bind",
    /// The peer answered it; `n` = status.
    OwnBindAnswer = "own-bind-answer",
    /// Nothing is read from either peer, as the control plane wants it.
    Paused = "paused",
    /// A connection was refused; `n` = its port.
    Refused = "refused",
    /// A REPORT.
    Report = "report",
    /// A request of another method.
    Request = "request",
    /// A response; `n` = status.
    Response = "response",
    /// The legs were lost; the listeners are open again.
    Reconnecting = "reconnecting",
    /// A new connection has taken the leg over.
    Renewed = "renewed",
    /// Another process of the relay went on with the session.
    Resumed = "resumed",
    /// A SEND.
    Send = "send",
    /// Both peers are read again.
    Unpaused = "unpaused",
}

/// Events kept for good, then events that go round: 48 of 16 bytes.
const FIRST: usize = 24;
const SLOTS: usize = 48;
/// Room comes with the events, for so many at a time: most sessions are idle and have few.
const PART: usize = 12;
/// Hosts that events can name at a time: as many as keep the whole below a KiB.
const HOSTS: usize = 8;

/// The ring. See the module.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// Events ever written.
    written: AtomicU64,
    parts: [OnceLock<Box<Part>>; SLOTS / PART],
    /// Events name them by their place; most sessions have none. Not touched by what is relayed.
    hosts: Mutex<Vec<IpAddr>>,
}

/// An event: its time, and the rest.
type Slot = [AtomicU64; 2];
type Part = [Slot; PART];

impl Ring {
    /// Only the owning thread writes.
    pub(crate) fn write(&self, event: RingEvent) {
        let index = self.written.load(Ordering::Relaxed);
        let host = event.host.map_or(0, |host| self.host_code(host));
        let at = position(index);
        let part = self.parts[at / PART].get_or_init(Box::default);
        let [time, rest] = &part[at % PART];
        time.store(event.at.as_micros() as u64, Ordering::Release);
        rest.store(pack(event, host), Ordering::Release);
        self.written.store(index + 1, Ordering::Release);
    }

    /// What is there, oldest first. Events overwritten while this reads are left out.
    pub(crate) fn read(&self) -> Vec<RingEvent> {
        let before = self.written.load(Ordering::Acquire);
        let packed: Vec<(u64, [u64; 2])> = kept(before)
            .filter_map(|index| Some((index, self.slot(position(index))?.each_ref().map(load))))
            .collect();
        // Behind the events: the place of a host is given away when no event names it any more.
        let hosts = self.hosts().clone();
        // One more than is finished may be half written.
        let after = self.written.load(Ordering::Acquire) + 1;
        let oldest_round = after.saturating_sub((SLOTS - FIRST) as u64);
        let still_there = |index: u64| index < FIRST as u64 || index >= oldest_round;
        let intact =
            packed.into_iter().filter(|(index, _)| after == before + 1 || still_there(*index));
        intact.filter_map(|(_, [time, rest])| unpack(time, rest, &hosts)).collect()
    }

    /// The place of a host among those kept, counted from 1; 0 where none is left.
    fn host_code(&self, host: IpAddr) -> u8 {
        let mut hosts = self.hosts();
        let known = hosts.iter().position(|known| *known == host);
        let place = known.or_else(|| {
            if hosts.len() < HOSTS {
                hosts.reserve_exact(1);
                hosts.push(host);
                return Some(hosts.len() - 1);
            }
            let free = (0..HOSTS).find(|place| !self.names(*place))?;
            hosts[free] = host;
            Some(free)
        });
        place.map_or(0, |place| place as u8 + 1)
    }

    /// Whether an event names the host at this place.
    fn names(&self, place: usize) -> bool {
        let slots = self.parts.iter().filter_map(OnceLock::get).flat_map(|part| part.iter());
        slots.into_iter().any(|[_, rest]| usize::from(octet(load(rest), HOST)) == place + 1)
    }

    fn slot(&self, at: usize) -> Option<&Slot> {
        Some(&self.parts[at / PART].get()?[at % PART])
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an event stands.
fn position(index: u64) -> usize {
    let index = index as usize;
    if index < FIRST { index } else { FIRST + (index - FIRST) % (SLOTS - FIRST) }
}

fn kept(written: u64) -> impl Iterator<Item = u64> {
    let first = FIRST as u64;
    let round = written.saturating_sub((SLOTS - FIRST) as u64).max(first);
    (0..written.min(first)).chain(round..written)
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Acquire)
}

/// The octets of an event's second word; above them is `n`.
const WHAT: u32 = 0;
const SIDE: u32 = 8;
const WHY: u32 = 16;
const HOST: u32 = 24;

fn octet(rest: u64, at: u32) -> u8 {
    (rest >> at) as u8
}

fn pack(event: RingEvent, host: u8) -> u64 {
    let side = event.side.map_or(0, |side| side.index() as u64 + 1);
    let why = match event.why {
        None => 0,
        Some(RingWhy::Refused(reason)) => reason as u8 + 1,
        Some(RingWhy::Dial(error)) => error.code(),
    };
    u64::from(event.n) << 32
        | u64::from(host) << HOST
        | u64::from(why) << WHY
        | side << SIDE
        | (event.what as u64) << WHAT
}

fn unpack(time: u64, rest: u64, hosts: &[IpAddr]) -> Option<RingEvent> {
    let what = *RingWhat::ALL.get(usize::from(octet(rest, WHAT)))?;
    let side = match octet(rest, SIDE) {
        1 => Some(Side::A),
        2 => Some(Side::B),
        _ => None,
    };
    let place = usize::from(octet(rest, HOST)).checked_sub(1);
    Some(RingEvent {
        at: Duration::from_micros(time),
        side,
        what,
        n: (rest >> 32) as u32,
        host: place.and_then(|place| hosts.get(place).copied()),
        why: why(what, octet(rest, WHY)),
    })
}

fn why(what: RingWhat, code: u8) -> Option<RingWhy> {
    let place = usize::from(code).checked_sub(1)?;
    match what {
        RingWhat::Refused => RefusedFor::ALL.get(place).copied().map(RingWhy::Refused),
        RingWhat::DialFailed => Some(RingWhy::Dial(DialError::of_code(code))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn event(n: u32) -> RingEvent {
        let what = RingWhat::Response;
        let at = Duration::from_micros(n.into());
        RingEvent { at, side: Some(Side::B), what, n, host: None, why: None }
    }

    fn refusal(n: u32, host: impl Into<IpAddr>) -> RingEvent {
        let why = Some(RingWhy::Refused(RefusedFor::Source));
        RingEvent { what: RingWhat::Refused, host: Some(host.into()), why, ..event(n) }
    }

    #[test]
    fn keeps_the_first_and_the_latest() {
        let ring = Ring::default();
        for n in 0..1000 {
            ring.write(event(n));
        }
        let expected: Vec<_> = (0..24).chain(976..1000).map(event).collect();
        assert_eq!(ring.read(), expected);
    }

    #[test]
    fn every_event_survives_packing() {
        for &what in RingWhat::ALL {
            for side in [None, Some(Side::A), Some(Side::B)] {
                let ring = Ring::default();
                let event = RingEvent { side, what, n: u32::MAX, ..event(7) };
                ring.write(event);
                assert_eq!(ring.read(), [event]);
            }
        }
    }

    #[test]
    fn every_reason_survives_packing() {
        let refused = RefusedFor::ALL.iter().copied().map(RingWhy::Refused);
        let failed = (1..=133).map(|code| RingWhy::Dial(DialError::of_code(code)));
        for why in refused.chain(failed) {
            let what = match why {
                RingWhy::Refused(_) => RingWhat::Refused,
                RingWhy::Dial(_) => RingWhat::DialFailed,
            };
            let ring = Ring::default();
            let event = RingEvent { what, why: Some(why), ..event(u32::MAX) };
            ring.write(event);
            assert_eq!(ring.read(), [event]);
        }
    }

    #[test]
    fn hosts_are_kept_for_as_long_as_their_events() {
        let ring = Ring::default();
        let refusals: Vec<RingEvent> = (0..200)
            .map(|n| match n {
                0..24 => refusal(n, Ipv4Addr::LOCALHOST),
                // In turn as many as can be named beside that one.
                _ => refusal(n, Ipv6Addr::from(u128::from(n / 4))),
            })
            .collect();
        refusals.iter().for_each(|event| ring.write(*event));
        assert_eq!(ring.read(), [&refusals[..24], &refusals[176..]].concat());
    }

    #[test]
    fn more_hosts_than_can_be_kept_cost_only_their_names() {
        let ring = Ring::default();
        let refusals: Vec<RingEvent> = (0..24).map(|n| refusal(n, Ipv4Addr::from(n))).collect();
        refusals.iter().for_each(|event| ring.write(*event));
        let nameless = |event: &RingEvent| RingEvent { host: None, ..*event };
        let (named, rest) = refusals.split_at(HOSTS);
        assert_eq!(ring.read(), [named, &rest.iter().map(nameless).collect::<Vec<_>>()].concat());
    }

    #[test]
    fn has_room_for_the_events_it_has_seen() {
        let ring = Ring::default();
        let parts = || ring.parts.iter().filter(|part| part.get().is_some()).count();
        assert_eq!((parts(), ring.read()), (0, vec![]));
        (0..12).for_each(|n| ring.write(event(n)));
        assert_eq!(parts(), 1);
        (12..1000).for_each(|n| ring.write(event(n)));
        assert_eq!(parts(), 4);
    }

    #[test]
    fn fits_one_kibibyte() {
        let parts = SLOTS / PART * size_of::<Part>();
        assert!(size_of::<Ring>() + parts + HOSTS * size_of::<IpAddr>() <= 1024);
    }
}
