//! The parts of the kill test.
#![allow(unreachable_pub)]

pub mod keeper;
pub mod peers;
pub mod random;
pub mod worker;
