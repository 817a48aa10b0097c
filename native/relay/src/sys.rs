//! System calls, and what else the compiler cannot check, behind safe functions. The only place where
//! `unsafe` may stand.
#![allow(unsafe_code)]

pub(crate) mod arena;
pub(crate) mod cache;
pub(crate) mod clock;
mod descriptor;
#[cfg(feature = "kill-points")]
mod kill;
pub(crate) mod mem_info;
pub(crate) mod pipe;
mod shared;
pub(crate) mod tcp;
pub(crate) mod tcp_info;

pub use descriptor::{descriptor, duplicate};

#[cfg(feature = "kill-points")]
pub(crate) use kill::kill_point;

/// A place where a process may have been killed; tests do it.
#[cfg(not(feature = "kill-points"))]
pub(crate) fn kill_point() {}
