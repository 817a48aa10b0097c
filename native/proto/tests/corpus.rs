//! Every stream of `tests/data/msrp` against its index: frames, gaps and faults, whole and cut.

mod common;

use common::{Found, Framed, bytes, frame, json, splits};
use msrp_proto::{FailureReport, Head, Kind, path_uris};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Above this a stream is not fed byte by byte.
const SMALL: usize = 16 * 1024;

fn entries() -> Vec<Value> {
    json("msrp/index.json")["files"].as_array().unwrap().clone()
}

fn stream(entry: &Value) -> Vec<u8> {
    bytes(entry["file"].as_str().unwrap())
}

#[test]
fn whole_streams_frame_as_indexed() {
    for entry in entries() {
        let stream = stream(&entry);
        let (frames, gaps, error) = describe(&stream, &frame(&stream, []));
        let name = &entry["file"];
        let expected: Vec<Value> =
            entry["frames"].as_array().unwrap().iter().map(without_foreign_problems).collect();
        assert_eq!(frames.len(), expected.len(), "{name}");
        for (frame, expected) in frames.iter().zip(&expected) {
            assert_eq!(frame, expected, "{name}");
        }
        assert_eq!(gaps, entry["gaps"], "{name}");
        assert_eq!(error, entry["error"], "{name}");
    }
}

#[test]
fn streams_cut_anywhere_frame_alike() {
    for entry in entries() {
        let stream = stream(&entry);
        let whole = frame(&stream, []);
        for cut in splits(&entry, stream.len()) {
            assert_eq!(frame(&stream, [cut]), whole, "{} cut at {cut}", entry["file"]);
        }
    }
}

#[test]
fn streams_fed_byte_by_byte_frame_alike() {
    for entry in entries() {
        let stream = stream(&entry);
        if stream.len() <= SMALL {
            assert_eq!(frame(&stream, 0..stream.len()), frame(&stream, []), "{}", entry["file"]);
        }
    }
}

/// The problems a relay acts on: it answers 400 to the first three, forwards the rest as they are
/// but has to see that there is (no) body. Others are the endpoints' to find.
const OURS: [&str; 5] = [
    "duplicate_header:",
    "missing_from_path",
    "missing_to_path",
    "missing_crlf_before_endline",
    "blank_line_before_endline",
];

fn without_foreign_problems(frame: &Value) -> Value {
    let mut frame = frame.clone();
    if let Some(problems) = frame["problems"].as_array_mut() {
        problems
            .retain(|problem| OURS.iter().any(|ours| problem.as_str().unwrap().starts_with(ours)));
        for problem in problems {
            if problem.as_str().unwrap().starts_with("duplicate_header:") {
                *problem = json!("duplicate_header:");
            }
        }
    }
    frame
}

/// Frames, gaps and error in the index's form.
fn describe(stream: &[u8], framed: &Framed) -> (Vec<Value>, Value, Value) {
    let (mut frames, mut gaps, mut error) = (Vec::new(), Vec::new(), Value::Null);
    let mut open: Option<(usize, Head, Option<usize>)> = None;
    let mut unfinished = None;
    for found in &framed.found {
        match *found {
            Found::Gap { offset, len } => gaps.push(json!([offset, len])),
            Found::Error { offset, error: e } => {
                error = json!({"code": e.as_str(), "offset": offset});
            }
            Found::Head { offset, head } => {
                open = Some((offset, head, None));
                unfinished = Some(offset);
            }
            Found::Body { len, .. } => open.as_mut().unwrap().2 = Some(len),
            Found::End { offset, len, flag } => {
                let (start, head, body) = open.take().unwrap();
                let mut frame = describe_frame(
                    &stream[start..offset + len],
                    start,
                    &head,
                    body,
                    offset - start,
                );
                frame["flag"] = json!(char::from(flag.as_byte()).to_string());
                frames.push(frame);
                unfinished = None;
            }
        }
    }
    if error.is_null() && !(framed.between_chunks && unfinished.is_none()) {
        let offset = unfinished.unwrap_or(stream.len() - framed.left);
        error = json!({"code": "incomplete", "offset": offset});
    }
    (frames, json!(gaps), error)
}

/// `chunk` starts at `offset` of the stream; its end (of a body with the CRLF before) at `end`.
fn describe_frame(
    chunk: &[u8],
    offset: usize,
    head: &Head,
    body: Option<usize>,
    end: usize,
) -> Value {
    let tid = head.tid.of(chunk);
    let bare_end = chunk.len() - end == tid.len() + 10;
    let is_body = head.has_body && (head.content_type || body.is_some() || !bare_end);
    let mut frame = json!({
        "offset": offset,
        "length": chunk.len(),
        "tid": text(tid),
        "header_length": head.header_len,
        "headers": head.headers(chunk).map(|(name, value)| json!([text(name), text(value)])).collect::<Vec<_>>(),
        "body": is_body.then(|| describe_body(&chunk[head.len..end], offset + head.len)),
        "problems": problems(head, is_body, bare_end),
    });
    match head.kind {
        Kind::Request { name, .. } => {
            frame["kind"] = json!("request");
            frame["method"] = json!(text(name.of(chunk)));
        }
        Kind::Response { status, comment } => {
            frame["kind"] = json!("response");
            frame["status"] = json!(status);
            if let Some(comment) = comment {
                frame["comment"] = json!(text(comment.of(chunk)));
            }
        }
    }
    for (key, path) in [("to_path", head.to_path), ("from_path", head.from_path)] {
        if let Some(path) = path {
            frame[key] = path.uris(chunk).map(text).collect();
        }
    }
    if let Some(range) = head.byte_range(chunk) {
        frame["byte_range"] = json!({"start": range.start, "end": range.end, "total": range.total});
    }
    frame
}

fn describe_body(body: &[u8], offset: usize) -> Value {
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"offset": offset, "length": body.len(), "sha256": hex})
}

fn problems(head: &Head, is_body: bool, bare_end: bool) -> Vec<&'static str> {
    let mut problems = Vec::new();
    if head.has_body && !is_body {
        problems.push("blank_line_before_endline");
    }
    if head.duplicate {
        problems.push("duplicate_header:");
    }
    if is_body && bare_end {
        problems.push("missing_crlf_before_endline");
    }
    if head.from_path.is_none() {
        problems.push("missing_from_path");
    }
    if head.to_path.is_none() {
        problems.push("missing_to_path");
    }
    problems
}

/// UTF-8 as it is, other bytes as `\xNN`.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[test]
fn failure_report_words_have_no_case_and_others_mean_yes() {
    let stream = bytes("msrp/t17_value_case.msrp");
    let words: Vec<_> = frame(&stream, [])
        .found
        .iter()
        .filter_map(|found| match found {
            Found::Head { head, .. } => Some(head.failure_report),
            _ => None,
        })
        .collect();
    assert_eq!(words, [FailureReport::Partial, FailureReport::Yes]);
}

#[test]
fn path_values_split_at_runs_of_blanks() {
    let uris: Vec<_> = path_uris(b" msrp://a:1/x;tcp \t msrp://b:2/y;tcp").collect();
    assert_eq!(uris, [&b"msrp://a:1/x;tcp"[..], b"msrp://b:2/y;tcp"]);
}
