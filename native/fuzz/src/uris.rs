//! URIs of RFC 4975 §6 as owned parts, so that the equality of §6.1 is plain `==`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A URI without what does not count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plain {
    scheme: String,
    host: Host,
    port: Option<u16>,
    session_id: Option<String>,
    transport: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// The URI in `text`, if it is one.
pub fn plain(text: &[u8]) -> Option<Plain> {
    // One char per octet.
    let text: String = text.iter().map(|byte| char::from(*byte)).collect();
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "msrp" && scheme != "msrps" {
        return None;
    }
    let before_path = rest.find('/').unwrap_or(rest.len());
    let rest = rest[..before_path].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let end = rest.find(['/', ';']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = match authority.rfind([']', ':']) {
        Some(at) if authority[at..].starts_with(':') && !in_name(authority) => {
            (&authority[..at], Some(&authority[at + 1..]))
        }
        _ if in_name(authority) => {
            let (host, port) = authority.split_once(':')?;
            (host, Some(port))
        }
        _ => (authority, None),
    };
    let (path, parameters) = rest.split_once(';')?;
    let session_id = path.strip_prefix('/').map(str::to_owned);
    if session_id.as_ref().is_some_and(|id| id.is_empty() || !id.chars().all(graphic)) {
        return None;
    }
    let transport = parameters.split(';').next()?.to_ascii_lowercase();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c);
    if transport.is_empty() || !transport.chars().all(token) {
        return None;
    }
    let port = match port {
        Some(digits) => Some(number(digits)?),
        None => None,
    };
    Some(Plain { scheme, host: parse_host(host)?, port, session_id, transport })
}

/// Whether a colon could belong to a name and its port: there are no brackets.
fn in_name(authority: &str) -> bool {
    !authority.contains(']') && authority.contains(':')
}

fn graphic(c: char) -> bool {
    c.is_ascii_graphic()
}

fn number(digits: &str) -> Option<u16> {
    digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn parse_host(text: &str) -> Option<Host> {
    if let Some(inside) = text.strip_prefix('[') {
        return inside.strip_suffix(']')?.parse().ok().map(Host::V6);
    }
    if let Ok(address) = text.parse() {
        return Some(Host::V4(address));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._~%!$&'()*+,=".contains(c);
    (!text.is_empty() && text.chars().all(legal)).then(|| Host::Name(decode(text)))
}

/// Lower case, `%xx` of an unreserved character decoded.
fn decode(name: &str) -> String {
    let mut parts = name.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).filter(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
        let octet = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).map(char::from);
        match octet.filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c)) {
            Some(octet) => {
                out.push(octet);
                out.push_str(&part[2..]);
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    out.to_ascii_lowercase()
}
