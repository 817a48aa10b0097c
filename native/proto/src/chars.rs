//! The character classes of RFC 4975 §9.

use wide::u8x16;

/// What may stand between values.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What no line may hold. Octets above 0x7F are UTF-8, valid or not: they pass unchanged.
pub(crate) fn is_control(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') | (byte == 0x7F)
}

/// A character of a header name or a parameter.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// A character of `ident`, of which transaction ids are made.
pub(crate) fn is_ident(byte: u8) -> bool {
    IDENT[usize::from(byte)]
}

/// Bit n: octet n is such a character.
#[inline]
pub(crate) fn are_ident(octets: [u8; 16]) -> u32 {
    let octets = u8x16::new(octets);
    let between = |octets: u8x16, first: u8, last: u8| {
        octets.max(u8x16::splat(first)).min(u8x16::splat(last)).cmp_eq(octets)
    };
    let is = |octet: u8| octets.cmp_eq(u8x16::splat(octet));
    // Only letters become letters by that.
    let letters = between(octets | u8x16::splat(0x20), b'a', b'z');
    let signs = is(b'.') | is(b'-') | is(b'+') | is(b'%') | is(b'=');
    (letters | between(octets, b'0', b'9') | signs).move_mask() as u32
}

/// Where the first control character stands, TAB included. In almost every line that is the CR.
#[inline]
pub(crate) fn first_control(bytes: &[u8]) -> Option<usize> {
    let (sixteens, rest) = bytes.as_chunks();
    for (n, sixteen) in sixteens.iter().enumerate() {
        let found = controls(*sixteen);
        if found != 0 {
            return Some(16 * n + found.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|&b| is_control(b) || b == b'\t')?;
    Some(16 * sixteens.len() + at)
}

/// Bit n: octet n is below a blank, or DEL.
#[inline]
fn controls(octets: [u8; 16]) -> i32 {
    let octets = u8x16::new(octets);
    let below = octets.min(u8x16::splat(b' ' - 1)).cmp_eq(octets);
    (below | octets.cmp_eq(u8x16::splat(0x7F))).move_mask()
}

/// `text` without the blanks around it.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// The octets a const fn says yes to.
macro_rules! class {
    ($holds:ident) => {{
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = $holds(byte as u8);
            byte += 1;
        }
        table
    }};
}

type Class = [bool; 256];

const TOKEN: Class = class!(is_token_char);
const IDENT: Class = class!(is_ident_char);

const fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'{'..=b'~')
}

const fn is_ident_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'%' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sixteen_octets_are_judged_as_one_is() {
        for octet in 0..=u8::MAX {
            let octets = std::array::from_fn(|n| if n == 9 { octet } else { b'a' });
            assert_eq!(are_ident(octets) >> 9 & 1 == 1, is_ident(octet), "{octet:#x}");
            assert_eq!(are_ident(octets) | 1 << 9, 0xFFFF);
        }
    }

    proptest! {
        #[test]
        fn the_first_control_character_is_found(
            text in "[ -~\u{80}-\u{2ff}]{0,40}",
            control in prop_oneof![0u8..32, Just(0x7F)],
            rest in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let line = [text.as_bytes(), &[control], &rest].concat();
            prop_assert_eq!(first_control(&line), Some(text.len()));
            prop_assert_eq!(first_control(text.as_bytes()), None);
        }
    }
}
