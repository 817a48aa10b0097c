//! Writing: dictionaries in their own order, as in the messages that come.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};

use super::MAX_DEPTH;
use super::layout::Filled;
use crate::told::{Entry, Item, Told, text};

/// A reply: the largest is a query's, of a few such.
const USUAL: usize = 1024;

/// `value` as bencode.
#[pyfunction]
pub(crate) fn encode_bencode<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::with_capacity(USUAL);
    write(&mut out, value, MAX_DEPTH)?;
    Ok(PyBytes::new(value.py(), &out))
}

pub(super) fn write(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if let Ok(text) = value.cast::<PyString>() {
        write_text(out, text)?;
    } else if let Ok(octets) = value.cast::<PyBytes>() {
        write_string(out, octets.as_bytes());
    } else if let Ok(number) = value.cast::<PyInt>() {
        write_number(out, number)?;
    } else if depth == 0 {
        return Err(PyValueError::new_err("nested too deep"));
    } else if let Ok(pairs) = value.cast::<PyDict>() {
        write_dictionary(out, pairs, depth - 1)?;
    } else if let Ok(items) = value.cast::<PyList>() {
        write_list(out, items.iter(), depth - 1)?;
    } else if let Ok(items) = value.cast::<PyTuple>() {
        write_list(out, items.iter(), depth - 1)?;
    } else if let Ok(filled) = value.cast::<Filled>() {
        filled.get().write(value.py(), out, depth - 1)?;
    } else if let Ok(told) = value.cast::<Told>() {
        write_entries(out, told.get().entries());
    } else {
        return Err(PyTypeError::new_err(format!("bencode has no {}", value.get_type().name()?)));
    }
    Ok(())
}

/// An entry that is None is left out: bencode has no null.
fn write_dictionary(out: &mut Vec<u8>, pairs: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
    out.push(b'd');
    for (key, value) in pairs {
        if !value.is_none() {
            write(out, &key, depth)?;
            write(out, &value, depth)?;
        }
    }
    out.push(b'e');
    Ok(())
}

fn write_entries(out: &mut Vec<u8>, entries: &[Entry]) {
    out.push(b'd');
    for (name, item) in entries {
        write_string(out, name.as_bytes());
        match item {
            Item::Word(word) => write_string(out, word.as_bytes()),
            Item::Address(address) => write_string(out, text(*address).as_bytes()),
            Item::Number(number) => write_positive(out, *number),
        }
    }
    out.push(b'e');
}

fn write_list<'py>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> PyResult<()> {
    out.push(b'l');
    for item in items {
        write(out, &item, depth)?;
    }
    out.push(b'e');
    Ok(())
}

/// What was no UTF-8 comes out as the octets that it was.
fn write_text(out: &mut Vec<u8>, text: &Bound<'_, PyString>) -> PyResult<()> {
    if let Ok(plain) = text.to_str() {
        write_string(out, plain.as_bytes());
        return Ok(());
    }
    let octets = text.call_method1("encode", ("utf-8", "surrogateescape"))?;
    write_string(out, octets.cast::<PyBytes>()?.as_bytes());
    Ok(())
}

pub(super) fn write_string(out: &mut Vec<u8>, octets: &[u8]) {
    write_decimal(out, octets.len() as u64);
    out.push(b':');
    out.extend_from_slice(octets);
}

/// A bool is written as the number it is.
fn write_number(out: &mut Vec<u8>, number: &Bound<'_, PyInt>) -> PyResult<()> {
    out.push(b'i');
    if let Ok(number) = number.extract::<i64>() {
        if number < 0 {
            out.push(b'-');
        }
        write_decimal(out, number.unsigned_abs());
    } else {
        out.extend_from_slice(number.str()?.to_str()?.as_bytes());
    }
    out.push(b'e');
    Ok(())
}

fn write_positive(out: &mut Vec<u8>, number: u64) {
    out.push(b'i');
    write_decimal(out, number);
    out.push(b'e');
}

fn write_decimal(out: &mut Vec<u8>, mut number: u64) {
    // Nearly all: lengths of words.
    if number < 10 {
        out.push(b'0' + number as u8);
        return;
    }
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}
