//! Keys of dictionaries as Python's strings: the same few words again and again.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// The word that was met last in each place. A stranger's word takes a place until the next comes:
/// there is a bound, and nothing to clear.
static MET: Mutex<[Option<Py<PyString>>; PLACES]> = Mutex::new([const { None }; PLACES]);
const PLACES: usize = 256;
/// Longer words are not kept.
const FEW: usize = 64;

/// A key as text: UTF-8, what is not UTF-8 by surrogate escapes.
pub(super) fn key_of<'py>(py: Python<'py>, key: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let Ok(text) = std::str::from_utf8(key) else {
        let escaped = PyBytes::new(py, key).call_method1("decode", ("utf-8", "surrogateescape"))?;
        return Ok(escaped.cast_into()?);
    };
    if key.len() > FEW {
        return Ok(PyString::new(py, text));
    }
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let place = &mut met[place_of(key)];
    if let Some(word) = place {
        let word = word.bind(py);
        if word.to_str()? == text {
            return Ok(word.clone());
        }
    }
    // Interned: what the readers of a message look for is then the same object.
    let word = PyString::intern(py, text);
    *place = Some(word.clone().unbind());
    Ok(word)
}

/// FNV-1a, folded.
fn place_of(key: &[u8]) -> usize {
    let hash = key
        .iter()
        .fold(0x811c_9dc5_u32, |hash, &octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) as usize % PLACES
}
