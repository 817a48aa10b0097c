//! The first frame of an accepted connection, and the relay's own bind.

use msrp_proto::{
    BindAnswer, BindOutcome, FrameError, Framer, Gate, Key, Limits, Refusal, RefuseCause, Verdict,
    bind_request,
};

const OURS: &str = "msrp://192.0.2.10:30000/rLy0;tcp";
const PEER: &str = "msrp://10.0.0.5:9/pQ3v;tcp";
const AWARE: Key<'_> = Key::Uri(OURS.as_bytes());

fn chunk(what: &str, to: &str, headers: &str) -> String {
    format!("MSRP k77Q {what}\r\nTo-Path: {to}\r\nFrom-Path: {PEER}\r\n{headers}-------k77Q$\r\n")
}

/// The verdict on `stream`; the same must come when it arrives octet by octet, not before the
/// header block is complete.
fn verdict(stream: &str, key: Key<'_>) -> Verdict {
    let at_once = Gate::new(Limits::default()).look(stream.as_bytes(), &key);
    let mut gate = Gate::new(Limits::default());
    let mut slowly = Verdict::NeedMore;
    for arrived in 0..=stream.len() {
        if slowly == Verdict::NeedMore {
            slowly = gate.look(&stream.as_bytes()[..arrived], &key);
        }
    }
    assert_eq!(slowly, at_once);
    at_once
}

fn refused(reply: Option<String>, refusal: Refusal) -> Verdict {
    let cause = RefuseCause::Request(refusal);
    Verdict::Refuse { reply: reply.map(String::into_bytes), cause }
}

#[test]
fn a_request_that_names_the_leg_binds() {
    for what in ["SEND", "REPORT", "NICKNAME", "FILE_OFFSET"] {
        assert_eq!(verdict(&chunk(what, OURS, ""), AWARE), Verdict::Bind { has_body: false });
    }
    let spelled = "MSRP://192.0.2.10:30000/rLy0;TCP";
    assert_eq!(verdict(&chunk("SEND", spelled, ""), AWARE), Verdict::Bind { has_body: false });
}

#[test]
fn the_header_block_is_enough_to_tell_a_body() {
    let stream = chunk("SEND", OURS, "Content-Type: text/plain\r\n\r\nhello");
    let head = &stream[..stream.find("hello").unwrap()];
    assert_eq!(verdict(head, AWARE), Verdict::Bind { has_body: true });
    assert_eq!(verdict(&head[..head.len() - 1], AWARE), Verdict::NeedMore);
}

#[test]
fn keepalives_before_the_first_frame_are_skipped_but_not_for_ever() {
    let stream = "\r\n\r\n".to_owned() + &chunk("SEND", OURS, "");
    assert_eq!(verdict(&stream, AWARE), Verdict::Bind { has_body: false });
    let cause = RefuseCause::Framing(FrameError::LineTooLong);
    let endless = "\r\n".repeat(10_000);
    assert_eq!(verdict(&endless, AWARE), Verdict::Refuse { reply: None, cause });
}

#[test]
fn a_stranger_gets_481_without_our_uri() {
    let asked = "msrp://192.0.2.10:30000/guess;tcp";
    let reply = chunk("481 No such session", PEER, "")
        .replace(&format!("From-Path: {PEER}"), &format!("From-Path: {asked}"));
    let stream = chunk("SEND", asked, "");
    assert_eq!(verdict(&stream, AWARE), refused(Some(reply), Refusal::WrongToPath));
    for (what, headers) in [("REPORT", ""), ("SEND", "Failure-Report: no\r\n")] {
        let stream = chunk(what, asked, headers);
        assert_eq!(verdict(&stream, AWARE), refused(None, Refusal::WrongToPath), "{what}");
    }
}

#[test]
fn a_stranger_who_names_nothing_is_told_nothing() {
    let stream = format!("MSRP k77Q SEND\r\nFrom-Path: {PEER}\r\n-------k77Q$\r\n");
    assert_eq!(verdict(&stream, AWARE), refused(None, Refusal::MissingPath));
}

#[test]
fn opaque_legs_compare_the_first_session_id() {
    let key = Key::SessionId(b"Zt7u");
    for to in [
        "msrp://any.example:1/Zt7u;tcp",
        "msrps://relay.example:2/Zt7u;tcp msrp://192.0.2.1:3/other;tcp",
    ] {
        assert_eq!(verdict(&chunk("SEND", to, ""), key), Verdict::Bind { has_body: false });
    }
    for to in ["msrp://any.example:1/zT7U;tcp", "msrp://any.example:1;tcp", "Zt7u"] {
        let verdict = verdict(&chunk("SEND", to, "Failure-Report: no\r\n"), key);
        assert_eq!(verdict, refused(None, Refusal::WrongToPath), "{to}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let cause = RefuseCause::Response;
    let stream = chunk("200 OK", OURS, "");
    assert_eq!(verdict(&stream, AWARE), Verdict::Refuse { reply: None, cause });
    for (noise, error) in [
        ("GET / HTTP/1.1\r\n", FrameError::Magic),
        ("\u{16}\u{3}\u{1}", FrameError::Magic),
        ("\rMSRP", FrameError::Magic),
        ("MSRP a_b SEND\r\n", FrameError::TransactionId),
    ] {
        let cause = RefuseCause::Framing(error);
        assert_eq!(verdict(noise, AWARE), Verdict::Refuse { reply: None, cause });
    }
}

#[test]
fn a_latecomer_gets_506() {
    let stream = "\r\n".to_owned() + &chunk("SEND", OURS, "");
    let mut gate = Gate::new(Limits::default());
    assert_eq!(gate.session_bound(stream.as_bytes()), None, "nothing to answer yet");
    assert_eq!(gate.look(stream.as_bytes(), &AWARE), Verdict::Bind { has_body: false });
    let reply = chunk("506 Session already bound", PEER, "")
        .replace(&format!("From-Path: {PEER}"), &format!("From-Path: {OURS}"));
    assert_eq!(gate.session_bound(stream.as_bytes()), Some(reply.into_bytes()));
}

#[test]
fn our_own_bind_passes_our_own_gate() {
    let path = format!("{OURS} msrp://10.0.0.9:9/end;tcp");
    let bind = bind_request(path.as_bytes(), PEER.as_bytes(), b"d41d8cd98f00", b"e9800998ecf8");
    let text = String::from_utf8(bind).unwrap();
    assert_eq!(verdict(&text, Key::SessionId(b"rLy0")), Verdict::Bind { has_body: false });
    assert_eq!(
        text,
        format!(
            "MSRP d41d8cd98f00 SEND\r\nTo-Path: {path}\r\nFrom-Path: {PEER}\r\n\
             Message-ID: e9800998ecf8\r\nByte-Range: 1-0/0\r\n-------d41d8cd98f00$\r\n"
        )
    );
    let mut framer = Framer::new(Limits::default());
    assert!(framer.next(text.as_bytes()).unwrap().is_some());
}

/// The answer to our bind `k77Q`; the same must come when `stream` arrives octet by octet.
fn answer(stream: &str) -> BindOutcome {
    let at_once = BindAnswer::new(b"k77Q", Limits::default()).look(stream.as_bytes());
    let mut bind = BindAnswer::new(b"k77Q", Limits::default());
    let slowly = (0..=stream.len())
        .map(|arrived| bind.look(&stream.as_bytes()[..arrived]))
        .find(|&answer| answer != BindOutcome::NeedMore);
    assert_eq!(slowly.unwrap_or(BindOutcome::NeedMore), at_once);
    at_once
}

#[test]
fn the_response_to_our_bind_is_found_and_measured() {
    for status in [200, 481, 506] {
        let response = chunk(&format!("{status} text"), OURS, "");
        let len = response.len();
        assert_eq!(answer(&response), BindOutcome::Response { status, len });
        assert_eq!(answer(&response[..len - 1]), BindOutcome::NeedMore);
        let more = response.clone() + &chunk("SEND", OURS, "");
        assert_eq!(answer(&more), BindOutcome::Response { status, len });
        let later = "\r\n".to_owned() + &response;
        assert_eq!(answer(&later), BindOutcome::Response { status, len: len + 2 });
    }
    let with_body = chunk("200 OK", OURS, "Content-Type: text/plain\r\n\r\nwhy\r\n");
    assert_eq!(answer(&with_body), BindOutcome::Response { status: 200, len: with_body.len() });
}

#[test]
fn anything_but_the_response_to_our_bind_is_unexpected() {
    let foreign = chunk("200 OK", OURS, "").replace("k77Q", "k77R");
    let endless = chunk("200 OK", OURS, "Content-Type: a/b\r\n\r\n")
        .replace("-------k77Q$\r\n", "")
        + &"x".repeat(70_000);
    for stream in [chunk("SEND", OURS, ""), foreign, "HTTP/1.1".to_owned(), endless] {
        assert_eq!(answer(&stream), BindOutcome::Unexpected, "{:.40}", stream);
    }
}
