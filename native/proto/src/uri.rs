use std::error::Error;
use std::fmt;

use memchr::{memchr, memchr2, memrchr};

use crate::chars::is_token;
use crate::host::Host;

/// Whether the hop is secured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `msrp`: plain TCP.
    Msrp,
    /// `msrps`: TLS.
    Msrps,
}

/// An MSRP URI over the bytes it was read from (RFC 4975 §6). `==` is the equality of §6.1.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// What stands before the `@`; ignored in comparisons.
    pub userinfo: Option<&'a [u8]>,
    /// The host.
    pub host: Host<'a>,
    /// The port; required in SDP and in all paths but AUTH's.
    pub port: Option<u16>,
    /// The session-id; case-sensitive. Any visible ASCII but `;` is taken.
    pub session_id: Option<&'a [u8]>,
    /// `tcp`, `ws`, ...; any case.
    pub transport: &'a [u8],
    /// Further parameters with their leading `;`, or empty; ignored in comparisons.
    pub parameters: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads one URI; allocates nothing.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        let (scheme, rest) = scheme(text).ok_or(UriError::Scheme)?;
        let (userinfo, rest) = userinfo(rest);
        let (authority, rest) = split_before(rest, memchr2(b'/', b';', rest));
        let (host, port) = authority_parts(authority)?;
        let (session_id, rest) = session_id(rest)?;
        let text = rest.strip_prefix(b";").ok_or(UriError::Transport)?;
        let (transport, parameters) = split_before(text, memchr(b';', text));
        if transport.is_empty() || !transport.iter().all(|&b| is_token(b)) {
            return Err(UriError::Transport);
        }
        Ok(Self { scheme, userinfo, host, port, session_id, transport, parameters })
    }
}

impl PartialEq for Uri<'_> {
    /// RFC 4975 §6.1: userinfo and further parameters do not count, nor does the case of scheme,
    /// host and transport; no name is resolved, no path is normalised.
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && self.session_id == other.session_id
            && self.transport.eq_ignore_ascii_case(other.transport)
            && self.host == other.host
    }
}

impl Eq for Uri<'_> {}

/// The part of a URI that is not as RFC 4975 §9 wants it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UriError {
    /// The host is missing or malformed.
    Host,
    /// The port is no number up to 65535.
    Port,
    /// The scheme is neither `msrp` nor `msrps`.
    Scheme,
    /// The session-id is empty or holds a blank, a control or a non-ASCII character.
    SessionId,
    /// The transport is missing or malformed.
    Transport,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host missing or malformed",
            Self::Port => "port is no number up to 65535",
            Self::Scheme => "scheme is neither msrp nor msrps",
            Self::SessionId => "session-id malformed",
            Self::Transport => "transport missing or malformed",
        })
    }
}

impl Error for UriError {}

fn scheme(text: &[u8]) -> Option<(Scheme, &[u8])> {
    let colon = memchr(b':', text)?;
    let scheme = match &text[..colon] {
        name if name.eq_ignore_ascii_case(b"msrp") => Scheme::Msrp,
        name if name.eq_ignore_ascii_case(b"msrps") => Scheme::Msrps,
        _ => return None,
    };
    Some((scheme, text[colon..].strip_prefix(b"://")?))
}

/// Userinfo may hold `;`, so the authority's end cannot be looked for before it is off.
fn userinfo(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let (before_path, _) = split_before(text, memchr(b'/', text));
    match memrchr(b'@', before_path) {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    }
}

fn authority_parts(authority: &[u8]) -> Result<(Host<'_>, Option<u16>), UriError> {
    let host_end = match memchr(b']', authority) {
        Some(bracket) => bracket + 1,
        None => memchr(b':', authority).unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_end);
    let host = Host::parse(host).ok_or(UriError::Host)?;
    match rest {
        [] => Ok((host, None)),
        [b':', digits @ ..] => Ok((host, Some(port(digits).ok_or(UriError::Port)?))),
        _ => Err(UriError::Host),
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u16, |port, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        port.checked_mul(10)?.checked_add(u16::from(digit))
    })
}

fn session_id(text: &[u8]) -> Result<(Option<&[u8]>, &[u8]), UriError> {
    let Some(text) = text.strip_prefix(b"/") else { return Ok((None, text)) };
    let (id, rest) = split_before(text, memchr(b';', text));
    if id.is_empty() || !id.iter().all(u8::is_ascii_graphic) {
        return Err(UriError::SessionId);
    }
    Ok((Some(id), rest))
}

fn split_before(text: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    text.split_at(at.unwrap_or(text.len()))
}
