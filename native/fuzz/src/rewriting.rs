//! The aware policy over a whole stream (MSRP between two legs, each its own next hop).

use std::ops::Range;

use msrp_proto::{Limits, PathPair, Pieces, Rewriter};

use crate::framing::{Found, arrivals, expected};
use crate::uris::plain;

/// The paths of one direction.
pub struct Paths<'a> {
    /// What the sender was given, and must name alone.
    pub own: &'a str,
    /// The sender's path.
    pub sender: &'a [&'a str],
    /// The receiver's path.
    pub receiver: &'a [&'a str],
    /// What the receiver was given.
    pub other: &'a str,
}

/// What goes on and what goes back.
pub type Given = (Vec<u8>, Vec<u8>);

/// What the rewriter gives, when `portion` more octets arrive at a time.
pub fn given(stream: &[u8], portion: usize, paths: &Paths<'_>, limits: Limits) -> Given {
    let own = paths.own.as_bytes();
    let pair = PathPair::new(own, paths.sender, paths.receiver, paths.other.as_bytes());
    let mut rewriter = Rewriter::new(pair, limits);
    let (mut pieces, mut out, mut reply) = (Pieces::default(), Vec::new(), Vec::new());
    let mut at = 0;
    for arrived in arrivals(stream.len(), portion) {
        let input = &stream[at..arrived];
        pieces.clear();
        let decided = rewriter.push(input, &mut pieces, &mut reply);
        pieces.slices(input).for_each(|slice| out.extend_from_slice(slice));
        let Ok(decided) = decided else { break };
        at += decided;
    }
    (out, reply)
}

/// What it has to give.
pub fn wanted(stream: &[u8], paths: &Paths<'_>, limits: Limits) -> Given {
    let (mut out, mut reply) = (Vec::new(), Vec::new());
    let mut forwarding = false;
    for found in expected(stream, limits) {
        match found {
            Found::Head(range) => {
                let chunk = Chunk::read(&stream[range]);
                forwarding = chunk.is_for(paths.own);
                if forwarding {
                    chunk.forward(paths, &mut out);
                } else {
                    chunk.refuse(paths.own, &mut reply);
                }
            }
            Found::Body(range) | Found::End(range, _) if forwarding => out.extend(&stream[range]),
            Found::Error(..) => break,
            _ => {}
        }
    }
    (out, reply)
}

/// A header block, line by line.
struct Chunk<'a> {
    block: &'a [u8],
    lines: Vec<Range<usize>>,
    tid: &'a [u8],
    /// Method or status.
    what: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn read(block: &'a [u8]) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for (at, _) in block.windows(2).enumerate().filter(|(_, two)| *two == b"\r\n") {
            lines.push(start..at);
            start = at + 2;
        }
        let mut words = block[lines[0].clone()].splitn(3, |byte| *byte == b' ').skip(1);
        let (tid, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Self { block, lines, tid, what }
    }

    /// Where the lines of a header stand.
    fn named(&self, name: &str) -> Vec<usize> {
        let is = |line: &Range<usize>| {
            let text = &self.block[line.clone()];
            let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
            text[..colon].eq_ignore_ascii_case(name.as_bytes())
        };
        (1..self.lines.len()).filter(|at| is(&self.lines[*at])).collect()
    }

    fn value(&self, line: usize) -> &'a [u8] {
        let text = &self.block[self.lines[line].clone()];
        let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
        text[colon + 1..].trim_ascii()
    }

    fn uris(&self, line: usize) -> Vec<&'a [u8]> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        self.value(line).split(blank).filter(|uri| !uri.is_empty()).collect()
    }

    fn is_response(&self) -> bool {
        self.what.first().is_some_and(u8::is_ascii_digit)
    }

    fn doubled(&self) -> bool {
        ["To-Path", "From-Path", "Message-ID"].iter().any(|name| self.named(name).len() > 1)
    }

    fn has_paths(&self) -> bool {
        !self.named("To-Path").is_empty() && !self.named("From-Path").is_empty()
    }

    fn is_for(&self, own: &str) -> bool {
        if self.doubled() || !self.has_paths() {
            return false;
        }
        let to = self.named("To-Path")[0];
        let same = |uri: &[u8]| plain(uri).is_some_and(|uri| Some(uri) == plain(own.as_bytes()));
        matches!(self.uris(to)[..], [uri] if same(uri)) || self.value(to) == own.as_bytes()
    }

    fn forward(&self, paths: &Paths<'_>, out: &mut Vec<u8>) {
        let hops = if self.is_response() { 1 } else { paths.receiver.len() };
        let to = format!("To-Path: {}\r\n", paths.receiver[..hops].join(" "));
        let from = format!("From-Path: {}\r\n", paths.other);
        for (at, line) in self.lines.iter().enumerate() {
            match at {
                _ if self.named("To-Path").contains(&at) => out.extend(to.as_bytes()),
                _ if self.named("From-Path").contains(&at) => out.extend(from.as_bytes()),
                _ => out.extend(&self.block[line.start..line.end + 2]),
            }
        }
    }

    fn refuse(&self, own: &str, reply: &mut Vec<u8>) {
        let silent = self
            .named("Failure-Report")
            .last()
            .is_some_and(|line| self.value(*line).eq_ignore_ascii_case(b"no"));
        let Some(from) = self.named("From-Path").first().copied() else { return };
        if self.is_response() || self.what == b"REPORT" || silent {
            return;
        }
        let asked = self.named("To-Path").first().and_then(|to| self.uris(*to).first().copied());
        let bad = self.doubled() || !self.has_paths();
        let status = if bad { "400 Bad request" } else { "481 No such session" };
        let hops = if self.what == b"SEND" { 1 } else { usize::MAX };
        reply.extend([b"MSRP ", self.tid, b" ", status.as_bytes(), b"\r\nTo-Path:"].concat());
        for uri in self.uris(from).into_iter().take(hops) {
            reply.extend([b" ", uri].concat());
        }
        let asked = asked.unwrap_or(own.as_bytes());
        reply.extend([b"\r\nFrom-Path: ", asked, b"\r\n-------", self.tid, b"$\r\n"].concat());
    }
}
