//! The aware policy against `tests/data/rewrite`, and the rules the vectors do not show.

mod common;

use common::{bytes, data, json};
use msrp_proto::{
    FrameError, Limits, Method, Passed, PathPair, Piece, Pieces, Position, Refusal, Rewriter, What,
};
use serde_json::Value;

/// What a direction made of a stream.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    forwarded: Vec<u8>,
    reply: Vec<u8>,
    passed: Vec<Passed>,
    chunks: u64,
}

/// Pushes `stream`, of which more arrives at each of `cuts`, and in the end all of it.
fn push(
    rewriter: &mut Rewriter,
    stream: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Outcome, FrameError> {
    let mut outcome = Outcome::default();
    let mut out = Pieces::default();
    let mut at = 0;
    for arrived in cuts.into_iter().chain([stream.len()]) {
        let input = &stream[at..arrived];
        out.clear();
        at += rewriter.push(input, &mut out, &mut outcome.reply)?;
        let written = outcome.forwarded.len();
        out.slices(input).for_each(|slice| outcome.forwarded.extend_from_slice(slice));
        assert_eq!(outcome.forwarded.len() - written, out.total());
        outcome.passed.extend_from_slice(&out.passed);
    }
    outcome.chunks = rewriter.chunks();
    Ok(outcome)
}

fn path(value: &Value) -> Vec<&[u8]> {
    value.as_array().unwrap().iter().map(|uri| uri.as_str().unwrap().as_bytes()).collect()
}

fn paths_of(vector: &Value) -> PathPair {
    let (this, other) = if vector["from"] == "a" { ("a", "b") } else { ("b", "a") };
    let own = |side| vector["own"][side].as_str().unwrap().as_bytes();
    let peers = &vector["path"];
    PathPair::new(own(this), &path(&peers[this]), &path(&peers[other]), own(other))
}

fn vectors() -> Vec<Value> {
    json("rewrite/index.json").as_array().unwrap().clone()
}

#[test]
fn vectors_come_out_as_recorded_whole_and_cut_anywhere() {
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        let input = bytes(&format!("rewrite/{name}.in.msrp"));
        let reply = format!("rewrite/{name}.reply.msrp");
        let expected_reply = if data(&reply).exists() { bytes(&reply) } else { Vec::new() };
        assert_eq!(vector["reply_sha256"].is_null(), expected_reply.is_empty(), "{name}");
        let fresh = Rewriter::new(paths_of(&vector), Limits::default());
        let whole = push(&mut fresh.clone(), &input, []).unwrap();
        let forwarded = bytes(&format!("rewrite/{name}.fwd.msrp"));
        assert_eq!(whole.forwarded, forwarded, "{name}");
        assert_eq!(whole.reply, expected_reply, "{name}");
        for cut in 0..=input.len() {
            assert_eq!(push(&mut fresh.clone(), &input, [cut]).unwrap(), whole, "{name} at {cut}");
        }
        assert_eq!(push(&mut fresh.clone(), &input, 0..input.len()).unwrap(), whole, "{name}");
    }
}

const U_A: &str = "msrp://192.0.2.10:30000/rLy0;tcp";
const U_B: &str = "msrps://192.0.2.10:30002/rLy1;tcp";
const A: &str = "msrp://10.0.0.5:9/pQ3v;tcp";
const B: [&str; 2] =
    ["msrps://r1.example.net:9001/xA1;tcp", "msrps://bob.example.net:40001/z9;tcp"];

fn a_to_b() -> Rewriter {
    Rewriter::new(PathPair::new(U_A.as_bytes(), &[A], &B, U_B.as_bytes()), Limits::default())
}

fn b_to_a() -> Rewriter {
    Rewriter::new(PathPair::new(U_B.as_bytes(), &B, &[A], U_A.as_bytes()), Limits::default())
}

/// A bodiless chunk; `headers` come behind the paths.
fn chunk(what: &str, to: &str, from: &str, headers: &str) -> String {
    format!("MSRP k77Q {what}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n{headers}-------k77Q$\r\n")
}

fn forwarded(mut rewriter: Rewriter, stream: &str) -> String {
    let outcome = push(&mut rewriter, stream.as_bytes(), []).unwrap();
    assert_eq!(outcome.reply, b"", "no refusal expected");
    String::from_utf8(outcome.forwarded).unwrap()
}

fn refused(mut rewriter: Rewriter, stream: &str) -> (String, Vec<Option<Refusal>>) {
    let outcome = push(&mut rewriter, stream.as_bytes(), []).unwrap();
    assert_eq!(outcome.forwarded, b"", "nothing may be forwarded");
    let refusals = outcome.passed.iter().map(|passed| passed.refused).collect();
    (String::from_utf8(outcome.reply).unwrap(), refusals)
}

#[test]
fn a_response_goes_to_the_leftmost_uri_only() {
    let (b, b_path) = (B[0], B.join(" "));
    assert_eq!(forwarded(a_to_b(), &chunk("200 OK", U_A, A, "")), chunk("200 OK", b, U_B, ""));
    for request in ["SEND", "REPORT", "NICKNAME", "FILE_OFFSET"] {
        assert_eq!(
            forwarded(a_to_b(), &chunk(request, U_A, A, "Message-ID: m\r\n")),
            chunk(request, &b_path, U_B, "Message-ID: m\r\n")
        );
    }
}

#[test]
fn a_path_behind_relays_collapses_to_one_uri() {
    let sent = chunk("SEND", U_B, &B.join(" "), "Message-ID: m4\r\n");
    assert_eq!(forwarded(b_to_a(), &sent), chunk("SEND", A, U_A, "Message-ID: m4\r\n"));
}

#[test]
fn other_headers_keep_every_octet() {
    let odd = "message-ID:m\r\nX-Odd:\t two  \r\nEmpty:\r\n";
    let text = format!(
        "MSRP k77Q SEND\r\n{odd}FROM-path:{A}\r\nX: y\r\nto-PATH:   {U_A} \r\n\
         Content-Type: text/plain\r\n\r\nTo-Path: {U_A}\r\n-------k77Q+\r\n"
    );
    let b_path = B.join(" ");
    assert_eq!(
        forwarded(a_to_b(), &text),
        format!(
            "MSRP k77Q SEND\r\n{odd}From-Path: {U_B}\r\nX: y\r\nTo-Path: {b_path}\r\n\
             Content-Type: text/plain\r\n\r\nTo-Path: {U_A}\r\n-------k77Q+\r\n"
        )
    );
}

#[test]
fn to_path_is_compared_as_a_uri() {
    for spelled in [
        "MSRP://192.0.2.10:30000/rLy0;TCP",
        "msrp://bob@192.0.2.10:30000/rLy0;tcp;x=1",
        "msrp://192.0.2.10:030000/rLy0;tcp",
    ] {
        assert_ne!(forwarded(a_to_b(), &chunk("SEND", spelled, A, "")), "", "{spelled}");
    }
}

#[test]
fn a_wrong_to_path_gets_481_that_echoes_it() {
    for wrong in [
        "msrp://192.0.2.10:30000/RLY0;tcp",
        "msrp://192.0.2.10/rLy0;tcp",
        "msrp://192.0.2.10:30000/rLy0;ws",
        "msrps://192.0.2.10:30000/rLy0;tcp",
        "nonsense",
    ] {
        let (reply, refusals) = refused(a_to_b(), &chunk("SEND", wrong, A, ""));
        assert_eq!(reply, chunk("481 No such session", A, wrong, ""));
        assert_eq!(refusals, [Some(Refusal::WrongToPath)]);
    }
}

#[test]
fn a_uri_behind_ours_is_no_way_through() {
    let to = format!("{U_A} msrp://198.51.100.99:1/evil;tcp");
    let (reply, _) = refused(a_to_b(), &chunk("SEND", &to, A, ""));
    assert_eq!(reply, chunk("481 No such session", A, U_A, ""));
}

#[test]
fn a_481_goes_back_as_far_as_the_method_wants() {
    let wrong = "msrp://192.0.2.10:30002/other;tcp";
    let path = B.join(" ");
    let (reply, _) = refused(b_to_a(), &chunk("SEND", wrong, &path, ""));
    assert_eq!(reply, chunk("481 No such session", B[0], wrong, ""));
    let (reply, _) = refused(b_to_a(), &chunk("NICKNAME", wrong, &path, ""));
    assert_eq!(reply, chunk("481 No such session", &path, wrong, ""));
}

#[test]
fn what_may_not_be_answered_is_dropped_in_silence() {
    let wrong = "msrp://192.0.2.10:30000/other;tcp";
    for (what, headers) in
        [("SEND", "Failure-Report: NO\r\n"), ("REPORT", ""), ("200 OK", ""), ("481 Gone", "")]
    {
        let (reply, refusals) = refused(a_to_b(), &chunk(what, wrong, A, headers));
        assert_eq!((reply.as_str(), refusals), ("", vec![Some(Refusal::WrongToPath)]), "{what}");
    }
}

#[test]
fn duplicate_path_headers_and_message_ids_get_400() {
    for double in [
        format!("To-Path: {U_A}\r\n"),
        format!("FROM-PATH: {A}\r\n"),
        "Message-ID: m1\r\nMessage-id: m2\r\n".to_owned(),
    ] {
        let (reply, refusals) = refused(a_to_b(), &chunk("SEND", U_A, A, &double));
        assert_eq!(reply, chunk("400 Bad request", A, U_A, ""));
        assert_eq!(refusals, [Some(Refusal::DuplicateHeader)]);
    }
}

#[test]
fn a_missing_path_is_answered_where_there_is_a_way_back() {
    let no_to = format!("MSRP k77Q SEND\r\nFrom-Path: {A}\r\n-------k77Q$\r\n");
    let no_from = format!("MSRP k77Q SEND\r\nTo-Path: {U_A}\r\n-------k77Q$\r\n");
    let (reply, refusals) = refused(a_to_b(), &no_to);
    assert_eq!(reply, chunk("400 Bad request", A, U_A, ""));
    assert_eq!(refusals, [Some(Refusal::MissingPath)]);
    assert_eq!(refused(a_to_b(), &no_from), (String::new(), vec![Some(Refusal::MissingPath)]));
}

#[test]
fn the_body_of_a_refused_chunk_is_swallowed_and_the_next_chunk_goes_on() {
    let wrong = "msrp://192.0.2.10:30000/other;tcp";
    let with_body = format!(
        "MSRP k77Q SEND\r\nTo-Path: {wrong}\r\nFrom-Path: {A}\r\nContent-Type: text/plain\r\n\r\n\
         hello\r\n-------k77Q+\r\n"
    );
    let stream = with_body + &chunk("SEND", U_A, A, "");
    for cut in 0..=stream.len() {
        let outcome = push(&mut a_to_b(), stream.as_bytes(), [cut]).unwrap();
        let text = String::from_utf8(outcome.forwarded).unwrap();
        assert_eq!(text, chunk("SEND", &B.join(" "), U_B, ""));
        assert_eq!(outcome.reply, chunk("481 No such session", A, wrong, "").as_bytes());
        assert_eq!(outcome.chunks, 1);
    }
}

#[test]
fn a_foreign_from_path_is_forwarded_and_counted() {
    let mut rewriter = a_to_b();
    let spelled = "MSRP://10.0.0.5:9/pQ3v;TCP";
    for (from, count) in [(A, 0), (spelled, 0), ("msrp://10.9.9.9:9/else;tcp", 1)] {
        let sent = chunk("SEND", U_A, from, "");
        let outcome = push(&mut rewriter, sent.as_bytes(), []).unwrap();
        assert_ne!(outcome.forwarded, b"");
        assert_eq!(rewriter.foreign_from_paths(), count, "{from}");
    }
}

#[test]
fn heads_are_told_in_order() {
    let stream = [
        chunk("SEND", U_A, A, ""),
        chunk("200 OK", U_A, A, ""),
        chunk("REPORT", "msrp://x:1/y;tcp", A, ""),
        chunk("FOO", U_A, A, ""),
    ]
    .concat();
    let outcome = push(&mut a_to_b(), stream.as_bytes(), []).unwrap();
    let expected = [
        Passed { what: What::Request(Method::Send), refused: None },
        Passed { what: What::Response(200), refused: None },
        Passed { what: What::Request(Method::Report), refused: Some(Refusal::WrongToPath) },
        Passed { what: What::Request(Method::Other), refused: None },
    ];
    assert_eq!(outcome.passed, expected);
    assert_eq!(outcome.chunks, 3);
}

#[test]
fn an_open_chunk_is_named_until_its_end_line() {
    let head =
        format!("MSRP k77Q SEND\r\nTo-Path: {U_A}\r\nFrom-Path: {A}\r\nContent-Type: a/b\r\n\r\n");
    let stream = head.clone() + "body\r\n-------k77Q$\r\n";
    let (mut out, mut reply) = (Pieces::default(), Vec::new());
    let mut rewriter = a_to_b();
    let mut at = 0;
    for arrived in 0..=stream.len() {
        at += rewriter.push(&stream.as_bytes()[at..arrived], &mut out, &mut reply).unwrap();
        let open = (head.len()..stream.len()).contains(&arrived);
        assert_eq!(rewriter.in_forwarded_chunk(), open.then_some(&b"k77Q"[..]), "{arrived}");
        assert_eq!(rewriter.between_chunks(), arrived == 0 || arrived == stream.len());
    }
}

#[test]
fn a_large_body_is_not_copied() {
    let head =
        format!("MSRP k77Q SEND\r\nTo-Path: {U_A}\r\nFrom-Path: {A}\r\nContent-Type: a/b\r\n\r\n");
    let stream = [head.as_bytes(), &[b'x'; 100_000], b"\r\n-------k77Q$\r\n"].concat();
    let (mut out, mut reply) = (Pieces::default(), Vec::new());
    a_to_b().push(&stream, &mut out, &mut reply).unwrap();
    // With what stands beside it unchanged: the lines behind the paths, and the end-line.
    let kept = stream.len() - 100_000 - "Content-Type: a/b\r\n\r\n\r\n-------k77Q$\r\n".len()
        ..stream.len();
    assert!(matches!(&out.list[..], [Piece::Made(_), Piece::Input(input)] if *input == kept));
}

#[test]
fn what_is_swallowed_behind_a_large_body_stays_out() {
    let large = format!(
        "MSRP k77Q SEND\r\nTo-Path: {U_A}\r\nFrom-Path: {A}\r\nContent-Type: a/b\r\n\r\n{}\r\n\
         -------k77Q$\r\n",
        "x".repeat(9000)
    );
    let wrong = chunk("REPORT", "msrp://x:1/y;tcp", A, "");
    let next = chunk("REPORT", U_A, A, "");
    for between in ["\r\n\r\n", &wrong] {
        let together = forwarded(a_to_b(), &[&large, between, &next].concat());
        assert_eq!(together, forwarded(a_to_b(), &large) + &forwarded(a_to_b(), &next));
    }
}

#[test]
fn nothing_is_allocated_once_the_scratch_has_grown() {
    let stream = chunk("SEND", U_A, A, "Message-ID: m\r\n").repeat(20);
    let (mut out, mut reply) = (Pieces::default(), Vec::new());
    let mut rewriter = a_to_b();
    let mut grown = None;
    for _ in 0..3 {
        out.clear();
        rewriter.push(stream.as_bytes(), &mut out, &mut reply).unwrap();
        let capacity = (out.list.capacity(), out.made.capacity(), out.passed.capacity());
        assert_eq!(*grown.get_or_insert(capacity), capacity);
    }
}

#[test]
fn a_long_path_makes_only_so_much_of_one_push() {
    let path = format!("msrp://h:1/{};tcp", "x".repeat(10_000));
    let paths = || PathPair::new(U_A.as_bytes(), &[A], &[&path], U_B.as_bytes());
    let long = || Rewriter::new(paths(), Limits::default());
    let stream = chunk("SEND", U_A, A, "").repeat(500);
    let (mut pieces, mut reply) = (Pieces::default(), Vec::new());
    let (mut rewriter, mut at, mut got, mut pushes) = (long(), 0, Vec::new(), 0);
    while at < stream.len() {
        pieces.clear();
        let rest = &stream.as_bytes()[at..];
        at += rewriter.push(rest, &mut pieces, &mut reply).unwrap();
        assert!(pieces.total() < 600_000, "{} octets", pieces.total());
        assert_eq!(pieces.stopped, at < stream.len());
        // A successor goes on from there.
        let position = rewriter.position().unwrap();
        rewriter = Rewriter::resume(paths(), Limits::default(), &position);
        got.extend(pieces.slices(rest).collect::<Vec<_>>().concat());
        pushes += 1;
    }
    assert_eq!(got, forwarded(long(), &chunk("SEND", U_A, A, "")).repeat(500).into_bytes());
    assert!(pushes > 5);
}

#[test]
fn own_frames_go_between_two_chunks_wherever_the_stream_is_cut() {
    let first = chunk("SEND", U_A, A, "Content-Type: a/b\r\n\r\nbody\r\n");
    let stream = first.clone() + &chunk("REPORT", U_A, A, "");
    let middle = forwarded(a_to_b(), &first).len();
    let whole = forwarded(a_to_b(), &stream);
    for cut in 1..stream.len() {
        let (mut out, mut reply, mut rewriter) = (Pieces::default(), Vec::new(), a_to_b());
        let at = rewriter.push(&stream.as_bytes()[..cut], &mut out, &mut reply).unwrap();
        let before = out.slices(&stream.as_bytes()[..cut]).collect::<Vec<_>>().concat();
        out.clear();
        let (mut own, rest) = (b"<own>".to_vec(), &stream.as_bytes()[at..]);
        rewriter.push_with(rest, &mut own, &mut out, &mut reply).unwrap();
        let after = out.slices(rest).collect::<Vec<_>>().concat();
        // Between two chunks already, or else at the end of the one that is open.
        let place = match before.len() {
            0 => 0,
            n if n < middle => middle,
            n => n,
        };
        let expected = format!("{}<own>{}", &whole[..place], &whole[place..]);
        assert_eq!(String::from_utf8([before, after].concat()).unwrap(), expected, "cut {cut}");
        assert!(own.is_empty());
    }
}

#[test]
fn what_stood_before_a_fault_is_given() {
    let stream = chunk("SEND", U_A, A, "") + "HTTP/1.1 200 OK\r\n";
    let (mut out, mut reply) = (Pieces::default(), Vec::new());
    let mut rewriter = a_to_b();
    assert_eq!(rewriter.push(stream.as_bytes(), &mut out, &mut reply), Err(FrameError::Magic));
    let text = String::from_utf8(out.slices(stream.as_bytes()).collect::<Vec<_>>().concat());
    assert_eq!(text.unwrap(), chunk("SEND", &B.join(" "), U_B, ""));
}

#[test]
fn long_paths_grow_and_shrink() {
    let long: Vec<String> =
        (0..20).map(|i| format!("msrp://r{i}.example.net:9001/{};tcp", "s".repeat(90))).collect();
    let joined = long.join(" ");
    let grow = PathPair::new(U_A.as_bytes(), &[A.to_owned()], &long, U_B.as_bytes());
    let shrink = PathPair::new(U_B.as_bytes(), &long, &[A.to_owned()], U_A.as_bytes());
    let limits = Limits::default();
    assert_eq!(
        forwarded(Rewriter::new(grow, limits), &chunk("SEND", U_A, A, "")),
        chunk("SEND", &joined, U_B, "")
    );
    assert_eq!(
        forwarded(Rewriter::new(shrink, limits), &chunk("SEND", U_B, &joined, "")),
        chunk("SEND", A, U_A, "")
    );
}

/// Pushes the stream up to `cut` through one rewriter, and the rest through another that was told
/// where the first one stood.
fn push_in_two_lives(paths: &PathPair, stream: &[u8], cut: usize) -> Outcome {
    let mut first = Rewriter::new(paths.clone(), Limits::default());
    let mut out = Pieces::default();
    let mut reply = Vec::new();
    let decided = first.push(&stream[..cut], &mut out, &mut reply).unwrap();
    let forwarded: Vec<u8> = out.slices(&stream[..cut]).collect::<Vec<_>>().concat();
    let position = first.position().unwrap();
    let told = Position::decode(&position.encode()).unwrap();
    assert_eq!(told, position);
    let mut second = Rewriter::resume(paths.clone(), Limits::default(), &told);
    let rest = push(&mut second, &stream[decided..], []).unwrap();
    let passed = [out.passed, rest.passed].concat();
    Outcome {
        forwarded: [forwarded, rest.forwarded].concat(),
        reply: [reply, rest.reply].concat(),
        passed,
        chunks: rest.chunks,
    }
}

#[test]
fn a_successor_goes_on_wherever_the_stream_is_cut() {
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        let input = bytes(&format!("rewrite/{name}.in.msrp"));
        let paths = paths_of(&vector);
        let whole = push(&mut Rewriter::new(paths.clone(), Limits::default()), &input, []).unwrap();
        for cut in 0..=input.len() {
            assert_eq!(push_in_two_lives(&paths, &input, cut), whole, "{name} at {cut}");
        }
    }
}

#[test]
fn a_position_after_a_fault_or_of_garbage_is_none() {
    let mut rewriter = a_to_b();
    assert!(push(&mut rewriter, b"HTTP/1.1 200 OK\r\n\r\n", []).is_err());
    assert_eq!(rewriter.position(), None);
    assert_eq!(Position::decode(&[0xff; Position::OCTETS]), None);
}

/// What is known of the paths shortens the reading and changes nothing else.
#[test]
fn usual_path_lines_are_held_to_the_same_limits() {
    let stream = |blank: &str| {
        let paths = format!("To-Path:{blank}{U_A}\r\nFrom-Path:{blank}{A}\r\n");
        format!("MSRP k77Q SEND\r\n{paths}Message-ID: 7\r\nX: y\r\n\r\nbody\r\n-------k77Q$\r\n")
    };
    let (usual, unusual) = (stream(" "), stream("\t"));
    for most in 0..usual.len() {
        let line = Limits { line: most, ..Limits::default() };
        let head = Limits { head: most, ..Limits::default() };
        let headers = Limits { headers: most, ..Limits::default() };
        for limits in [line, head, headers] {
            let outcome = |stream: &str| {
                let paths = PathPair::new(U_A.as_bytes(), &[A], &B, U_B.as_bytes());
                push(&mut Rewriter::new(paths, limits), stream.as_bytes(), [])
            };
            assert_eq!(outcome(&usual), outcome(&unusual), "{limits:?}");
        }
    }
}
