//! The event ring of a session: enough to draw its ladder, live and after the end.
//!
//! The first events (who connected, who spoke first) are kept for good; behind them the latest
//! ones go round. One thread writes, any thread may read at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use msrp_proto::session::Side;

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
    /// A dial failed at every address.
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

/// The ring. See the module.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Events ever written.
    written: AtomicU64,
    slots: [[AtomicU64; 2]; SLOTS],
}

impl Default for Ring {
    fn default() -> Self {
        let slots = std::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]);
        Self { written: AtomicU64::new(0), slots }
    }
}

impl Ring {
    /// Only the owning thread writes.
    pub(crate) fn write(&self, event: RingEvent) {
        let index = self.written.load(Ordering::Relaxed);
        let [time, rest] = &self.slots[slot(index)];
        time.store(event.at.as_micros() as u64, Ordering::Release);
        rest.store(pack(event), Ordering::Release);
        self.written.store(index + 1, Ordering::Release);
    }

    /// What is there, oldest first. Events overwritten while this reads are left out.
    pub(crate) fn read(&self) -> Vec<RingEvent> {
        let before = self.written.load(Ordering::Acquire);
        let events: Vec<(u64, Option<RingEvent>)> = kept(before)
            .map(|index| {
                let [time, rest] = &self.slots[slot(index)];
                (index, unpack(time.load(Ordering::Acquire), rest.load(Ordering::Acquire)))
            })
            .collect();
        // One more than is finished may be half written.
        let after = self.written.load(Ordering::Acquire) + 1;
        let oldest_round = after.saturating_sub((SLOTS - FIRST) as u64);
        let still_there = |index: u64| index < FIRST as u64 || index >= oldest_round;
        let intact =
            events.into_iter().filter(|(index, _)| after == before + 1 || still_there(*index));
        intact.filter_map(|(_, event)| event).collect()
    }
}

fn slot(index: u64) -> usize {
    let index = index as usize;
    if index < FIRST { index } else { FIRST + (index - FIRST) % (SLOTS - FIRST) }
}

fn kept(written: u64) -> impl Iterator<Item = u64> {
    let first = FIRST as u64;
    let round = written.saturating_sub((SLOTS - FIRST) as u64).max(first);
    (0..written.min(first)).chain(round..written)
}

fn pack(event: RingEvent) -> u64 {
    let side = event.side.map_or(0, |side| side.index() as u64 + 1);
    u64::from(event.n) << 32 | side << 8 | event.what as u64
}

fn unpack(time: u64, rest: u64) -> Option<RingEvent> {
    let what = *RingWhat::ALL.get((rest & 0xff) as usize)?;
    let side = match rest >> 8 & 0xff {
        1 => Some(Side::A),
        2 => Some(Side::B),
        _ => None,
    };
    Some(RingEvent { at: Duration::from_micros(time), side, what, n: (rest >> 32) as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: u32) -> RingEvent {
        let what = RingWhat::Response;
        RingEvent { at: Duration::from_micros(n.into()), side: Some(Side::B), what, n }
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
                let event = RingEvent { at: Duration::from_micros(7), side, what, n: u32::MAX };
                ring.write(event);
                assert_eq!(ring.read(), [event]);
            }
        }
    }

    #[test]
    fn fits_one_kibibyte() {
        assert!(size_of::<Ring>() <= 1024);
    }
}
