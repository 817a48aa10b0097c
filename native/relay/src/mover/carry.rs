//! Input that is read and not decided. Hardly any direction has some between two events, so that
//! those that have none hold one word.

use std::ops::Deref;

/// The bytes, in order.
#[derive(Debug, Default)]
pub(super) struct Carry(Option<Box<Bytes>>);

#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl Carry {
    /// Becomes `rest`, the first `known` bytes of which it is already; 0: it is something else.
    /// Byte by byte the head of a chunk grows: only what is new is copied.
    pub(super) fn become_rest(&mut self, rest: &[u8], known: usize) {
        if rest.is_empty() {
            self.0 = None;
            return;
        }
        let Bytes(bytes) = &mut **self.0.get_or_insert_default();
        bytes.truncate(known);
        bytes.extend_from_slice(&rest[known..]);
    }
}

impl Deref for Carry {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| &bytes.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_is_replaced_and_goes() {
        let mut carry = Carry::default();
        for (rest, known) in [(&b"MS"[..], 0), (b"MSRP", 2), (b"other", 0), (b"", 0)] {
            carry.become_rest(rest, known);
            assert_eq!(&*carry, rest);
        }
        assert!(carry.0.is_none());
    }
}
