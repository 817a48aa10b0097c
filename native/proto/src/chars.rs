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

    #[test]
    fn sixteen_octets_are_judged_as_one_is() {
        for octet in 0..=u8::MAX {
            let octets = std::array::from_fn(|n| if n == 9 { octet } else { b'a' });
            assert_eq!(are_ident(octets) >> 9 & 1 == 1, is_ident(octet), "{octet:#x}");
            assert_eq!(are_ident(octets) | 1 << 9, 0xFFFF);
        }
    }
}
