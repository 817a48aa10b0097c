//! System calls behind safe functions. The only place where `unsafe` may stand.
#![allow(unsafe_code)]

pub(crate) mod mem_info;
pub(crate) mod pipe;
pub(crate) mod tcp;
pub(crate) mod tcp_info;
