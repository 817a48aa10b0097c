/// A piece of a header block: offsets from the block's first byte.
///
/// Spans instead of slices let a [`Head`](crate::Head) outlive the borrow of the buffer it
/// describes, without copying anything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One behind the last byte.
    pub end: u32,
}

impl Span {
    /// Offsets are bounded by [`Limits::head`](crate::Limits), far below 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes of this span; `block` starts with the header block. Empty where `block` is too
    /// short to hold the span.
    pub fn of(self, block: &[u8]) -> &[u8] {
        block.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}
