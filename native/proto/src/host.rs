use std::net::{Ipv4Addr, Ipv6Addr};
use std::str;

/// The host of a URI.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name as written; compared without regard to case and with `%xx` decoded.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        if let Some(inner) = text.strip_prefix(b"[") {
            let address = str::from_utf8(inner.strip_suffix(b"]")?).ok()?;
            return address.parse().ok().map(Self::V6);
        }
        if let Some(address) = str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            return Some(Self::V4(address));
        }
        (!text.is_empty() && text.iter().all(|&b| is_name_char(b))).then_some(Self::Name(text))
    }
}

impl PartialEq for Host<'_> {
    /// Addresses by value, names by their text; an address never equals a name, and an IPv4
    /// address never its IPv6-mapped form (RFC 4975 §6.1).
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => canonical(a).eq(canonical(b)),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

/// `reg-name` of RFC 3986 §3.2.2.
fn is_name_char(byte: u8) -> bool {
    is_unreserved(byte) || b"%!$&'()*+,=".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The name in lower case, with every `%xx` of an unreserved character decoded.
fn canonical(name: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (&first, behind) = rest.split_first()?;
        rest = behind;
        if let (b'%', [high, low, behind @ ..]) = (first, behind)
            && let Some(byte) = hex(*high, *low).filter(|&byte| is_unreserved(byte))
        {
            rest = behind;
            return Some(byte.to_ascii_lowercase());
        }
        Some(first.to_ascii_lowercase())
    })
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
