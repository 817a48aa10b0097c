//! MSRP on the wire, without sockets: chunk framing, path rewriting and the life of one relayed session.
//!
//! Nothing here reads a clock, a socket or a file: time arrives as an argument and work to do
//! leaves as a value, so every path runs in a unit test.
#![forbid(unsafe_code)]

mod bind;
mod block;
mod chars;
mod end_line;
mod error;
mod framer;
mod gate;
mod head;
mod header;
mod host;
mod limits;
mod moment;
mod paths;
mod pieces;
mod places;
mod position;
mod refusal;
mod rewrite;
pub mod session;
mod span;
mod start_line;
#[cfg(test)]
mod steps;
mod uri;
mod usual;

pub use bind::{BindAnswer, BindOutcome, bind_request};
pub use error::FrameError;
pub use framer::{Event, Flag, Framer};
pub use gate::{Gate, Key, RefuseCause, Verdict};
pub use head::{ByteRange, FailureReport, Head, Headers, Kind, Method, PathLine, path_uris};
pub use host::Host;
pub use limits::Limits;
pub use moment::Moment;
pub use paths::{LegPaths, PathPair};
pub use pieces::{Piece, Pieces};
pub use position::Position;
pub use refusal::Refusal;
pub use rewrite::{Passed, Rewriter, What};
pub use span::Span;
pub use uri::{Scheme, Uri, UriError};
