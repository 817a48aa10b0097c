//! From what the keeper holds to what each session has left.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use msrp_proto::path_uris;
use msrp_proto::session::Side;

use super::{EndState, Found, Held, Keep, Keeper, Kind, LABEL, Label, Record, State, Written};
use crate::board::Board;
use crate::pair::Inheritance;
use crate::sys::arena::Arena;

/// The descriptors of a dead process, sorted.
struct Inventory {
    sessions: HashMap<u64, Vec<(Label, Held)>>,
    pipes: HashMap<u32, [Option<Held>; 2]>,
}

/// Takes over what a dead process has left. Whatever belongs to no session is let go of.
///
/// # Errors
/// `InvalidData`: without an arena, or with one of another version.
pub(crate) fn adopt(
    keeper: OwnedFd,
    left: Vec<([u8; LABEL], OwnedFd)>,
    ring: bool,
) -> io::Result<(Keep, Vec<Inheritance>)> {
    let known = left.into_iter().filter_map(|(label, fd)| Some((Label::decode(&label)?, fd)));
    let (arenas, others): (Vec<_>, Vec<_>) =
        known.partition(|(label, _)| label.kind == Kind::Arena);
    let (_, arena) = arenas.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
    let last = others.iter().map(|(label, _)| label.token).max().unwrap_or_default();
    let keep = Keep { arena: Arena::open(arena)?, keeper: Arc::new(Keeper::new(keeper, last)) };
    let mut inventory = Inventory::sort(others, &keep.keeper);
    let records = keep.arena.records().into_iter();
    let found = records.filter_map(|name| Record::find(&keep.arena, name));
    let sessions: Vec<_> = found.filter_map(|found| inventory.inheritance(found, ring)).collect();
    keep.arena.sweep();
    Ok((keep, sessions))
}

impl Inventory {
    fn sort(mut all: Vec<(Label, OwnedFd)>, keeper: &Arc<Keeper>) -> Self {
        all.sort_by_key(|(label, _)| label.token);
        let mut inventory = Self { sessions: HashMap::new(), pipes: HashMap::new() };
        for (label, fd) in all {
            let held = Held::inherited(fd, keeper, label);
            if label.kind == Kind::Pipe {
                let ends = inventory.pipes.entry(label.token).or_default();
                ends[label.side.index()] = Some(held);
            } else {
                inventory.sessions.entry(label.session).or_default().push((label, held));
            }
        }
        inventory
    }

    /// What the session of that record has left; `None` for one that cannot be read.
    fn inheritance(&mut self, found: Found, ring: bool) -> Option<Inheritance> {
        let Found { id, record, claims } = found;
        let state: Written = State::decode(record.state())?;
        let pipes = [&claims[0], &claims[1]].map(|claim| {
            let [exit, entry] = self.pipes.remove(&claim.pipe?)?;
            Some([exit?, entry?])
        });
        let held = self.sessions.remove(&id).unwrap_or_default();
        let board = board(&state, ring);
        Some(Inheritance { id, record: Box::new(record), state, claims, pipes, held, board })
    }
}

fn board(state: &Written, ring: bool) -> Arc<Board> {
    let [a, b] = &state.ends;
    let board = Board::new([a.local, b.local], state.opened, ring);
    for (side, end) in Side::BOTH.into_iter().zip(&state.ends) {
        let board = board.leg(side);
        board.moves(&latest_path(end));
        end.role.into_iter().for_each(|role| board.set_role(role));
        end.leg.and_then(|leg| leg.peer).into_iter().for_each(|peer| board.set_peer(peer));
    }
    Arc::new(board)
}

fn latest_path(end: &EndState) -> Vec<Vec<u8>> {
    let path = if end.expected.is_empty() { &end.path } else { &end.expected };
    path_uris(path).map(<[u8]>::to_vec).collect()
}
