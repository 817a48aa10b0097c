//! Any bytes, in portions the first byte chooses: what goes on and what goes back is what a second,
//! simple rewriter makes of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_fuzz::rewriting::{Paths, given, wanted};
use msrp_proto::{Gate, Key, Limits};

const LIMITS: Limits = Limits { line: 128, head: 512, headers: 8 };
const PATHS: Paths<'_> = Paths {
    own: "msrp://192.0.2.10:30000/rLy0;tcp",
    sender: &["msrp://a:1/a;tcp"],
    receiver: &["msrp://r:2/r;tcp", "msrp://b:2/b;tcp"],
    other: "msrp://192.0.2.10:30002/rLy1;tcp",
};

fuzz_target!(|data: &[u8]| {
    let Some((&portion, stream)) = data.split_first() else { return };
    let portion = usize::from(portion) + 1;
    assert_eq!(given(stream, portion, &PATHS, LIMITS), wanted(stream, &PATHS, LIMITS));
    Gate::new(LIMITS).look(stream, &Key::Uri(PATHS.own.as_bytes()));
});
