//! Any bytes, in portions and to a receiver the first byte chooses: what goes on and what goes back is
//! what a second, simple rewriter makes of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_fuzz::rewriting::{Paths, given, wanted};
use msrp_proto::{Gate, Key, Limits};

const LIMITS: Limits = Limits { line: 224, head: 512, headers: 8 };
const FAR: Paths<'_> = Paths {
    own: "msrp://192.0.2.10:30000/rLy0;tcp",
    sender: &["msrp://a:1/a;tcp"],
    receiver: &["msrp://r:2/r;tcp", "msrp://b:2/b;tcp"],
    other: "msrp://192.0.2.10:30002/rLy1;tcp",
};
/// Without a relay of its own.
const NEAR: Paths<'_> = Paths { receiver: &["msrp://b:2/b;tcp"], ..FAR };

fuzz_target!(|data: &[u8]| {
    let Some((&portion, stream)) = data.split_first() else { return };
    let (paths, portion) = (if portion % 2 == 0 { NEAR } else { FAR }, usize::from(portion) + 1);
    assert_eq!(given(stream, portion, &paths, LIMITS), wanted(stream, &paths, LIMITS));
    Gate::new(LIMITS).look(stream, &Key::Uri(paths.own.as_bytes()));
});
