//! The inputs: streams of messages, and single chunks whose bodies look like the end of one.

/// The URI the sender was given.
pub(crate) const TO: &[u8] = b"msrp://r.x:10006/00001u;tcp";
/// The sender's own.
pub(crate) const FROM: &[u8] = b"msrp://e.x:10008/00001l;tcp";
/// The receiver's.
pub(crate) const FAR: &[u8] = b"msrp://e.x:10009/00001r;tcp";
/// The URI the receiver was given.
pub(crate) const OTHER: &[u8] = b"msrp://r.x:10007/00001v;tcp";

const TID: &[u8] = b"a786hjs2a786hjs2";
/// Every input is about so long.
const SIZE: usize = 1024 * 1024;

/// What is done to what.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Frame,
    Rewrite,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Messages with text bodies of so many bytes.
    Messages(usize),
    /// Responses.
    Responses,
    /// One chunk whose body repeats this.
    Body(&'static [u8]),
    /// One chunk of noise.
    Noise,
}

/// A stream and how many chunks it has.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    pub(crate) messages: u64,
}

const TEXT: &[u8] =
    b"Not a short line of text, but one such as people write: so long, and then it ends.\r\n";

/// All cases.
pub(crate) const CASES: &[Case] = &[
    case("frame-300", Work::Frame, Kind::Messages(90)),
    case("frame-2k", Work::Frame, Kind::Messages(2048)),
    case("frame-64k", Work::Frame, Kind::Messages(65_536)),
    case("rewrite-120", Work::Rewrite, Kind::Responses),
    case("rewrite-300", Work::Rewrite, Kind::Messages(90)),
    case("rewrite-2k", Work::Rewrite, Kind::Messages(2048)),
    case("rewrite-64k", Work::Rewrite, Kind::Messages(65_536)),
    case("scan-noise", Work::Frame, Kind::Noise),
    case("scan-text", Work::Frame, Kind::Body(TEXT)),
    case("scan-line-ends", Work::Frame, Kind::Body(b"\r\n")),
    case("scan-hyphens", Work::Frame, Kind::Body(b"-")),
    case("scan-crlf-hyphens", Work::Frame, Kind::Body(b"\r\n-------")),
    case("scan-almost-hyphens", Work::Frame, Kind::Body(b"\r\n------x")),
    case("scan-almost-tid", Work::Frame, Kind::Body(b"\r\n-------a786hjs2a786hjsX")),
];

const fn case(name: &'static str, work: Work, kind: Kind) -> Case {
    Case { name, work, kind }
}

impl Case {
    pub(crate) fn input(&self) -> Input {
        match self.kind {
            Kind::Messages(body) => repeated(&chunk(&filled(TEXT, body))),
            Kind::Responses => repeated(&response()),
            Kind::Body(what) => Input { bytes: chunk(&filled(what, SIZE)), messages: 1 },
            Kind::Noise => Input { bytes: chunk(&noise()), messages: 1 },
        }
    }
}

fn repeated(frame: &[u8]) -> Input {
    let count = SIZE.div_ceil(frame.len());
    Input { bytes: frame.repeat(count), messages: count as u64 }
}

fn filled(what: &[u8], size: usize) -> Vec<u8> {
    what.iter().copied().cycle().take(size).collect()
}

/// Bytes of a congruential generator: every value, no pattern that a search could like or hate.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(SIZE).collect()
}

fn chunk(body: &[u8]) -> Vec<u8> {
    let size = body.len();
    let range = format!("\r\nMessage-ID: m1\r\nByte-Range: 1-{size}/{size}\r\n");
    let parts = [
        &start(b"SEND"),
        range.as_bytes(),
        b"Content-Type: text/plain\r\n\r\n",
        body,
        b"\r\n-------",
        TID,
        b"$\r\n",
    ];
    parts.concat()
}

fn response() -> Vec<u8> {
    [&start(b"200 OK"), &b"\r\n-------"[..], TID, b"$\r\n"].concat()
}

fn start(what: &[u8]) -> Vec<u8> {
    [b"MSRP ", TID, b" ", what, b"\r\nTo-Path: ", TO, b"\r\nFrom-Path: ", FROM].concat()
}
