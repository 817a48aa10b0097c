//! One session's handle for Python.

use msrp_relay::{AnswerSpec, CloseReason, LegReport, RingEvent, RingWhy, Side, Target};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::config::seconds;
use crate::legs::{self, Answered, unknown};

/// One session in the engine. Dropping the handle does not end it.
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Session(pub(crate) msrp_relay::Session);

#[pymethods]
impl Session {
    /// The number in notices.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    /// Fix roles, paths and dial targets.
    fn answer(&self, a: Answered, b: Answered) -> PyResult<()> {
        self.0.answer(AnswerSpec { legs: [a.into_leg()?, b.into_leg()?] });
        Ok(())
    }

    /// Give a pending dial target; None: there is none that may be dialled.
    #[pyo3(signature = (side, addresses))]
    fn dial(&self, side: &str, addresses: Option<Vec<(String, u16)>>) -> PyResult<()> {
        let target = match addresses {
            Some(addresses) => Target::Addrs(legs::socket_addresses(&addresses)?),
            None => Target::Denied,
        };
        self.0.set_target(legs::side(side)?, target);
        Ok(())
    }

    /// A side's peer has a re-offer: it may dial before its answer is known.
    fn reoffer(&self, side: &str) -> PyResult<()> {
        self.0.reoffer(legs::side(side)?);
        Ok(())
    }

    /// That is over, answered or rejected.
    fn settle(&self, side: &str) -> PyResult<()> {
        self.0.settle(legs::side(side)?);
        Ok(())
    }

    /// Read nothing from either peer, or go on; what they send waits with them.
    fn pause(&self, paused: bool) {
        self.0.pause(paused);
    }

    /// End the session after at most `linger_seconds` for bytes in flight.
    fn close(&self, reason: &str, linger_seconds: f64) -> PyResult<()> {
        // Only the control plane's own reasons come this way; none of them names a side.
        let known = CloseReason::ALL.into_iter().filter(|known| known.side().is_none());
        let reason = known
            .into_iter()
            .find(|known| known.as_str() == reason)
            .ok_or_else(|| unknown("reason to close", reason))?;
        self.0.close(reason, seconds("linger_seconds", linger_seconds)?);
        Ok(())
    }

    /// Roles, states, addresses, byte counts and reasons as they are now.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let report = self.0.report();
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "state"), report.stage.as_str())?;
        dict.set_item(intern!(py, "reason"), report.reason.map_or("", CloseReason::as_str))?;
        dict.set_item(
            intern!(py, "sentence"),
            report.reason.map(CloseReason::sentence).unwrap_or_default(),
        )?;
        let legs = Side::BOTH.into_iter().zip(&report.legs);
        let legs = legs.map(|(side, leg)| leg_dict(py, side, leg)).collect::<PyResult<Vec<_>>>()?;
        dict.set_item(intern!(py, "legs"), PyList::new(py, legs)?)?;
        Ok(dict)
    }

    /// The event ring, oldest first.
    fn events(&self) -> Vec<Event> {
        self.0.events().into_iter().map(event).collect()
    }
}

/// Microseconds since the opening, side, what, a number, a host, why; texts are empty where there
/// is none.
type Event = (u64, &'static str, &'static str, u32, String, &'static str);

fn event(event: RingEvent) -> Event {
    let RingEvent { at, side, what, n, host, why } = event;
    let host = host.map(|host| host.to_string()).unwrap_or_default();
    let (side, why) = (side.map_or("", Side::as_str), why.map_or("", RingWhy::as_str));
    (at.as_micros() as u64, side, what.as_str(), n, host, why)
}

fn leg_dict<'py>(py: Python<'py>, side: Side, leg: &LegReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "side"), side.as_str())?;
    dict.set_item(intern!(py, "role"), leg.role.map_or("", msrp_relay::Role::as_str))?;
    dict.set_item(intern!(py, "state"), leg.state.as_str())?;
    dict.set_item(intern!(py, "local-address"), leg.local.ip().to_string())?;
    dict.set_item(intern!(py, "local-port"), leg.local.port())?;
    dict.set_item(
        intern!(py, "peer-address"),
        leg.peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
    )?;
    dict.set_item(intern!(py, "peer-port"), leg.peer.map_or(0, |peer| peer.port()))?;
    dict.set_item(intern!(py, "bytes-in"), leg.bytes_in)?;
    dict.set_item(intern!(py, "bytes-out"), leg.bytes_out)?;
    dict.set_item(intern!(py, "chunks"), leg.chunks)?;
    dict.set_item(intern!(py, "reason"), leg.reason.map_or("", msrp_relay::LegReason::as_str))?;
    Ok(dict)
}
