//! MSRP as text: frames to send, and where a received one ends.

use std::ops::Range;

/// One chunk of a stream. No relay keeps a table of transactions, so all have the same id.
const TID: &str = "bench001";

/// The frame that binds a connection to its session: a SEND without a body. Its Message-ID is as
/// long as any other, so that answers which repeat it are.
pub(crate) fn bind(to: &str, from: &str) -> Vec<u8> {
    let mut frame = head("SEND", to, from);
    frame.extend_from_slice(b"Message-ID: m0\r\nByte-Range: 1-0/0\r\n");
    frame.extend_from_slice(&end_line(b'$'));
    frame
}

/// A text message in one chunk, `size` bytes with everything.
pub(crate) fn message(to: &str, from: &str, size: usize) -> Vec<u8> {
    let bare = chunk(to, from, b"1-00000/00000", 0).len();
    let body = size.saturating_sub(bare);
    let range = format!("1-{body:05}/{body:05}");
    chunk(to, from, range.as_bytes(), body)
}

/// A 200, `size` bytes with everything: the comment fills it up.
pub(crate) fn response(to: &str, from: &str, size: usize) -> Vec<u8> {
    let bare = head("200 ", to, from).len() + end_line(b'$').len();
    let comment = "k".repeat(size.saturating_sub(bare));
    let mut frame = head(&format!("200 {comment}"), to, from);
    frame.extend_from_slice(&end_line(b'$'));
    frame
}

/// A complete chunk with flag `$`.
pub(crate) fn chunk(to: &str, from: &str, range: &[u8], body: usize) -> Vec<u8> {
    let mut frame = head("SEND", to, from);
    frame.extend_from_slice(b"Message-ID: m1\r\nByte-Range: ");
    frame.extend_from_slice(range);
    frame.extend_from_slice(b"\r\nContent-Type: text/plain\r\n\r\n");
    frame.extend((0..body).map(filler));
    frame.extend_from_slice(b"\r\n");
    frame.extend_from_slice(&end_line(b'$'));
    frame
}

/// Text with a line end every 78 bytes, as people's text has.
pub(crate) fn filler(at: usize) -> u8 {
    match at % 78 {
        76 => b'\r',
        77 => b'\n',
        column => b'a' + ((at / 78 + column) % 26) as u8,
    }
}

/// Length of the frame at the front, once it is complete.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let tid = bytes.strip_prefix(b"MSRP ")?.split(|byte| *byte == b' ').next()?;
    let mark = [b"-------", tid].concat();
    let at = find(bytes, &mark)?;
    // Flag, CR, LF.
    let length = at + mark.len() + 3;
    (bytes.len() >= length).then_some(length)
}

/// The value of a path header of a frame.
pub(crate) fn header<'a>(frame: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mark = format!("\r\n{name}: ");
    let rest = &frame[find(frame, mark.as_bytes())? + mark.len()..];
    Some(&rest[..find(rest, b"\r\n")?])
}

/// Where a chunk made by [`chunk`] has its range and its flag.
pub(crate) fn fields(chunk: &[u8]) -> Option<(Range<usize>, usize)> {
    let mark = b"\r\nByte-Range: ";
    let start = find(chunk, mark)? + mark.len();
    let end = start + find(&chunk[start..], b"\r\n")?;
    Some((start..end, chunk.len() - 3))
}

fn head(what: &str, to: &str, from: &str) -> Vec<u8> {
    format!("MSRP {TID} {what}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n").into_bytes()
}

fn end_line(flag: u8) -> Vec<u8> {
    [b"-------", TID.as_bytes(), &[flag], b"\r\n"].concat()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "msrp://r.x:10001/00001a;tcp";
    const FROM: &str = "msrp://e.x:00009/00001b;tcp";

    #[test]
    fn messages_and_responses_have_the_size_asked_for() {
        for size in [300, 1000, 2048, 12_000] {
            assert_eq!(message(TO, FROM, size).len(), size);
        }
        assert_eq!(response(TO, FROM, 120).len(), 120);
    }

    #[test]
    fn a_frame_ends_behind_its_end_line() {
        let frame = bind(TO, FROM);
        let two = [frame.clone(), frame.clone()].concat();
        assert_eq!(frame_length(&two), Some(frame.len()));
        assert!((0..frame.len()).all(|cut| frame_length(&frame[..cut]).is_none()));
    }

    #[test]
    fn headers_are_found() {
        let frame = bind(TO, FROM);
        assert_eq!(header(&frame, "From-Path"), Some(FROM.as_bytes()));
    }
}
