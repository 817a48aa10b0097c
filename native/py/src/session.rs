//! One session's handle for Python.

use msrp_relay::{AnswerSpec, CloseReason, Side, Target};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::config::seconds;
use crate::legs::{self, Answered, unknown};
use crate::told::Told;

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
        let legs = legs.map(|(side, leg)| Bound::new(py, Told::of_leg(side, leg)));
        let legs = legs.collect::<PyResult<Vec<_>>>()?;
        dict.set_item(intern!(py, "legs"), PyList::new(py, legs)?)?;
        Ok(dict)
    }

    /// The event ring, oldest first.
    fn events(&self) -> Vec<Told> {
        self.0.events().into_iter().map(Told::of_event).collect()
    }
}
