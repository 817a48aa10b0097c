//! Where in a body an end-line may stand (RFC 4975 §7.1).
//!
//! Every octet of every body passes here. Where there are no hyphens, as nearly everywhere, none is
//! tested by itself: seven in a row hold four at a multiple of four, wherever they begin, and fours
//! are compared many at a time; a long run without any hyphen is passed faster still. A hostile body may look like an end-line as often as it likes, so
//! that where there are hyphens each octet is tested at both ends of the end-line that it might
//! begin: what passes can not be dense.

use memchr::memchr;
use wide::u8x16;

use crate::end_line::OPENING;

/// Iterates over the places where all that every end-line of this length has in common stands, and
/// over those so near the end of the bytes that it may turn out to.
pub(crate) struct Places<'a> {
    buf: &'a [u8],
    /// The CRLF before the end-line and the end-line up to its flag.
    line: &'a [u8],
    /// Tested up to here.
    at: usize,
    /// Bit n: `block + n` is yet to be given.
    found: u64,
    block: usize,
}

/// Octets tested at a time.
const BLOCK: usize = 64;
/// From the CR to the last hyphen.
const REACH: usize = OPENING.len() - 1;

/// Blocks tested before the next hyphen is looked for.
const FEW: usize = 2;
/// The same where the last one was less than so many octets ahead.
const MANY: usize = 256;
const NEAR: usize = 1024;

/// Octets before the flag that are compared first.
const TAIL: usize = 8;

/// What may stand at the front of an end-line, and what at its flag.
type Front = [u8; BLOCK + REACH];
type Back = [u8; BLOCK + 2];

/// Which four to look for.
const HYPHENS: [u8; 4] = *b"----";
/// Where they begin at the latest, behind the CRLF of an end-line at the front.
const LATEST: usize = 2 + HYPHENS.len() - 1;

impl<'a> Places<'a> {
    /// `line`: the CRLF before the end-line, and the end-line up to its flag.
    pub(crate) fn new(buf: &'a [u8], line: &'a [u8]) -> Self {
        Self { buf, line, at: 0, found: 0, block: 0 }
    }

    /// The next place, in order.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.skip();
            let rest = &self.buf[self.at..];
            let back = rest.get(self.line.len()..).and_then(|back| back.first_chunk());
            let (Some(front), Some(back)) = (rest.first_chunk(), back) else {
                return self.next_of_tail();
            };
            #[cfg(test)]
            crate::steps::add(BLOCK);
            self.block = self.at;
            self.at += BLOCK;
            self.found = openings(front, back);
            self.weed();
        }
        let place = self.block + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(place)
    }

    /// Goes to where there are hyphens, or to the tail: an end-line that begins in a block has its
    /// four hyphens in the same block [`LATEST`] octets on.
    #[inline]
    fn skip(&mut self) {
        let blocks = self.buf.get(self.at + LATEST..).unwrap_or_default().as_chunks().0;
        let without = blocks_without(blocks);
        #[cfg(test)]
        crate::steps::add(BLOCK * blocks.len().min(without + 1));
        self.at += BLOCK * without;
    }

    /// Strikes places off whose end is another's. It comes first in hostile bodies: whoever makes
    /// one knows how an end-line begins.
    #[inline]
    fn weed(&mut self) {
        let Some(wanted) = self.line.last_chunk::<TAIL>() else { return };
        let mut rest = self.found;
        while rest != 0 {
            let place = self.block + rest.trailing_zeros() as usize;
            let tail = &self.buf[place + self.line.len() - TAIL..];
            if tail.first_chunk() != Some(wanted) {
                self.found &= !(rest & rest.wrapping_neg());
            }
            rest &= rest - 1;
        }
    }

    /// What is left is too short to be tested so.
    fn next_of_tail(&mut self) -> Option<usize> {
        let tail = &self.buf[self.at..];
        let from = tail.iter().position(|&byte| byte == b'\r');
        #[cfg(test)]
        crate::steps::add(from.map_or(tail.len(), |at| at + 1));
        let place = self.at + from?;
        self.at = place + 1;
        Some(place)
    }
}

/// Where the first hyphens of a body begin, those apart that are fewer than seven or follow its blank
/// line at once.
#[inline]
pub(crate) fn first_hyphens(body: &[u8]) -> Option<usize> {
    let blocks = body.get(LATEST..)?.as_chunks().0;
    let at = LATEST + BLOCK * blocks_without(blocks);
    let (fours, _) = body[at..].as_chunks();
    let found = at + 4 * fours.iter().position(|four| *four == HYPHENS)?;
    let before = body[..found].iter().rev().take_while(|&&octet| octet == b'-').count();
    Some(found - before)
}

/// How many blocks come before one that has four hyphens.
#[inline]
fn blocks_without(blocks: &[[u8; BLOCK]]) -> usize {
    // Where they are dense, that is all there is to do.
    if blocks.first().is_none_or(has_hyphens) { 0 } else { 1 + more_without(&blocks[1..]) }
}

/// Where a hyphen is far it is sooner found than four are ruled out; where they are near they are not
/// looked for over and over.
#[inline(never)]
fn more_without(blocks: &[[u8; BLOCK]]) -> usize {
    let (mut at, mut tested) = (0, FEW);
    loop {
        let some = blocks[at..].iter().take(tested);
        let without = some.take_while(|block| !has_hyphens(block)).count();
        at += without;
        if without < tested {
            return at;
        }
        let Some(ahead) = memchr(b'-', blocks[at..].as_flattened()) else { return blocks.len() };
        at += ahead / BLOCK;
        tested = if ahead < NEAR { MANY } else { FEW };
    }
}

/// Written so that the compiler tests many octets at a time.
#[inline]
fn has_hyphens(block: &[u8; BLOCK]) -> bool {
    block.as_chunks().0.iter().fold(false, |found, four| found | (*four == HYPHENS))
}

/// Bit n: an end-line may stand at n.
fn openings(front: &Front, back: &Back) -> u64 {
    let mut found = 0;
    for n in (0..BLOCK).step_by(16).rev() {
        let flag = holds(back, n, b'$') | holds(back, n, b'+') | holds(back, n, b'#');
        let begins = holds(front, n, b'\r') & holds(front, n + 1, b'\n');
        let ends = flag & holds(back, n + 1, b'\r') & holds(back, n + 2, b'\n');
        let places = begins & holds(front, n + REACH, b'-') & ends;
        found = found << 16 | u64::from(places.move_mask() as u16);
    }
    found
}

/// Which of the sixteen octets from `at` on are this one.
#[inline(always)]
fn holds(octets: &[u8], at: usize, octet: u8) -> u8x16 {
    let sixteen = octets.get(at..).and_then(|rest| rest.first_chunk()).copied();
    u8x16::new(sixteen.unwrap_or_default()).cmp_eq(u8x16::splat(octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Octets of which much that looks like an end-line is made.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just(b"\r\n-------".to_vec()),
            Just(b"\r\n-------tid1".to_vec()),
            Just(b"\r\n-------tid1$\r\n".to_vec()),
            Just(b"\r\n-------tid1+\r".to_vec()),
            Just(b"#\r\n".to_vec()),
            Just(b"\r\n-".to_vec()),
            Just(b"--".to_vec()),
            Just(b"\r".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ];
        proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    /// Hyphens and what is between them: less than is worth a look for the next one, and much more.
    fn hyphens_far_apart() -> impl Strategy<Value = Vec<u8>> {
        let gap = prop_oneof![0..BLOCK, 0..2 * NEAR, 0..2 * MANY * BLOCK];
        let part = (gap, 1..6_usize)
            .prop_map(|(gap, hyphens)| [vec![b'x'; gap], vec![b'-'; hyphens]].concat());
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn blocks_are_passed_up_to_the_first_that_has_four_hyphens(octets in hyphens_far_apart()) {
            let (blocks, _) = octets.as_chunks();
            let wanted = blocks.iter().position(has_hyphens).unwrap_or(blocks.len());
            prop_assert_eq!(blocks_without(blocks), wanted);
        }

        #[test]
        fn no_opening_is_missed(octets in octets()) {
            let line = [OPENING, &b"tid1"[..]].concat();
            let mut places = Places::new(&octets, &line);
            let given: Vec<usize> = std::iter::from_fn(|| places.next()).collect();
            prop_assert!(given.is_sorted_by(|a, b| a < b));
            for start in 0..octets.len() {
                let rest = &octets[start..];
                let ends = |flag: &str| {
                    let whole = [&line, flag.as_bytes(), b"\r\n"].concat();
                    rest.starts_with(&whole) || whole.starts_with(rest)
                };
                let may_end = ends("$") || ends("+") || ends("#");
                prop_assert!(!may_end || given.contains(&start), "{start}");
            }
        }
    }
}
