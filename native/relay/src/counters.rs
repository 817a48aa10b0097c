//! Counters: each thread writes its own, a reader sums them without stopping anybody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use msrp_proto::session::CloseReason;

use crate::board::add;

/// The counters of all threads. Counts since start, unless said.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// What is counted everywhere, summed.
    pub total: Load,
    /// The same, thread by thread.
    pub threads: Vec<Load>,
    /// Connections and frames refused, by the code of the reason. What a stranger can cause at will
    /// shows here and nowhere else.
    pub refused: BTreeMap<&'static str, u64>,
    /// Sessions that ended, by the code of the reason.
    pub closed: BTreeMap<&'static str, u64>,
    /// Bytes that stalled directions hold now, or may come to hold.
    pub stalled_bytes: u64,
}

macro_rules! loads {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The work of one thread, or of all.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct Load {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// One thread's own counters.
        #[derive(Debug, Default)]
        #[repr(align(64))]
        pub(crate) struct ThreadCounters {
            $($name: AtomicU64,)*
            refused: Mutex<BTreeMap<&'static str, u64>>,
            closed: Mutex<BTreeMap<&'static str, u64>>,
        }

        impl ThreadCounters {
            $(pub(crate) fn $name(&self, n: u64) { add(&self.$name, n); })*

            fn load(&self) -> Load {
                Load { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl std::ops::AddAssign for Load {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

loads! {
    /// Connections accepted.
    accepted,
    /// Times accepting had to pause for want of descriptors or memory.
    accept_pauses,
    /// Times a socket buffer was made smaller for the sake of the budget.
    buffers_shrunk,
    /// Bytes read from bound legs.
    bytes_in,
    /// Bytes written to bound legs.
    bytes_out,
    /// Complete chunks forwarded (aware).
    chunks,
    /// Sessions that ended.
    closed_sessions,
    /// Addresses dialled.
    dials,
    /// Requests forwarded although their From-Path was not the path in their sender's SDP (aware).
    foreign_from_paths,
    /// Sessions joined.
    joined,
    /// Sessions opened.
    opened,
    /// Panics caught; each ended one session.
    panics,
    /// Own bind SENDs sent.
    own_binds,
    /// Sessions of a dead process that went on here.
    resumed,
    /// Bytes of `bytes_in` that never entered this process.
    spliced,
}

impl ThreadCounters {
    pub(crate) fn refused(&self, reason: &'static str) {
        bump(&self.refused, reason);
    }

    pub(crate) fn closed(&self, reason: CloseReason) {
        self.closed_sessions(1);
        bump(&self.closed, reason.as_str());
    }
}

impl Counters {
    pub(crate) fn add(&mut self, thread: &ThreadCounters) {
        let load = thread.load();
        self.total += load;
        self.threads.push(load);
        merge(&mut self.refused, &thread.refused);
        merge(&mut self.closed, &thread.closed);
    }
}

fn bump(table: &Mutex<BTreeMap<&'static str, u64>>, reason: &'static str) {
    *table.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
}

fn merge(sum: &mut BTreeMap<&'static str, u64>, table: &Mutex<BTreeMap<&'static str, u64>>) {
    for (reason, n) in table.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        *sum.entry(reason).or_default() += n;
    }
}
