//! Feeding streams to a framer in portions, and the recorded streams under `tests/data`.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::fs;
use std::path::PathBuf;

use msrp_proto::{Event, Flag, FrameError, Framer, Head, Limits};
use serde_json::Value;

/// What a framer found, with offsets from the stream's start; neighbouring portions of a body or a
/// gap are one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    Body { offset: usize, len: usize },
    End { offset: usize, len: usize, flag: Flag },
    Error { offset: usize, error: FrameError },
    Gap { offset: usize, len: usize },
    Head { offset: usize, head: Head },
}

/// What became of a whole stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Framed {
    pub found: Vec<Found>,
    /// Octets no event covered.
    pub left: usize,
    pub between_chunks: bool,
}

/// Frames `stream`, of which more arrives at each of `cuts` (ascending), and in the end all of it.
pub fn frame(stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> Framed {
    let mut framer = Framer::new(Limits::default());
    let mut found = Vec::new();
    let mut at = 0;
    for arrived in cuts.into_iter().chain([stream.len()]) {
        loop {
            match framer.next(&stream[at..arrived]) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    note(&mut found, at, event);
                    at += event.len();
                }
                Err(error) => {
                    found.push(Found::Error { offset: at + framer.fault_offset(), error });
                    return Framed { found, left: stream.len() - at, between_chunks: false };
                }
            }
        }
    }
    Framed { found, left: stream.len() - at, between_chunks: framer.between_chunks() }
}

fn note(found: &mut Vec<Found>, offset: usize, event: Event) {
    assert!(event.len() > 0, "an event covers something");
    match (event, found.last_mut()) {
        (Event::Body(more), Some(Found::Body { len, .. })) => *len += more,
        (Event::Gap(more), Some(Found::Gap { len, .. })) => *len += more,
        (Event::Body(len), _) => found.push(Found::Body { offset, len }),
        (Event::Gap(len), _) => found.push(Found::Gap { offset, len }),
        (Event::End { flag, len }, _) => found.push(Found::End { offset, len, flag }),
        (Event::Head(head), _) => found.push(Found::Head { offset, head }),
    }
}

pub fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(path)
}

pub fn bytes(path: &str) -> Vec<u8> {
    fs::read(data(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn json(path: &str) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap()
}

pub fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// The offsets an index entry wants a stream to be cut at.
pub fn splits(entry: &Value, size: usize) -> Vec<usize> {
    match entry["splits"].as_array() {
        Some(offsets) => offsets.iter().map(number).collect(),
        None => (0..=size).collect(),
    }
}
