//! Faults that lose the framing, one line each, and what is let through on purpose.

mod common;

use common::{Found, frame};
use msrp_proto::{FrameError, Framer, Limits};

/// The error of `stream`, the same however it is cut.
fn fault(stream: &str) -> Option<(FrameError, usize)> {
    let whole = frame(stream.as_bytes(), []);
    assert_eq!(frame(stream.as_bytes(), 0..stream.len()), whole, "{stream:?}");
    match whole.found.last() {
        Some(Found::Error { offset, error }) => Some((*error, *offset)),
        _ => None,
    }
}

#[test]
fn start_lines_that_lose_the_stream() {
    for (line, error) in [
        ("GET / HTTP/1.1", FrameError::Magic),
        ("\u{16}\u{3}\u{1}\u{2}", FrameError::Magic),
        ("msrp a SEND", FrameError::Magic),
        ("MSRP\tabcd SEND", FrameError::Magic),
        ("MSRP", FrameError::Magic),
        ("MSRP  abcd SEND", FrameError::TransactionId),
        ("MSRP ab_d SEND", FrameError::TransactionId),
        ("MSRP abcd\tSEND", FrameError::TransactionId),
        ("MSRP abcd", FrameError::StartLine),
        ("MSRP abcd ", FrameError::StartLine),
        ("MSRP abcd send", FrameError::StartLine),
        ("MSRP abcd SEND now", FrameError::StartLine),
        ("MSRP abcd  SEND", FrameError::StartLine),
        ("MSRP abcd 20 OK", FrameError::StartLine),
        ("MSRP abcd 2000 OK", FrameError::StartLine),
        ("MSRP abcd 200OK", FrameError::StartLine),
        ("MSRP abcd 200 O\u{1}K", FrameError::StartLine),
        ("MSRP abcd SEND\r", FrameError::StartLine),
    ] {
        assert_eq!(fault(&format!("{line}\r\n")), Some((error, 0)), "{line:?}");
    }
    let long = format!("MSRP {} SEND\r\n", "a".repeat(65));
    assert_eq!(fault(&long), Some((FrameError::TransactionId, 0)));
}

#[test]
fn header_lines_that_lose_the_stream() {
    let start = "MSRP abcd SEND\r\n";
    for (line, error) in [
        ("To-Path: a\n", FrameError::BareLf),
        ("\n", FrameError::BareLf),
        (" folded\r\n", FrameError::FoldedHeader),
        ("\tfolded\r\n", FrameError::FoldedHeader),
        ("no colon\r\n", FrameError::HeaderLine),
        (": no name\r\n", FrameError::HeaderLine),
        ("To-Path : a\r\n", FrameError::HeaderLine),
        ("X: a\0b\r\n", FrameError::HeaderChar),
        ("X: a\rb\r\n", FrameError::HeaderChar),
        ("-------abce$\r\n", FrameError::EndLineMismatch),
        ("-------ab$\r\n", FrameError::EndLineMismatch),
        ("-------abcd!\r\n", FrameError::EndLine),
        ("-------abcd\r\n", FrameError::EndLine),
        ("-------abcd$ \r\n", FrameError::EndLine),
        ("-------abcd$\n", FrameError::BareLf),
    ] {
        let stream = format!("{start}{line}");
        assert_eq!(fault(&stream), Some((error, start.len())), "{line:?}");
    }
}

#[test]
fn the_last_header_line_that_fits_is_taken() {
    let limits = Limits { line: 40, head: 120, headers: 3 };
    let error = |headers: &str| {
        let stream = format!("MSRP abcd SEND\r\n{headers}");
        let mut framer = Framer::new(limits);
        let at_once = framer.next(stream.as_bytes()).err();
        let mut framer = Framer::new(limits);
        let slowly =
            (0..=stream.len()).find_map(|end| framer.next(&stream.as_bytes()[..end]).err());
        assert_eq!(slowly, at_once);
        at_once.map(|error| (error, framer.fault_offset()))
    };
    let line = |octets: usize| format!("X: {}\r\n", "x".repeat(octets - 3));
    assert_eq!(error(&line(40)), None);
    assert_eq!(error(&line(41)), Some((FrameError::LineTooLong, 16)));
    assert_eq!(error(&line(41).replace("\r\n", "")), None, "its CRLF may come after 40");
    assert_eq!(error(&"X: y\r\n".repeat(3)), None);
    assert_eq!(error(&"X: y\r\n".repeat(4)), Some((FrameError::HeadersTooLarge, 0)));
    let filled = |octets| line(40).repeat(2) + &line(octets);
    assert_eq!(error(&(filled(16) + "\r\n")), None, "120 octets with the blank line");
    assert_eq!(error(&(filled(17) + "\r")), Some((FrameError::HeadersTooLarge, 0)));
}

#[test]
fn a_fault_is_final() {
    let mut framer = Framer::new(Limits::default());
    assert_eq!(framer.next(b"HTTP"), Err(FrameError::Magic));
    assert_eq!(framer.next(b"MSRP abcd SEND\r\n-------abcd$\r\n"), Err(FrameError::Magic));
    assert!(!framer.between_chunks());
}

#[test]
fn what_some_peers_send_is_let_through() {
    for stream in [
        "MSRP a SEND\r\n-------a$\r\n",
        "MSRP -abc SEND\r\n--------abc$\r\n",
        "MSRP abc+ SEND\r\n-------abc+$\r\n",
        "MSRP abcd FILE_OFFSET\r\n-------abcd$\r\n",
        "MSRP abcd 200\r\n-------abcd$\r\n",
        "MSRP abcd 299 \u{c4}\r\n-------abcd+\r\n",
        "MSRP abcd SEND\r\nTo-Path:\r\nX:\ty\r\n-------abcd#\r\n",
        "MSRP abcd SEND\r\n\r\n-------abcd#\r\n",
        "\r\n\r\n",
    ] {
        let framed = frame(stream.as_bytes(), []);
        assert_eq!((fault(stream), framed.left), (None, 0), "{stream:?}");
        assert!(framed.between_chunks, "{stream:?}");
    }
}

#[test]
fn a_stream_may_end_between_chunks_only() {
    let chunk = "\r\nMSRP abcd SEND\r\nContent-Type: a/b\r\n\r\nx\r\n-------abcd$\r\n";
    for end in 0..=chunk.len() {
        let between = end <= 2 || end == chunk.len();
        assert_eq!(frame(&chunk.as_bytes()[..end], []).between_chunks, between, "{end}");
    }
}
