//! The paths of a session as header lines: what chunks are expected to have, and are given.

use std::sync::Arc;

use crate::block::Usual;
use crate::refusal::same_uri;
use crate::{Kind, path_uris};

/// The paths of one direction of an aware session, from the sending leg to the receiving leg.
#[derive(Clone, Debug)]
pub struct PathPair {
    /// Sender's leg and receiver's leg in the order of [`both`](Self::both); shared, because most
    /// sessions are idle and hold little else.
    legs: Arc<[LegLines; 2]>,
    sender: usize,
}

/// One leg's paths as whole header lines.
#[derive(Debug)]
struct LegLines {
    /// As most chunks for its peer have them: `To-Path` with the path that peer put into its SDP,
    /// `From-Path` with the URI it was given as the other's.
    both: Box<[u8]>,
    /// Where the latter begins.
    middle: usize,
    /// `To-Path` with the first URI of the path only; None where there is only one.
    first: Option<Box<[u8]>>,
}

const FROM: &[u8] = b"From-Path: ";
const TO: &[u8] = b"To-Path: ";

impl LegLines {
    fn new<P: AsRef<[u8]>>(own: &[u8], path: &[P]) -> Self {
        let first = (path.len() > 1).then(|| line(TO, path[0].as_ref()).into());
        let mut both = line(TO, &join(path));
        let middle = both.len();
        both.extend_from_slice(&line(FROM, own));
        Self { both: both.into(), middle, first }
    }

    /// The `To-Path` line of the whole path.
    fn path(&self) -> &[u8] {
        &self.both[..self.middle]
    }

    /// The `From-Path` line.
    fn own(&self) -> &[u8] {
        &self.both[self.middle..]
    }
}

impl PathPair {
    /// `own`: the URI the sender was given (its `To-Path` must be exactly this one); `sender`: the
    /// path it put into its SDP; `receiver`: the path of the other peer, at least one URI; `other`:
    /// the URI that peer was given, which becomes `From-Path`.
    pub fn new<P: AsRef<[u8]>>(own: &[u8], sender: &[P], receiver: &[P], other: &[u8]) -> Self {
        let [pair, _] = Self::both((own, sender), (other, receiver));
        pair
    }

    /// Both directions of a session, from `a` and from `b`: the URI each peer was given and the
    /// path it put into its SDP.
    pub fn both<P: AsRef<[u8]>>(a: (&[u8], &[P]), b: (&[u8], &[P])) -> [Self; 2] {
        let legs = Arc::new([LegLines::new(a.0, a.1), LegLines::new(b.0, b.1)]);
        [Self { legs: Arc::clone(&legs), sender: 0 }, Self { legs, sender: 1 }]
    }

    /// The URI the sender was given.
    pub(crate) fn own(&self) -> &[u8] {
        value(FROM, self.legs[self.sender].own())
    }

    /// What nearly all the sender's chunks have.
    pub(crate) fn usual(&self) -> Usual<'_> {
        let sender = &self.legs[self.sender];
        Usual { to: &sender.own()[FROM.len()..], from: &sender.path()[TO.len()..] }
    }

    /// What both lines become where they stand together, if that is all of the path.
    pub(crate) fn both_lines(&self, kind: Kind) -> Option<&[u8]> {
        let receiver = &self.legs[1 - self.sender];
        let is_short = matches!(kind, Kind::Response { .. }) && receiver.first.is_some();
        (!is_short).then_some(&receiver.both)
    }

    /// What `From-Path` becomes.
    pub(crate) fn sender_line(&self) -> &[u8] {
        self.legs[1 - self.sender].own()
    }

    /// A response goes to the next hop only: such is the answer to SEND (RFC 4975 §7.2), and which
    /// method a response answers is not seen in it.
    pub(crate) fn to_line(&self, kind: Kind) -> &[u8] {
        let receiver = &self.legs[1 - self.sender];
        match (kind, &receiver.first) {
            (Kind::Response { .. }, Some(first)) => first,
            _ => receiver.path(),
        }
    }

    /// Whether `From-Path` is the path the sender put into its SDP.
    pub(crate) fn is_senders(&self, from_path: &[u8]) -> bool {
        let sender = value(TO, self.legs[self.sender].path());
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

/// What stands in a line made by [`line`].
fn value<'a>(name: &[u8], line: &'a [u8]) -> &'a [u8] {
    &line[name.len()..line.len() - 2]
}

fn line(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, value, b"\r\n"].concat()
}
