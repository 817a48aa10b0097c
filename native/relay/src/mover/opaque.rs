//! Bytes that pass untouched: through memory, or in bulk through a pipe.

use msrp_proto::Piece;

use super::lane::{Lane, Unsent};
use super::{Moved, Turn};
use crate::leg::{Leg, Received};
use crate::pipe::MOST;

/// How they are moved at present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// recv(2) and send(2): cheapest for messages.
    Copying,
    /// splice(2): cheapest for bulk. `few`: successive times that little came.
    Splicing { few: u8 },
}

/// Copied at most at once. More does not fit the caches next to the processor, and is bulk.
const COPY: usize = 64 * 1024;
/// So often little has to come before copying is cheaper again.
const FEW: u8 = 4;

impl Pace {
    /// One read and one write, nothing looked at.
    pub(super) fn step(
        &mut self,
        lane: &mut Lane,
        from: &mut Leg,
        turn: &mut Turn<'_>,
    ) -> Option<Moved> {
        // Towards the end only recv(2) tells a FIN from urgent data in the way.
        if *self != Self::Copying
            && !from.may_have_ended()
            && let Some(pipe) = turn.thread.pipes.lease()
        {
            let (taken, stop) = lane.splice(pipe, MOST, from, turn);
            if taken > 0 {
                self.note_spliced(taken);
            }
            return stop;
        }
        self.copy(lane, from, turn)
    }

    fn copy(&mut self, lane: &mut Lane, from: &mut Leg, turn: &mut Turn<'_>) -> Option<Moved> {
        let mut buffer = turn.thread.buffers.lease();
        turn.claim(lane.from, &buffer);
        match from.recv(&mut buffer.input[..COPY]) {
            Received::Bytes(read) => {
                self.note_copied(read);
                buffer.read = read;
                lane.count_in(read, turn);
                buffer.output.list.push(Piece::Input(0..read));
                lane.send(Unsent::Buffer(buffer), turn)
            }
            ended => {
                turn.release_claim(lane.from);
                turn.thread.buffers.give_back(buffer);
                lane.no_bytes(ended)
            }
        }
    }

    fn note_copied(&mut self, bytes: usize) {
        if bytes == COPY {
            *self = Self::Splicing { few: 0 };
        }
    }

    fn note_spliced(&mut self, bytes: usize) {
        *self = match *self {
            Self::Splicing { few } if bytes < COPY / 2 && few + 1 == FEW => Self::Copying,
            Self::Splicing { few } if bytes < COPY / 2 => Self::Splicing { few: few + 1 },
            _ => Self::Splicing { few: 0 },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_read_begins_to_splice_and_four_small_ones_end_it() {
        let mut pace = Pace::Copying;
        pace.note_copied(COPY - 1);
        assert_eq!(pace, Pace::Copying);
        pace.note_copied(COPY);
        let small = [COPY / 2 - 1, 0, 1];
        small.iter().for_each(|bytes| pace.note_spliced(*bytes));
        pace.note_spliced(COPY / 2);
        assert_eq!(pace, Pace::Splicing { few: 0 });
        small.iter().for_each(|bytes| pace.note_spliced(*bytes));
        pace.note_spliced(1);
        assert_eq!(pace, Pace::Copying);
    }
}
