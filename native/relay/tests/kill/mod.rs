//! The parts of the kill test.
#![allow(dead_code, unreachable_pub)]

pub mod command;
pub mod keeper;
pub mod peers;
pub mod talk;
pub mod worker;
