//! Counts the octets the scanner looks at, so that tests can tell linear from quadratic without a
//! clock. Compiled for tests only.

use std::cell::Cell;

thread_local! {
    static OCTETS: Cell<usize> = const { Cell::new(0) };
}

/// Notes that `octets` more were looked at.
pub(crate) fn add(octets: usize) {
    OCTETS.set(OCTETS.get() + octets);
}

/// How many octets were looked at since the last call in this thread.
pub(crate) fn take() -> usize {
    OCTETS.replace(0)
}
