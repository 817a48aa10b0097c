//! URIs: what is read, and the equality of RFC 4975 §6.1 against `tests/data/uri_pairs.json`.

mod common;

use std::net::{Ipv4Addr, Ipv6Addr};

use common::json;
use msrp_proto::{Host, Scheme, Uri, UriError};

#[test]
fn pairs_compare_as_listed_in_both_orders() {
    for pair in json("uri_pairs.json").as_array().unwrap() {
        let text = |key: &str| pair[key].as_str().unwrap().as_bytes();
        let [a, b] = ["a", "b"].map(|key| Uri::parse(text(key)).unwrap());
        assert_eq!(a == b, pair["equal"].as_bool().unwrap(), "{pair}");
        assert_eq!(b == a, a == b, "{pair}");
        assert!(a == a && b == b, "{pair}");
    }
}

#[test]
fn every_part_is_read() {
    let uri = Uri::parse(b"MSRPS://bob;x@[2001:db8::7]:7394/aB+c=/d~e_f;TCP;p=1;q").unwrap();
    assert_eq!(uri.scheme, Scheme::Msrps);
    assert_eq!(uri.userinfo, Some(&b"bob;x"[..]));
    assert_eq!(uri.host, Host::V6("2001:db8::7".parse::<Ipv6Addr>().unwrap()));
    assert_eq!(uri.port, Some(7394));
    assert_eq!(uri.session_id, Some(&b"aB+c=/d~e_f"[..]));
    assert_eq!(uri.transport, b"TCP");
    assert_eq!(uri.parameters, b";p=1;q");
}

#[test]
fn optional_parts_may_be_missing() {
    let uri = Uri::parse(b"msrp://192.0.2.1;ws").unwrap();
    assert_eq!(uri.scheme, Scheme::Msrp);
    assert_eq!(uri.host, Host::V4(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!((uri.userinfo, uri.port, uri.session_id), (None, None, None));
    assert_eq!((uri.transport, uri.parameters), (&b"ws"[..], &b""[..]));
}

#[test]
fn percent_encoding_counts_in_the_authority_only() {
    let same = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|host| format!("msrp://{host}:1/a;tcp"));
        Uri::parse(a.as_bytes()).unwrap() == Uri::parse(b.as_bytes()).unwrap()
    };
    assert!(same("ho%53T.example", "host.example"));
    assert!(same("a%2Cb", "A%2cB"));
    assert!(!same("a%2Cb", "a,b"), "a reserved character is not decoded");
    assert!(same("100%", "100%"));
    assert!(!same("a%zz", "a%z"));
}

#[test]
fn malformed_parts_are_named() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("sip:bob@example.net", UriError::Scheme),
        ("msrp:/host:1/a;tcp", UriError::Scheme),
        ("msrp://:1/a;tcp", UriError::Host),
        ("msrp://[2001:db8::7:1/a;tcp", UriError::Host),
        ("msrp://[2001:db8::x]:1/a;tcp", UriError::Host),
        ("msrp://[::1]x:1/a;tcp", UriError::Host),
        ("msrp://2001:db8::7/a;tcp", UriError::Port),
        ("msrp://ho st:1/a;tcp", UriError::Host),
        ("msrp://host:/a;tcp", UriError::Port),
        ("msrp://host:65536/a;tcp", UriError::Port),
        ("msrp://host:+1/a;tcp", UriError::Port),
        ("msrp://host:1/;tcp", UriError::SessionId),
        ("msrp://host:1/a b;tcp", UriError::SessionId),
        ("msrp://host:1/\u{e4};tcp", UriError::SessionId),
        ("msrp://host:1/a", UriError::Transport),
        ("msrp://host:1/a;", UriError::Transport),
        ("msrp://host:1/a;;x", UriError::Transport),
        ("msrp://host:1/a;x=1", UriError::Transport),
    ] {
        assert_eq!(Uri::parse(text.as_bytes()), Err(error), "{text}");
    }
}
