//! What the fuzz targets compare `msrp-proto` with: the same rules written a second time, for a
//! whole stream at once, with no thought for speed.

pub mod framing;
pub mod rewriting;
pub mod sessions;
pub mod uris;
