//! Any bytes, in portions the first byte chooses: no panic, spans that are the input, and the same
//! output of the rewriter as without portions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_proto::{Framer, Gate, Key, Limits, PathPair, Pieces, Rewriter};

const OURS: &[u8] = b"msrp://192.0.2.10:30000/rLy0;tcp";
const LIMITS: Limits = Limits { line: 512, head: 2048, headers: 16 };

fuzz_target!(|data: &[u8]| {
    let Some((&portion, stream)) = data.split_first() else { return };
    let portion = usize::from(portion) + 1;
    spans_are_the_input(stream, portion);
    assert_eq!(rewrite(stream, portion), rewrite(stream, stream.len().max(1)));
    Gate::new(LIMITS).look(stream, &Key::Uri(OURS));
});

fn spans_are_the_input(stream: &[u8], portion: usize) {
    let mut framer = Framer::new(LIMITS);
    let mut at = 0;
    for arrived in ends(stream, portion) {
        loop {
            match framer.next(&stream[at..arrived]) {
                Ok(Some(event)) => {
                    assert!(event.len() > 0 && at + event.len() <= arrived);
                    at += event.len();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// What goes out and what goes back.
fn rewrite(stream: &[u8], portion: usize) -> (Vec<u8>, Vec<u8>) {
    let paths = PathPair::new(OURS, &[b"msrp://a:1/a;tcp"], &[b"msrp://b:2/b;tcp"], OURS);
    let mut rewriter = Rewriter::new(paths, LIMITS);
    let (mut out, mut sent, mut reply) = (Pieces::default(), Vec::new(), Vec::new());
    let mut at = 0;
    for arrived in ends(stream, portion) {
        let input = &stream[at..arrived];
        out.clear();
        let decided = rewriter.push(input, &mut out, &mut reply);
        out.slices(input).for_each(|slice| sent.extend_from_slice(slice));
        let Ok(decided) = decided else { break };
        at += decided;
    }
    (sent, reply)
}

/// How much of the stream has arrived, each time more does.
fn ends(stream: &[u8], portion: usize) -> impl Iterator<Item = usize> {
    (portion..stream.len()).step_by(portion).chain([stream.len()])
}
