//! Sums of octets for Python.

use pyo3::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

/// XXH3 of `data`, 64 bits.
#[pyfunction]
pub(crate) fn xxh3(data: &[u8]) -> u64 {
    xxh3_64(data)
}
