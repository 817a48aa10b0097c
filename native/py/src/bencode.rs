//! Bencode for Python: values read from octets and written to them.

mod keys;
mod layout;
mod read;
mod write;

pub(crate) use layout::{Filled, Layout};
pub(crate) use read::{BencodeError, Truncated, decode_bencode};
pub(crate) use write::encode_bencode;

/// A message of a SIP server nests three deep; a hostile one must not cost a stack.
const MAX_DEPTH: usize = 32;
