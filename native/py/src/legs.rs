//! Legs as the control plane describes them, and words for sides, roles and policies.

use std::net::{IpAddr, SocketAddr};

use msrp_relay::{LegAnswer, LegOpen, Policy, Role, Side, Target};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// `msrprelay.dataplane.LegOpen`.
#[derive(FromPyObject)]
pub(crate) struct Opened {
    address: String,
    port: u16,
    own_uri: Vec<u8>,
    peer_path: Vec<Vec<u8>>,
}

impl Opened {
    pub(crate) fn into_leg(self) -> PyResult<LegOpen> {
        let listen = socket_address(&self.address, self.port)?;
        Ok(LegOpen { listen, own_uri: self.own_uri, peer_path: self.peer_path })
    }
}

/// `msrprelay.dataplane.LegAnswer`.
#[derive(FromPyObject)]
pub(crate) struct Answered {
    role: String,
    peer_path: Vec<Vec<u8>>,
    target: Aim,
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
        Ok(LegAnswer { role, peer_path: self.peer_path, target })
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
    let ip: IpAddr = address.parse().map_err(|_| unknown("IP address", address))?;
    Ok(SocketAddr::new(ip, port))
}

pub(crate) fn unknown(what: &str, word: &str) -> PyErr {
    PyValueError::new_err(format!("{word:?} is no {what}"))
}
