//! A script of events for a session: what it wants done is checked against a model of its caller.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_fuzz::sessions::play;

fuzz_target!(|data: &[u8]| play(data));
