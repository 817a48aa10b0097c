//! Two URIs with a NUL between them: whether each is one, and whether they are equal, is what a
//! second, simple reader says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp_fuzz::uris::plain;
use msrp_proto::Uri;

fuzz_target!(|data: &[u8]| {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (a, b) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    for text in [a, b] {
        assert_eq!(Uri::parse(text).is_ok(), plain(text).is_some());
    }
    if let (Ok(one), Ok(other)) = (Uri::parse(a), Uri::parse(b)) {
        assert_eq!(one == other, plain(a) == plain(b));
    }
});
