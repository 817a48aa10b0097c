use std::ops::Range;

use crate::Passed;

/// A run of bytes to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Bytes of the input, as they came.
    Input(Range<usize>),
    /// Bytes of [`Pieces::made`].
    Made(Range<usize>),
}

/// What one call to [`Rewriter::push`](crate::Rewriter::push) gives to write, in order. Reused
/// from call to call: nothing is allocated once it has grown to the traffic.
#[derive(Debug, Default)]
pub struct Pieces {
    /// The runs, in order.
    pub list: Vec<Piece>,
    /// What the runs called [`Piece::Made`] point into.
    pub made: Vec<u8>,
    /// The chunk heads decided in this call, in order.
    pub passed: Vec<Passed>,
    /// There may be more to decide in the input: this was enough for one call.
    pub stopped: bool,
}

/// Below this a copy is cheaper than one more iovec.
const WORTH_AN_IOVEC: usize = 4096;
/// Octets copied at once. From 2 KiB on the C library may copy with `rep movsb`, at which some
/// processors are many times slower where the destination lies 1 to 31 octets after the source,
/// counted in their pages.
const AT_ONCE: usize = 2047;

impl Pieces {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.made.clear();
        self.passed.clear();
        self.stopped = false;
    }

    /// Octets in all.
    pub fn total(&self) -> usize {
        self.list
            .iter()
            .map(|piece| match piece {
                Piece::Input(range) | Piece::Made(range) => range.len(),
            })
            .sum()
    }

    /// The runs as slices; `input` is what was pushed.
    pub fn slices<'a>(&'a self, input: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.list.iter().map(|piece| self.slice(piece, input))
    }

    /// The run, where there is only one.
    pub fn only<'a>(&'a self, input: &'a [u8]) -> Option<&'a [u8]> {
        match self.list.as_slice() {
            [piece] => Some(self.slice(piece, input)),
            _ => None,
        }
    }

    fn slice<'a>(&'a self, piece: &Piece, input: &'a [u8]) -> &'a [u8] {
        match piece {
            Piece::Input(range) => &input[range.clone()],
            Piece::Made(range) => &self.made[range.clone()],
        }
    }

    /// Appends a run of the input.
    #[inline(always)]
    fn keep(&mut self, input: &[u8], range: Range<usize>) {
        match range.len() {
            0 => {}
            1..WORTH_AN_IOVEC => self.make(&input[range]),
            _ => self.list.push(Piece::Input(range)),
        }
    }

    /// Moves whole frames of our own here.
    pub(crate) fn place(&mut self, own: &mut Vec<u8>) {
        if !own.is_empty() {
            self.make(own);
            own.clear();
        }
    }

    /// Appends bytes of our own.
    #[inline]
    pub(crate) fn make(&mut self, bytes: &[u8]) {
        let start = self.made.len();
        // Nearly all are short; a loop for every one of them would show in what a message costs.
        let (at_once, rest) = bytes.split_at(bytes.len().min(AT_ONCE));
        self.made.extend_from_slice(at_once);
        if !rest.is_empty() {
            rest.chunks(AT_ONCE).for_each(|part| self.made.extend_from_slice(part));
        }
        let end = self.made.len();
        match self.list.last_mut() {
            Some(Piece::Made(last)) => last.end = end,
            _ => self.list.push(Piece::Made(start..end)),
        }
    }
}

/// Input on its way to the output: what is kept of it is gathered for as long as it stands in one
/// piece, from the path lines of a chunk to those of the next.
pub(crate) struct Kept<'a> {
    pub(crate) input: &'a [u8],
    run: Range<usize>,
}

impl<'a> Kept<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, run: 0..0 }
    }

    pub(crate) fn keep(&mut self, range: Range<usize>, out: &mut Pieces) {
        if self.run.end != range.start {
            self.end(out);
            self.run.start = range.start;
        }
        self.run.end = range.end;
    }

    /// Hands on what was gathered.
    #[inline]
    pub(crate) fn end(&mut self, out: &mut Pieces) {
        out.keep(self.input, self.run.clone());
        self.run.start = self.run.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_in_parts_is_whole_and_one_piece() {
        for len in [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE, 2 * AT_ONCE + 1] {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut pieces = Pieces::default();
            pieces.make(&bytes);
            pieces.make(&bytes);
            assert_eq!(pieces.only(&[]), Some([bytes.as_slice(), &bytes].concat().as_slice()));
        }
    }
}
