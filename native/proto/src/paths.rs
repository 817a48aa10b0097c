//! The paths of a session as header lines: what chunks are expected to have, and are given.

use std::ops::Range;

use triomphe::ThinArc;

use crate::refusal::same_uri;
use crate::usual::Usual;
use crate::{Kind, path_uris};

/// The paths of one direction of an aware session, from the sending leg to the receiving leg.
#[derive(Clone, Debug)]
pub struct PathPair {
    sender: LegPaths,
    receiver: LegPaths,
}

/// One leg's paths as whole header lines, shared by all that need them: most sessions are idle and
/// hold little else. What is wanted of them for a message lies together.
///
/// The text is as most chunks for its peer have them: `To-Path` with the path that peer put into its
/// SDP, `From-Path` with the URI it was given as the other's. Then, where the path has several URIs,
/// `To-Path` with the first of them only.
#[derive(Clone, Debug)]
pub struct LegPaths(ThinArc<FromPath, u8>);

/// Where `From-Path` begins and ends.
type FromPath = Range<u32>;

const FROM: &[u8] = b"From-Path: ";
const TO: &[u8] = b"To-Path: ";
const CRLF: &[u8] = b"\r\n";

impl LegPaths {
    /// `own`: the URI its peer is given as the other's; `path`: what that peer put into its SDP, as
    /// a header field has it, empty while unknown. Both together are at most 1 GiB.
    pub fn new(own: &[u8], path: &[u8]) -> Self {
        let mut uris = path_uris(path);
        let first = uris.next().filter(|_| uris.next().is_some());
        let mut text = Vec::new();
        text.extend([TO, path, CRLF].concat());
        let start = text.len() as u32;
        text.extend([FROM, own, CRLF].concat());
        let from = start..text.len() as u32;
        text.extend(first.map(|first| [TO, first, CRLF].concat()).unwrap_or_default());
        Self(ThinArc::from_header_and_slice(from, &text))
    }

    /// All its lines.
    pub fn text(&self) -> &[u8] {
        &self.0.slice
    }

    /// The URI its peer is given.
    pub fn own(&self) -> &[u8] {
        value(FROM, self.own_line())
    }

    /// What its peer gave as its path.
    pub fn path(&self) -> &[u8] {
        value(TO, self.path_line())
    }

    fn both_lines(&self) -> &[u8] {
        &self.text()[..self.from().end]
    }

    fn path_line(&self) -> &[u8] {
        &self.text()[..self.from().start]
    }

    fn own_line(&self) -> &[u8] {
        &self.text()[self.from()]
    }

    /// Empty where the path has one URI only.
    fn first_line(&self) -> &[u8] {
        &self.text()[self.from().end..]
    }

    fn from(&self) -> Range<usize> {
        let Range { start, end } = self.0.header.header;
        start as usize..end as usize
    }
}

impl PathPair {
    /// `own`: the URI the sender was given (its `To-Path` must be exactly this one); `sender`: the
    /// path it put into its SDP; `receiver`: the path of the other peer, at least one URI; `other`:
    /// the URI that peer was given, which becomes `From-Path`.
    pub fn new<P: AsRef<[u8]>>(own: &[u8], sender: &[P], receiver: &[P], other: &[u8]) -> Self {
        let (sender, receiver) = (join(sender), join(receiver));
        Self::between(&LegPaths::new(own, &sender), &LegPaths::new(other, &receiver))
    }

    /// The paths from one leg to the other.
    pub fn between(sender: &LegPaths, receiver: &LegPaths) -> Self {
        Self { sender: sender.clone(), receiver: receiver.clone() }
    }

    /// The URI the sender was given.
    pub(crate) fn own(&self) -> &[u8] {
        self.sender.own()
    }

    /// What nearly all the sender's chunks have, and what they are given instead; `None` where that is
    /// not the same for all of them.
    pub(crate) fn usual(&self) -> Option<Usual<'_>> {
        let (to, from) = (self.sender.own_line(), self.sender.path_line());
        self.receiver.first_line().is_empty().then(|| Usual {
            to: &to[FROM.len()..],
            from: &from[TO.len()..],
            instead: self.receiver.both_lines(),
        })
    }

    /// What `From-Path` becomes.
    pub(crate) fn sender_line(&self) -> &[u8] {
        self.receiver.own_line()
    }

    /// A response goes to the next hop only: such is the answer to SEND (RFC 4975 §7.2), and which
    /// method a response answers is not seen in it.
    pub(crate) fn to_line(&self, kind: Kind) -> &[u8] {
        match (kind, self.receiver.first_line()) {
            (Kind::Request { .. }, _) | (_, []) => self.receiver.path_line(),
            (Kind::Response { .. }, first) => first,
        }
    }

    /// Whether `From-Path` is the path the sender put into its SDP.
    pub(crate) fn is_senders(&self, from_path: &[u8]) -> bool {
        let sender = self.sender.path();
        if from_path == sender {
            return true;
        }
        let (mut claimed, mut known) = (path_uris(from_path), path_uris(sender));
        loop {
            match (claimed.next(), known.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if same_uri(a, b) => {}
                _ => return false,
            }
        }
    }
}

fn join<P: AsRef<[u8]>>(path: &[P]) -> Vec<u8> {
    path.iter().map(P::as_ref).collect::<Vec<_>>().join(&b' ')
}

/// What stands in a line of this name.
fn value<'a>(name: &[u8], line: &'a [u8]) -> &'a [u8] {
    &line[name.len()..line.len() - CRLF.len()]
}
