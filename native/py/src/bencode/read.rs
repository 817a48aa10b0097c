//! Reading, with tolerance: the dictionaries of Kamailio and OpenSIPS are unsorted.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::MAX_DEPTH;
use super::keys::key_of;

create_exception!(
    msrprelay._native,
    BencodeError,
    PyValueError,
    "Bytes that are no bencode; `offset` is where that was seen."
);
create_exception!(
    msrprelay._native,
    Truncated,
    BencodeError,
    "Bytes that may become bencode when more arrive."
);

/// What fits a 64-bit number whatever the digits are.
const MAX_DIGITS: usize = 18;

/// The value that begins at `start`, and the offset behind it.
#[pyfunction]
#[pyo3(signature = (data, start = 0))]
pub(crate) fn decode_bencode<'py>(
    py: Python<'py>,
    data: &[u8],
    start: usize,
) -> PyResult<(Bound<'py, PyAny>, usize)> {
    let mut reader = Reader { py, data, at: start.min(data.len()) };
    match reader.value(MAX_DEPTH) {
        Ok(value) => Ok((value, reader.at)),
        Err(fault) => Err(fault.raised(py)),
    }
}

/// Why reading stops.
enum Fault {
    Broken(&'static str, usize),
    Truncated(usize),
    /// Python's own: memory, or what a key's decoding raised.
    Python(PyErr),
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl Fault {
    fn raised(self, py: Python<'_>) -> PyErr {
        let (error, offset) = match self {
            Self::Broken(rule, offset) => {
                (BencodeError::new_err(format!("{rule} at byte {offset}")), offset)
            }
            Self::Truncated(offset) => {
                let says = format!("more bytes are needed at byte {offset}");
                (Truncated::new_err(says), offset)
            }
            Self::Python(error) => return error,
        };
        match error.value(py).setattr("offset", offset) {
            Ok(()) => error,
            Err(other) => other,
        }
    }
}

struct Reader<'py, 'd> {
    py: Python<'py>,
    data: &'d [u8],
    at: usize,
}

impl<'py> Reader<'py, '_> {
    fn peek(&self) -> Result<u8, Fault> {
        self.data.get(self.at).copied().ok_or(Fault::Truncated(self.at))
    }

    fn value(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fault> {
        let first = self.peek()?;
        if first.is_ascii_digit() {
            return Ok(PyBytes::new(self.py, self.string()?).into_any());
        }
        match first {
            b'i' => {
                self.at += 1;
                Ok(self.number(b'e')?.into_pyobject(self.py).map_err(PyErr::from)?.into_any())
            }
            b'd' | b'l' if depth == 0 => Err(Fault::Broken("nested too deep", self.at)),
            b'd' => self.dictionary(depth - 1),
            b'l' => self.list(depth - 1),
            _ => Err(Fault::Broken("no value begins like this", self.at)),
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fault> {
        self.at += 1;
        let pairs = PyDict::new(self.py);
        loop {
            match self.peek()? {
                b'e' => break,
                b'0'..=b'9' => {}
                _ => return Err(Fault::Broken("key that is no string", self.at)),
            }
            let key = key_of(self.py, self.string()?)?;
            if self.peek()? == b'e' {
                return Err(Fault::Broken("key without a value", self.at));
            }
            // The last of two equal keys holds.
            pairs.set_item(key, self.value(depth)?)?;
        }
        self.at += 1;
        Ok(pairs.into_any())
    }

    fn list(&mut self, depth: usize) -> Result<Bound<'py, PyAny>, Fault> {
        self.at += 1;
        let items = PyList::empty(self.py);
        while self.peek()? != b'e' {
            items.append(self.value(depth)?)?;
        }
        self.at += 1;
        Ok(items.into_any())
    }

    /// The string whose length begins here.
    fn string(&mut self) -> Result<&[u8], Fault> {
        let length = usize::try_from(self.number(b':')?).unwrap_or(usize::MAX);
        let begin = self.at;
        match self.data.get(begin..).filter(|rest| length <= rest.len()) {
            Some(rest) => {
                self.at += length;
                Ok(&rest[..length])
            }
            None => Err(Fault::Truncated(self.data.len())),
        }
    }

    /// The decimal number that begins here, up to its `stop` byte, which is passed. A sign is
    /// taken only where a number ends with `e`: a length has none.
    fn number(&mut self, stop: u8) -> Result<i64, Fault> {
        let negative = stop == b'e' && self.peek()? == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        let mut total = 0;
        loop {
            let digit = self.peek()?;
            if !digit.is_ascii_digit() {
                break;
            }
            if self.at - first == MAX_DIGITS {
                return Err(Fault::Broken("number with too many digits", self.at));
            }
            total = total * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        if self.at == first || self.data[self.at] != stop {
            return Err(Fault::Broken("not a number", self.at));
        }
        self.at += 1;
        Ok(if negative { -total } else { total })
    }
}
