//! `framing CASE PASSES`: frames or rewrites the same input so many times, read as the engine
//! reads it, and prints what that was: `{"bytes":…,"messages":…,"seconds":…}`, bytes and messages
//! of one pass, CPU seconds of all. `framing --list` prints the cases.
//!
//! Instructions are counted from outside, by running it with few and with many passes.

mod input;

use std::error::Error;
use std::hint::black_box;

use msrp_proto::{Event, FrameError, Framer, Limits, PathPair, Pieces, Rewriter};

use input::{CASES, Case, Input, Work};

/// The engine reads at most so much at once.
const READ: usize = 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--list"] {
        CASES.iter().for_each(|case| println!("{}", case.name));
        return Ok(());
    }
    let [name, passes] = arguments.as_slice() else { return Err("CASE PASSES".into()) };
    let case = CASES.iter().find(|case| case.name == name).ok_or("no such case")?;
    let passes: u32 = passes.parse()?;
    let input = case.input();
    let before = cpu_seconds();
    for _ in 0..passes {
        pass(case, &input).map_err(FrameError::as_str)?;
    }
    let seconds = cpu_seconds() - before;
    let (bytes, messages) = (input.bytes.len(), input.messages);
    println!("{{\"bytes\":{bytes},\"messages\":{messages},\"seconds\":{seconds}}}");
    Ok(())
}

/// What this thread has used up, whoever else there was; 0 where the kernel does not say.
fn cpu_seconds() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: u64 =
        schedstat.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
    nanoseconds as f64 / 1e9
}

fn pass(case: &Case, input: &Input) -> Result<(), FrameError> {
    let chunks = match case.work {
        Work::Frame => frame(&input.bytes)?,
        Work::Rewrite => rewrite(&input.bytes)?,
    };
    assert_eq!(chunks, input.messages, "all chunks are found");
    Ok(())
}

fn frame(bytes: &[u8]) -> Result<u64, FrameError> {
    let mut framer = Framer::new(Limits::default());
    let (mut at, mut seen, mut chunks) = (0, READ.min(bytes.len()), 0);
    loop {
        match framer.next(&bytes[at..seen])? {
            Some(event) => {
                at += event.len();
                chunks += u64::from(matches!(black_box(event), Event::End { .. }));
            }
            None if seen == bytes.len() => return Ok(chunks),
            None => seen = (seen + READ).min(bytes.len()),
        }
    }
}

fn rewrite(bytes: &[u8]) -> Result<u64, FrameError> {
    let paths = PathPair::new(input::TO, &[input::FROM], &[input::FAR], input::OTHER);
    let mut rewriter = Rewriter::new(paths, Limits::default());
    let (mut pieces, mut reply) = (Pieces::default(), Vec::new());
    let (mut at, mut seen) = (0, 0);
    while seen < bytes.len() {
        seen = (seen + READ).min(bytes.len());
        pieces.clear();
        at += rewriter.push(&bytes[at..seen], &mut pieces, &mut reply)?;
        black_box(&pieces);
    }
    Ok(rewriter.chunks())
}
