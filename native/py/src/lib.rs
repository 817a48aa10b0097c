//! `msrprelay._native`: conversion between Python and the engine; bencode and sums for the control
//! plane. No rule of MSRP lives here.

mod bencode;
mod config;
mod framer;
mod legs;
mod relay;
mod session;
mod sums;
mod told;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::bencode::{BencodeError, Filled, Layout, Truncated, decode_bencode, encode_bencode};
    #[pymodule_export]
    use super::framer::{Framer, Head};
    #[pymodule_export]
    use super::relay::{OpenError, Relay};
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_export]
    use super::sums::xxh3;
    #[pymodule_export]
    use super::told::Told;

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
