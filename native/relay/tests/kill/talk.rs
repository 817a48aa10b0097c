//! What the peers of a session say that an obedient process relays.

use std::net::SocketAddr;

use super::command::Obedient;
use super::worker::{OWN, PATH};
use crate::support::Peer;

/// An aware session, and what its peers say.
pub struct Talk {
    pub id: u64,
    pub at: [SocketAddr; 2],
    pub paths: [&'static str; 2],
    /// Chunks say how long they are.
    pub ranged: bool,
}

impl Talk {
    pub fn open(relay: &Obedient) -> Self {
        Self::open_idle(relay, "never")
    }

    /// One that may be idle for so many milliseconds.
    pub fn open_idle(relay: &Obedient, idle: &str) -> Self {
        let (id, at) = relay.open_idle("aware", idle);
        Self { id, at, paths: PATH, ranged: false }
    }

    /// Both peers dial in.
    pub fn join(&self, relay: &Obedient) -> [Peer; 2] {
        let mut peers = self.at.map(Peer::dial);
        for (side, peer) in peers.iter_mut().enumerate() {
            peer.send(&self.said(side, "bind", b""));
        }
        relay.wait_for(self.id, "joined");
        for (side, peer) in peers.iter_mut().enumerate() {
            peer.expect(&self.heard(1 - side, "bind", b""));
        }
        peers
    }

    /// A request of this side, as it says it.
    pub fn said(&self, side: usize, tid: &str, body: &[u8]) -> Vec<u8> {
        self.request(tid, OWN[side], self.paths[side], body)
    }

    /// The same as the other peer hears it.
    pub fn heard(&self, side: usize, tid: &str, body: &[u8]) -> Vec<u8> {
        self.request(tid, self.paths[1 - side], OWN[1 - side], body)
    }

    fn request(&self, tid: &str, to: &str, from: &str, body: &[u8]) -> Vec<u8> {
        let paths = format!("To-Path: {to}\r\nFrom-Path: {from}\r\n");
        let mut head = format!("MSRP {tid} SEND\r\n{paths}Message-ID: m{tid}\r\n");
        let end = format!("-------{tid}$\r\n");
        if body.is_empty() {
            return (head + &end).into_bytes();
        }
        if self.ranged {
            head += &format!("Byte-Range: 1-{0}/{0}\r\n", body.len());
        }
        head += "Content-Type: text/plain\r\n\r\n";
        [head.as_bytes(), body, b"\r\n", end.as_bytes()].concat()
    }
}
