use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether the hop is secured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `msrp`: plain TCP.
    Msrp,
    /// `msrps`: TLS.
    Msrps,
}

/// The host of a URI.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name as written; compared without regard to case, `%xx` decoded.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

/// An MSRP URI over the bytes it was read from (RFC 4975 §6).
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
    /// The session-id; case-sensitive.
    pub session_id: Option<&'a [u8]>,
    /// `tcp`, `ws`, ...; any case.
    pub transport: &'a [u8],
    /// Further parameters with their leading `;`, or empty; ignored in comparisons.
    pub parameters: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads one URI; allocates nothing.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        let _ = text;
        todo!()
    }
}

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
    /// The transport parameter is missing or malformed.
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
