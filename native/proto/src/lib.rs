//! MSRP on the wire, without sockets: chunk framing, path rewriting and the life of one relayed session.
//!
//! Nothing here reads a clock, a socket or a file: time arrives as an argument and work to do
//! leaves as a value, so every path runs in a unit test.
#![forbid(unsafe_code)]
