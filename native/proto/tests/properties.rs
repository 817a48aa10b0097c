//! What holds for every stream: where it is cut changes nothing, and no bytes panic.

mod common;

use common::{Found, frame};
use msrp_proto::{Framer, Gate, Key, Limits, Passed, PathPair, Pieces, Rewriter, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const OURS: &str = "msrp://192.0.2.10:30000/rLy0;tcp";
const PEER: &str = "msrp://10.0.0.5:9/pQ3v;tcp";

fn rewriter() -> Rewriter {
    let paths = PathPair::new(OURS.as_bytes(), &[PEER], &["msrp://b:1/b;tcp"], b"msrp://u:2/u;tcp");
    Rewriter::new(paths, Limits::default())
}

/// Bodies made of what end-lines are made of, and of anything.
fn body(tid: String) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        select(vec!["\r", "\n", "\r\n", "-", "-------", "$", "+", "\r\n-------", "x"])
            .prop_map(|part| part.as_bytes().to_vec()),
        Just(tid.clone().into_bytes()),
        Just(format!("\r\n-------{tid}").into_bytes()),
        vec(any::<u8>(), 0..20),
    ];
    // A body must not hold its own end-line.
    vec(part, 0..12).prop_map(|parts| parts.concat()).prop_filter("end-line inside", move |body| {
        let framed = [b"\r\n", &body[..], b"\r\n"].concat();
        ["+", "$", "#"].iter().all(|flag| {
            let end_line = format!("\r\n-------{tid}{flag}\r\n").into_bytes();
            !framed.windows(end_line.len()).any(|window| window == end_line)
        })
    })
}

fn tid() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9.+%=-]{4,32}", Just("aaaa".to_owned()), Just("----".to_owned())]
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let what = select(vec!["SEND", "REPORT", "NICKNAME", "200 OK", "481"]);
    let to = select(vec![OURS, "MSRP://192.0.2.10:30000/rLy0;TCP", "msrp://x:1/y;tcp"]);
    let flag = select(vec!["$", "+", "#"]);
    (tid(), what, to, headers(), flag).prop_flat_map(|(tid, what, to, headers, flag)| {
        let paths = format!("To-Path: {to}\r\nFrom-Path: {PEER}\r\n");
        let head = format!("MSRP {tid} {what}\r\n{paths}{headers}");
        let end = format!("-------{tid}{flag}\r\n");
        prop_oneof![
            Just([&head, "", &end].concat().into_bytes()),
            // An empty body without a CRLF of its own.
            Just([&head, "\r\n", &end].concat().into_bytes()),
            body(tid).prop_map(move |body| {
                [head.as_bytes(), b"\r\n", &body, b"\r\n", end.as_bytes()].concat()
            }),
        ]
    })
}

/// Header lines as messages have them, and others.
fn headers() -> impl Strategy<Value = String> {
    let line = select(vec![
        "Message-ID: m1\r\n",
        "message-id: m2\r\n",
        "Byte-Range: 1-2/2\r\n",
        "Content-Type: text/plain;charset=utf-8\r\n",
        "Failure-Report: no\r\n",
        "Success-Report: yes\r\n",
        "Status: 000 200 OK\r\n",
        "To-Path: msrp://x:1/y;tcp\r\n",
        "Subject:\ta tab\r\n",
    ]);
    vec(line, 0..12).prop_map(|lines| lines.concat())
}

fn stream() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let gap = select(vec!["", "\r\n", "\r\n\r\n"]);
    vec((chunk(), gap), 0..6).prop_map(|parts| {
        let bytes = parts.iter().flat_map(|(chunk, gap)| [&chunk[..], gap.as_bytes()].concat());
        (bytes.collect(), parts.len())
    })
}

/// Ascending offsets into something of `len` octets.
fn offsets(cuts: &[Index], len: usize) -> Vec<usize> {
    let mut offsets: Vec<_> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
    offsets.sort_unstable();
    offsets
}

/// Everything a rewriter has given after the whole of `stream`; None for a lost stream.
#[derive(Debug, Default, PartialEq)]
struct Given {
    out: Vec<u8>,
    reply: Vec<u8>,
    passed: Vec<Passed>,
    chunks: u64,
    decided: usize,
    lost: bool,
}

fn rewrite(stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> Given {
    rewrite_with(rewriter(), stream, cuts)
}

fn rewrite_with(
    mut rewriter: Rewriter,
    stream: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Given {
    let (mut out, mut given) = (Pieces::default(), Given::default());
    for arrived in cuts.into_iter().chain([stream.len()]) {
        let input = &stream[given.decided..arrived];
        out.clear();
        let decided = rewriter.push(input, &mut out, &mut given.reply);
        out.slices(input).for_each(|slice| given.out.extend_from_slice(slice));
        given.passed.extend_from_slice(&out.passed);
        given.chunks = rewriter.chunks();
        match decided {
            Ok(octets) => given.decided += octets,
            Err(_) => {
                // Where in the lost input the rewriter stood is nobody's business.
                given.decided = 0;
                given.lost = true;
                return given;
            }
        }
    }
    given
}

proptest! {
    #[test]
    fn a_stream_of_chunks_frames_the_same_however_it_is_cut(
        (stream, chunks) in stream(), cuts in vec(any::<Index>(), 0..8)
    ) {
        let whole = frame(&stream, []);
        let ends = whole.found.iter().filter(|found| matches!(found, Found::End { .. })).count();
        prop_assert_eq!((ends, whole.left, whole.between_chunks), (chunks, 0, true));
        prop_assert_eq!(frame(&stream, offsets(&cuts, stream.len())), whole.clone());
        prop_assert_eq!(frame(&stream, 0..stream.len()), whole);
    }

    /// What the exactly-once recovery of a killed relay stands on: the bytes out are a function of
    /// the bytes in, at every point of the stream and not only at its end.
    #[test]
    fn output_is_a_function_of_the_input_alone(
        (stream, _) in stream(), end in any::<Index>(), cuts in vec(any::<Index>(), 0..8)
    ) {
        let prefix = &stream[..end.index(stream.len() + 1)];
        let whole = rewrite(prefix, []);
        prop_assert!(!whole.lost);
        prop_assert_eq!(&rewrite(prefix, offsets(&cuts, prefix.len())), &whole);
        prop_assert_eq!(&rewrite(prefix, 0..prefix.len()), &whole);
    }

    /// Whoever reads ranges reads every chunk line by line.
    #[test]
    fn a_chunk_is_the_same_read_in_one_go_or_line_by_line(
        (mut stream, _) in stream(), damage in vec((any::<Index>(), any::<u8>()), 0..3)
    ) {
        for (place, byte) in damage {
            if let Some(octet) = place.index(stream.len() + 1).checked_sub(1) {
                stream[octet] = byte;
            }
        }
        let line_by_line = rewrite_with(rewriter().trusting_ranges(), &stream, []);
        prop_assert_eq!(rewrite(&stream, []), line_by_line);
    }

    #[test]
    fn a_damaged_stream_comes_out_the_same_however_it_is_cut(
        (mut stream, _) in stream(),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        for (place, byte) in damage {
            if !stream.is_empty() {
                let place = place.index(stream.len());
                stream[place] = byte;
            }
        }
        let whole = frame(&stream, []);
        prop_assert_eq!(&frame(&stream, offsets(&cuts, stream.len())), &whole);
        prop_assert_eq!(&frame(&stream, 0..stream.len()), &whole);
        prop_assert_eq!(rewrite(&stream, offsets(&cuts, stream.len())), rewrite(&stream, []));
    }

    #[test]
    fn any_bytes_frame_without_panic_and_spans_are_the_input(bytes in hostile()) {
        let mut framer = Framer::new(Limits { line: 64, head: 256, headers: 8 });
        let mut at = 0;
        while let Ok(Some(event)) = framer.next(&bytes[at..]) {
            prop_assert!(event.len() > 0);
            at += event.len();
            prop_assert!(at <= bytes.len());
        }
    }

    #[test]
    fn any_bytes_pass_the_rewriter_and_the_gate_without_panic(bytes in hostile()) {
        rewrite(&bytes, []);
        let mut gate = Gate::new(Limits::default());
        gate.look(&bytes, &Key::Uri(OURS.as_bytes()));
        gate.look(&bytes, &Key::SessionId(b"rLy0"));
        gate.session_bound(&bytes);
    }

    #[test]
    fn any_bytes_are_a_uri_or_not(bytes in vec(any::<u8>(), 0..60), tail in ".{0,30}") {
        let _ = Uri::parse(&bytes);
        let text = format!("msrp://{tail}");
        if let Ok(uri) = Uri::parse(text.as_bytes()) {
            prop_assert!(uri == uri);
        }
    }
}

/// Bytes that get further into the framer than random ones.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        select(vec![
            "MSRP ",
            "aaaa",
            " SEND",
            " 200 OK",
            "\r\n",
            "\r",
            "\n",
            ":",
            " ",
            "To-Path:",
            "From-Path: ",
            "Byte-Range: 1-*/18446744073709551616",
            "Content-Type: a/b",
            "\r\n\r\n",
            "-------",
            "$",
            "-------aaaa$\r\n",
            OURS,
            "Failure-Report: no",
            "MSRP aaaa SEND\r\n",
        ])
        .prop_map(|part| part.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// A keeper has room for half a megabyte: of as many small requests as there may be, each refused.
#[test]
fn one_push_makes_no_more_answers_than_can_be_kept() {
    let request = b"MSRP t SEND\r\nFrom-Path: y\r\n-------t$\r\n";
    let input = request.repeat(40_000);
    let (mut rewriter, mut out, mut reply) = (rewriter(), Pieces::default(), Vec::new());
    let (mut at, mut answers) = (0, 0);
    while at < input.len() {
        let taken = rewriter.push(&input[at..], &mut out, &mut reply).expect("frames");
        assert!(taken > 0 && reply.len() < 400 * 1024, "{taken} {}", reply.len());
        at += taken;
        answers += std::mem::take(&mut reply).windows(6).filter(|at| at == b"MSRP t").count();
        out.clear();
    }
    assert_eq!(answers, 40_000);
}
