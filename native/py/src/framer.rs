//! The framer for Python: stream offsets beside each event, bytes copied out.

use std::sync::{Mutex, PoisonError};

use msrp_proto::{Event, FrameError, Kind, Limits};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Start line and headers of one chunk.
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Head {
    head: msrp_proto::Head,
    block: Box<[u8]>,
}

#[pymethods]
impl Head {
    /// The method of a request; None for a response.
    #[getter]
    fn method(&self) -> Option<String> {
        match self.head.kind {
            Kind::Request { name, .. } => Some(text(name.of(&self.block))),
            Kind::Response { .. } => None,
        }
    }

    /// The status of a response; None for a request.
    #[getter]
    fn status(&self) -> Option<u16> {
        match self.head.kind {
            Kind::Request { .. } => None,
            Kind::Response { status, .. } => Some(status),
        }
    }

    /// The comment of a response, as it came.
    #[getter]
    fn comment(&self) -> Option<&[u8]> {
        match self.head.kind {
            Kind::Request { .. } => None,
            Kind::Response { comment, .. } => comment.map(|span| span.of(&self.block)),
        }
    }

    /// The transaction id.
    #[getter]
    fn transaction_id(&self) -> String {
        text(self.head.tid.of(&self.block))
    }

    /// All headers in order; a value without the blanks around it.
    #[getter]
    fn headers(&self) -> Vec<(String, &[u8])> {
        self.head.headers(&self.block).map(|(name, value)| (text(name), value)).collect()
    }

    /// Octets of the start line and the header lines.
    #[getter]
    fn header_length(&self) -> usize {
        self.head.header_len
    }

    /// Whether a blank line, and so a body, follows.
    #[getter]
    fn has_body(&self) -> bool {
        self.head.has_body
    }
}

/// The chunk framer of one direction of one connection (RFC 4975 section 7.1).
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Framer(Mutex<Stream>);

struct Stream {
    framer: msrp_proto::Framer,
    unconsumed: Vec<u8>,
    offset: u64,
    lost: bool,
}

type Entry<'py> = (&'static str, u64, usize, Option<Bound<'py, PyAny>>);

#[pymethods]
impl Framer {
    #[new]
    #[pyo3(signature = (max_line=16384, max_head=65536, max_headers=128))]
    fn new(max_line: usize, max_head: usize, max_headers: usize) -> Self {
        let limits = Limits { line: max_line, head: max_head, headers: max_headers };
        let framer = msrp_proto::Framer::new(limits);
        Self(Mutex::new(Stream { framer, unconsumed: Vec::new(), offset: 0, lost: false }))
    }

    /// Take bytes; give what they complete as (kind, offset, length, value).
    fn feed<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Entry<'py>>> {
        self.lock().feed(py, data)
    }

    /// Whether the stream may end here without cutting a chunk.
    fn between_chunks(&self) -> bool {
        self.lock().framer.between_chunks()
    }
}

impl Framer {
    fn lock(&self) -> std::sync::MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn feed<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Entry<'py>>> {
        let mut entries = Vec::new();
        if self.lost {
            return Ok(entries);
        }
        self.unconsumed.extend_from_slice(data);
        let mut used = 0;
        loop {
            let rest = &self.unconsumed[used..];
            match self.framer.next(rest) {
                Ok(Some(event)) => {
                    let len = event.len();
                    entries.push(self.entry(py, used, event)?);
                    used += len;
                }
                Ok(None) => break,
                Err(error) => {
                    entries.push(self.fault(py, used, error));
                    break;
                }
            }
        }
        self.unconsumed.drain(..used);
        self.offset += used as u64;
        Ok(entries)
    }

    fn entry<'py>(&self, py: Python<'py>, used: usize, event: Event) -> PyResult<Entry<'py>> {
        let at = self.offset + used as u64;
        let len = event.len();
        let bytes = &self.unconsumed[used..used + len];
        Ok(match event {
            Event::Gap(_) => ("gap", at, len, None),
            Event::Body(_) => ("body", at, len, Some(PyBytes::new(py, bytes).into_any())),
            Event::Head(head) => {
                let head = Head { head, block: bytes.into() };
                ("head", at, len, Some(Bound::new(py, head)?.into_any()))
            }
            Event::End { flag, .. } => {
                let flag = char::from(flag.as_byte()).to_string();
                ("end", at, len, Some(PyString::new(py, &flag).into_any()))
            }
        })
    }

    fn fault<'py>(&mut self, py: Python<'py>, used: usize, error: FrameError) -> Entry<'py> {
        self.lost = true;
        let at = self.offset + (used + self.framer.fault_offset()) as u64;
        ("error", at, 0, Some(PyString::new(py, error.as_str()).into_any()))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
