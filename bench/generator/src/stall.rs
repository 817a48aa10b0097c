//! How much a system takes for a peer that does not read.

use std::io;

use crate::meeting::Ends;
use crate::outcome::{Outcome, Stopwatch};
use crate::poller::Poller;
use crate::stream::Stream;

/// Nothing was taken for so long: it is full.
const FULL_MILLISECONDS: u32 = 500;

/// Writes at most `most` bytes into the first session; the outcome counts what was taken.
pub(crate) fn run(met: &mut [Ends], most: u64) -> io::Result<Outcome> {
    let Some(Ends { left, .. }) = met.first_mut() else { return Ok(Outcome::default()) };
    let mut poller = Poller::new()?;
    poller.add(&*left, 0)?;
    let watch = Stopwatch::new();
    let mut stream = Stream::opaque();
    let asked = stream.ask_bytes(most);
    while !stream.is_done() {
        if !stream.write(left)? && poller.wait(Some(FULL_MILLISECONDS))?.is_empty() {
            break;
        }
    }
    Ok(watch.stop(Outcome { bytes: asked - stream.left(), ..Outcome::default() }))
}
