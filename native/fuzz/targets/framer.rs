//! Any bytes, in portions the first byte chooses: what the framer finds is what a second, simple
//! framer finds in the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_fuzz::framing::{expected, found};
use msrp_proto::Limits;

const LIMITS: Limits = Limits { line: 64, head: 256, headers: 6 };

fuzz_target!(|data: &[u8]| {
    let Some((&portion, stream)) = data.split_first() else { return };
    assert_eq!(found(stream, usize::from(portion) + 1, LIMITS), expected(stream, LIMITS));
});
