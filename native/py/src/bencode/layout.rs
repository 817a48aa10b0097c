//! Dictionaries of one shape, told again and again: what is the same in all is written once.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyEllipsis, PyList, PyTuple};

use super::MAX_DEPTH;
use super::write::{write, write_string};

/// The shape of a dictionary: what is the same in all, and ``...`` where a value comes.
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Layout {
    pieces: Vec<Piece>,
    blanks: usize,
    shape: Py<PyDict>,
}

enum Piece {
    /// Octets that are the same in all.
    Fixed(Box<[u8]>),
    /// Where a value comes, with its name before it unless it is None.
    Blank(Box<[u8]>),
}

/// A layout and the values for its blanks.
#[pyclass(frozen, module = "msrprelay._native")]
pub(crate) struct Filled {
    layout: Py<Layout>,
    values: Py<PyTuple>,
}

#[pymethods]
impl Layout {
    #[new]
    fn new(shape: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut pieces = Pieces::default();
        pieces.dictionary(shape, MAX_DEPTH)?;
        pieces.end();
        let blanks = pieces.all.iter().filter(|piece| matches!(piece, Piece::Blank(_))).count();
        Ok(Self { pieces: pieces.all, blanks, shape: shape.clone().unbind() })
    }

    /// With a value for each blank, in their order. One that is None is left out with its name.
    #[pyo3(signature = (*values))]
    fn __call__(slf: &Bound<'_, Self>, values: Bound<'_, PyTuple>) -> PyResult<Filled> {
        let (blanks, given) = (slf.get().blanks, values.len());
        if given != blanks {
            return Err(PyTypeError::new_err(format!("{blanks} values expected, not {given}")));
        }
        Ok(Filled { layout: slf.clone().unbind(), values: values.unbind() })
    }
}

#[pymethods]
impl Filled {
    /// The dictionary that it is written as.
    fn plain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut values = self.values.bind(py).iter();
        dictionary(self.layout.get().shape.bind(py), &mut values)
    }
}

impl Filled {
    pub(super) fn write(&self, py: Python<'_>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
        let mut values = self.values.bind(py).iter_borrowed();
        for piece in &self.layout.get().pieces {
            match piece {
                Piece::Fixed(octets) => out.extend_from_slice(octets),
                Piece::Blank(name) => match values.next() {
                    Some(value) if !value.is_none() => {
                        out.extend_from_slice(name);
                        write(out, &value, depth)?;
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }
}

/// A layout on its way.
#[derive(Default)]
struct Pieces {
    all: Vec<Piece>,
    fixed: Vec<u8>,
}

impl Pieces {
    fn dictionary(&mut self, shape: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
        self.fixed.push(b'd');
        for (key, value) in shape {
            let mut name = Vec::new();
            write_string(&mut name, key.extract::<&str>()?.as_bytes());
            if value.is(PyEllipsis::get(shape.py())) {
                self.end();
                self.all.push(Piece::Blank(name.into()));
            } else {
                self.fixed.extend_from_slice(&name);
                self.value(&value, depth)?;
            }
        }
        self.fixed.push(b'e');
        Ok(())
    }

    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
        if depth == 0 {
            return Err(PyValueError::new_err("nested too deep"));
        }
        if let Ok(shape) = value.cast::<PyDict>() {
            return self.dictionary(shape, depth - 1);
        }
        if let Ok(items) = value.cast::<PyList>() {
            self.fixed.push(b'l');
            for item in items {
                self.value(&item, depth - 1)?;
            }
            self.fixed.push(b'e');
            return Ok(());
        }
        write(&mut self.fixed, value, depth)
    }

    /// No more octets belong to the piece at hand.
    fn end(&mut self) {
        if !self.fixed.is_empty() {
            self.all.push(Piece::Fixed(std::mem::take(&mut self.fixed).into()));
        }
    }
}

type Values<'a, 'py> = &'a mut dyn Iterator<Item = Bound<'py, PyAny>>;

fn dictionary<'py>(
    shape: &Bound<'py, PyDict>,
    values: Values<'_, 'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = shape.py();
    let filled = PyDict::new(py);
    for (key, value) in shape {
        if !value.is(PyEllipsis::get(py)) {
            filled.set_item(key, plain(value, values)?)?;
        } else if let Some(value) = values.next().filter(|value| !value.is_none()) {
            filled.set_item(key, value)?;
        }
    }
    Ok(filled)
}

fn plain<'py>(value: Bound<'py, PyAny>, values: Values<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(shape) = value.cast::<PyDict>() {
        return Ok(dictionary(shape, values)?.into_any());
    }
    if let Ok(items) = value.cast::<PyList>() {
        let filled = PyList::empty(value.py());
        for item in items {
            filled.append(plain(item, values)?)?;
        }
        return Ok(filled.into_any());
    }
    Ok(value)
}
