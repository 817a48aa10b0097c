//! The engine's handle for Python.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use msrp_relay::{NoticeKind, OpenSpec, Side, descriptor, duplicate};
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::config::{EngineConfig, seconds};
use crate::legs::{self, Opened};
use crate::session::Session;

create_exception!(
    msrprelay._native,
    OpenError,
    PyOSError,
    "A listener could not be opened; `side` says whose."
);

/// The engine: its threads, behind a handle.
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Relay {
    /// None once stopped.
    engine: Mutex<Option<msrp_relay::Relay>>,
    fd: RawFd,
}

/// Session id, what, side, reason.
type Notice = (u64, &'static str, Option<&'static str>, Option<Cow<'static, str>>);

#[pymethods]
impl Relay {
    #[new]
    #[pyo3(signature = (config, keeper = None))]
    fn new(config: EngineConfig, keeper: Option<RawFd>) -> PyResult<Self> {
        let config = config.into_config()?;
        Ok(Self::of(match keeper {
            Some(keeper) => msrp_relay::Relay::start_kept(config, duplicate(keeper)?)?,
            None => msrp_relay::Relay::start(config)?,
        }))
    }

    /// Go on with what a dead process has left with the keeper. Owns the descriptors in `left`.
    #[staticmethod]
    fn adopt(
        config: EngineConfig,
        keeper: RawFd,
        left: Vec<(Vec<u8>, RawFd)>,
        crashed: bool,
    ) -> PyResult<Self> {
        let left = left.into_iter().map(|(label, fd)| {
            let label = label.try_into().map_err(|_| PyValueError::new_err("label: 16 bytes"))?;
            Ok((label, descriptor(fd)?))
        });
        let left = left.collect::<PyResult<Vec<_>>>()?;
        let engine =
            msrp_relay::Relay::adopt(config.into_config()?, duplicate(keeper)?, left, crashed);
        engine.map(Self::of).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => PyValueError::new_err(error.to_string()),
            _ => error.into(),
        })
    }

    /// There is a new keeper: have it keep everything.
    fn register(&self, keeper: RawFd) -> PyResult<()> {
        let keeper = duplicate(keeper)?;
        self.running(|engine| engine.register(keeper))
    }

    /// The numbers of the sessions that a dead process has left.
    fn sessions(&self) -> PyResult<Vec<u64>> {
        self.running(|engine| engine.sessions().keys().copied().collect())
    }

    /// One of those.
    fn session(&self, id: u64) -> PyResult<Option<Session>> {
        self.running(|engine| engine.sessions().get(&id).cloned().map(Session))
    }

    /// Listen on both legs' ports and create the session.
    #[pyo3(signature = (policy, a, b, tos, idle_seconds))]
    fn open(
        &self,
        py: Python<'_>,
        policy: &str,
        a: Opened,
        b: Opened,
        tos: Option<u8>,
        idle_seconds: Option<f64>,
    ) -> PyResult<Session> {
        let idle: Option<Duration> =
            idle_seconds.map(|idle| seconds("idle_seconds", idle)).transpose()?;
        let legs = [a.into_leg()?, b.into_leg()?];
        let spec = OpenSpec { policy: legs::policy(policy)?, legs, tos, idle };
        let opened = self.running(|engine| engine.open(spec))?;
        opened.map(Session).map_err(|refused| open_error(py, &refused))
    }

    /// An eventfd that is readable when `take_notices` has something to give.
    fn fileno(&self) -> RawFd {
        self.fd
    }

    /// Everything that happened since the last call, oldest first.
    fn take_notices(&self) -> PyResult<Vec<Notice>> {
        self.running(|engine| engine.take_notices().into_iter().map(notice).collect())
    }

    /// Totals since the start, all threads summed; refusals and ends by reason. `stalled-bytes` is
    /// what stalled directions hold now.
    fn counters(&self) -> PyResult<BTreeMap<String, u64>> {
        self.running(|engine| counters(&engine.counters()))
    }

    /// End all sessions and join the threads. Safe to repeat.
    fn stop(&self, py: Python<'_>) {
        if let Some(engine) = self.lock().take() {
            py.detach(|| engine.stop());
        }
    }
}

impl Relay {
    fn of(engine: msrp_relay::Relay) -> Self {
        let fd = engine.notices_fd().as_raw_fd();
        Self { engine: Mutex::new(Some(engine)), fd }
    }

    fn lock(&self) -> MutexGuard<'_, Option<msrp_relay::Relay>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running<T>(&self, ask: impl FnOnce(&msrp_relay::Relay) -> T) -> PyResult<T> {
        let engine = self.lock();
        let engine = engine.as_ref().ok_or_else(|| PyRuntimeError::new_err("stopped"))?;
        Ok(ask(engine))
    }
}

fn open_error(py: Python<'_>, refused: &msrp_relay::OpenError) -> PyErr {
    let why: &io::Error = &refused.source;
    let error = OpenError::new_err((why.raw_os_error(), why.to_string()));
    match error.value(py).setattr("side", refused.side.as_str()) {
        Ok(()) => error,
        Err(other) => other,
    }
}

fn notice(notice: msrp_relay::Notice) -> Notice {
    let (what, side, reason): (_, Option<Side>, _) = match notice.what {
        NoticeKind::AnswerIgnored(side) => ("answer-ignored", Some(side), None),
        NoticeKind::Bound(side) => ("bound", Some(side), None),
        NoticeKind::Closed(reason) => ("closed", reason.side(), Some(reason.as_str())),
        NoticeKind::DialFailed(side) => ("dial-failed", Some(side), None),
        NoticeKind::Joined => ("joined", None, None),
        NoticeKind::Reconnecting(reason) => ("reconnecting", reason.side(), Some(reason.as_str())),
        NoticeKind::Renewed(side) => ("renewed", Some(side), None),
        NoticeKind::LegLost(side, reason) => ("leg-lost", Some(side), Some(reason.as_str())),
    };
    let failure = notice.failure.map(|failure| failure.to_string().into());
    (notice.session, what, side.map(Side::as_str), reason.map(Cow::Borrowed).or(failure))
}

fn counters(counters: &msrp_relay::Counters) -> BTreeMap<String, u64> {
    let load = counters.total;
    let named = [
        ("accepted", load.accepted),
        ("accept-pauses", load.accept_pauses),
        ("buffers-shrunk", load.buffers_shrunk),
        ("bytes-in", load.bytes_in),
        ("bytes-out", load.bytes_out),
        ("chunks", load.chunks),
        ("closed", load.closed_sessions),
        ("dials", load.dials),
        ("foreign-from-paths", load.foreign_from_paths),
        ("joined", load.joined),
        ("opened", load.opened),
        ("own-binds", load.own_binds),
        ("panics", load.panics),
        ("resumed", load.resumed),
        ("spliced", load.spliced),
        ("stalled-bytes", counters.stalled_bytes),
    ];
    let named = named.into_iter().map(|(name, n)| (name.to_owned(), n));
    let by_reason = |prefix: &'static str, table: &BTreeMap<&'static str, u64>| {
        table.iter().map(|(code, n)| (format!("{prefix}-{code}"), *n)).collect::<Vec<_>>()
    };
    let refused = by_reason("refused", &counters.refused);
    let closed = by_reason("closed", &counters.closed);
    named.chain(refused).chain(closed).collect()
}
