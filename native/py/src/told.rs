//! What the engine tells of a leg or an event, for Python. Most of it is only ever written into a
//! reply, so an entry becomes an object when somebody asks for it.

use std::net::IpAddr;

use msrp_relay::{LegReason, LegReport, RingEvent, RingWhy, Role, Side};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// A mapping from words to words, addresses and numbers; texts are empty where there is none.
#[pyclass(frozen, mapping, module = "msrprelay._native")]
pub(crate) struct Told(Vec<Entry>);

pub(crate) type Entry = (&'static str, Item);

/// What stands in an entry.
pub(crate) enum Item {
    Word(&'static str),
    Address(Option<IpAddr>),
    Number(u64),
}

impl Told {
    pub(crate) fn of_leg(side: Side, leg: &LegReport) -> Self {
        Self(vec![
            ("side", Item::Word(side.as_str())),
            ("role", Item::Word(leg.role.map_or("", Role::as_str))),
            ("state", Item::Word(leg.state.as_str())),
            ("local-address", Item::Address(Some(leg.local.ip()))),
            ("local-port", Item::Number(leg.local.port().into())),
            ("peer-address", Item::Address(leg.peer.map(|peer| peer.ip()))),
            ("peer-port", Item::Number(leg.peer.map_or(0, |peer| peer.port().into()))),
            ("bytes-in", Item::Number(leg.bytes_in)),
            ("bytes-out", Item::Number(leg.bytes_out)),
            ("chunks", Item::Number(leg.chunks)),
            ("reason", Item::Word(leg.reason.map_or("", LegReason::as_str))),
        ])
    }

    pub(crate) fn of_event(event: RingEvent) -> Self {
        let RingEvent { at, side, what, n, host, why } = event;
        let mut entries = vec![
            ("at", Item::Number(at.as_micros() as u64)),
            ("side", Item::Word(side.map_or("", Side::as_str))),
            ("what", Item::Word(what.as_str())),
            ("n", Item::Number(n.into())),
        ];
        // Few have these, and there are dozens of events in a reply.
        entries.extend(host.map(|host| ("address", Item::Address(Some(host)))));
        entries.extend(why.map(|why| ("reason", Item::Word(RingWhy::as_str(why)))));
        Self(entries)
    }

    /// In the order in which they are written.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }
}

#[pymethods]
impl Told {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = self.0.iter().find(|(name, _)| *name == key);
        let (_, item) = found.ok_or_else(|| PyKeyError::new_err(key.to_owned()))?;
        Ok(match item {
            Item::Word(word) => PyString::new(py, word).into_any(),
            Item::Address(address) => PyString::new(py, &text(*address)).into_any(),
            Item::Number(number) => number.into_pyobject(py)?.into_any(),
        })
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// What there is to ask for.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.iter().map(|(name, _)| *name))
    }
}

/// As it is written; empty where there is none.
pub(crate) fn text(address: Option<IpAddr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}
