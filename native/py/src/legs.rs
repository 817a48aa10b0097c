//! Legs as the control plane describes them, and words for sides, roles and policies.

use std::net::{IpAddr, SocketAddr};

use msrp_relay::{LegAnswer, LegOpen, Policy, Role, Side, Sources, Target};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `msrprelay.dataplane.LegOpen`.
#[derive(FromPyObject)]
pub(crate) struct Opened {
    address: String,
    port: u16,
    own_uri: Vec<u8>,
    peer_path: Vec<Vec<u8>>,
    sources: Allowed,
}

impl Opened {
    pub(crate) fn into_leg(self) -> PyResult<LegOpen> {
        let listen = socket_address(&self.address, self.port)?;
        let sources = self.sources.into_sources()?;
        Ok(LegOpen { listen, own_uri: self.own_uri, peer_path: self.peer_path, sources })
    }
}

/// `msrprelay.dataplane.LegAnswer`.
#[derive(FromPyObject)]
pub(crate) struct Answered {
    role: String,
    peer_path: Vec<Vec<u8>>,
    target: Aim,
    sources: Allowed,
    own_uri: Option<Vec<u8>>,
}

/// A word, or addresses to dial.
#[derive(FromPyObject)]
enum Aim {
    #[pyo3(transparent)]
    Word(String),
    #[pyo3(transparent)]
    Addresses(Vec<(String, u16)>),
}

impl Answered {
    pub(crate) fn into_leg(self) -> PyResult<LegAnswer> {
        let role = match self.role.as_str() {
            "accept" => Role::Accept,
            "dial" => Role::Dial,
            other => return Err(unknown("role", other)),
        };
        let target = match self.target {
            Aim::Word(word) => match word.as_str() {
                "none" => Target::None,
                "pending" => Target::Pending,
                "denied" => Target::Denied,
                other => return Err(unknown("target", other)),
            },
            Aim::Addresses(addresses) => Target::Addrs(socket_addresses(&addresses)?),
        };
        let sources = self.sources.into_sources()?;
        let Self { peer_path, own_uri, .. } = self;
        Ok(LegAnswer { role, peer_path, target, sources, own_uri })
    }
}

/// A word, or addresses to come from.
#[derive(FromPyObject)]
enum Allowed {
    #[pyo3(transparent)]
    Word(String),
    #[pyo3(transparent)]
    Addresses(Vec<String>),
}

impl Allowed {
    fn into_sources(self) -> PyResult<Sources> {
        match self {
            Self::Word(word) => match word.as_str() {
                "any" => Ok(Sources::Any),
                "pending" => Ok(Sources::Pending),
                other => Err(unknown("set of sources", other)),
            },
            Self::Addresses(addresses) => addresses
                .iter()
                .map(|text| address(text))
                .collect::<PyResult<_>>()
                .map(Sources::Only),
        }
    }
}

pub(crate) fn policy(word: &str) -> PyResult<Policy> {
    match word {
        "aware" => Ok(Policy::Aware),
        "cema" => Ok(Policy::Cema),
        "sessmatch" => Ok(Policy::Sessmatch),
        other => Err(unknown("policy", other)),
    }
}

pub(crate) fn side(word: &str) -> PyResult<Side> {
    match word {
        "a" => Ok(Side::A),
        "b" => Ok(Side::B),
        other => Err(unknown("side", other)),
    }
}

pub(crate) fn socket_addresses(pairs: &[(String, u16)]) -> PyResult<Vec<SocketAddr>> {
    pairs.iter().map(|(address, port)| socket_address(address, *port)).collect()
}

fn socket_address(address: &str, port: u16) -> PyResult<SocketAddr> {
    Ok(SocketAddr::new(self::address(address)?, port))
}

fn address(text: &str) -> PyResult<IpAddr> {
    text.parse().map_err(|_| unknown("IP address", text))
}

pub(crate) fn unknown(what: &str, word: &str) -> PyErr {
    PyValueError::new_err(format!("{word:?} is no {what}"))
}
