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

/// So many processes may crash with a session in hand; then it is ended, and not its next one.
const CRASHES: u64 = 3;

/// Takes over what a dead process has left. Whatever belongs to no session is let go of. `crashed`:
/// it was not killed from outside, so that what it had in hand may have been the cause.
///
/// # Errors
/// `InvalidData`: without an arena, or with one of another version.
pub(crate) fn adopt(
    keeper: OwnedFd,
    left: Vec<([u8; LABEL], OwnedFd)>,
    ring: bool,
    crashed: bool,
) -> io::Result<(Keep, Vec<Inheritance>)> {
    let known = left.into_iter().filter_map(|(label, fd)| Some((Label::decode(&label)?, fd)));
    let (arenas, others): (Vec<_>, Vec<_>) =
        known.partition(|(label, _)| label.kind == Kind::Arena);
    let (_, arena) = arenas.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
    let keep = Keep::new(Arena::open(arena)?, Keeper::new(keeper));
    let mut inventory = Inventory::sort(others, &keep.keeper);
    let in_hand = keep.arena.empty_hands();
    let is_fatal =
        |found: &Found| crashed && in_hand.contains(&found.id) && found.record.blame() >= CRASHES;
    let records = keep.arena.records().into_iter();
    let found = records.filter_map(|name| Record::find(&keep.arena, name));
    let found = found.filter(|found| !is_fatal(found));
    let sessions: Vec<_> = found.filter_map(|found| inventory.inheritance(found, ring)).collect();
    keep.arena.sweep();
    drop(inventory);
    keep.keeper.tell();
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
        let Found { id, record } = found;
        let state: Written = State::decode(record.state())?;
        let claims = if state.joined { record.claims() } else { Default::default() };
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use msrp_proto::Moment;
    use msrp_proto::session::{Policy, Session, Timers};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;
    use crate::spec::Sources;

    fn state() -> Written {
        let end = || EndState {
            own_uri: Vec::new(),
            path: Vec::new(),
            sources: Sources::Any,
            local: "127.0.0.1:9".parse().unwrap(),
            role: None,
            earlier: [0; 3],
            leg: None,
            lost: None,
            listener: None,
            targets: Vec::new(),
            expected: Vec::new(),
            dial: None,
            own_bind: None,
            fresh: None,
            replacing: false,
        };
        let life = Session::new(Policy::Aware, Timers::default());
        let opened = Moment::default();
        let ends = [end(), end()];
        State {
            policy: Policy::Aware,
            tos: None,
            idle: None,
            opened,
            life,
            joined: false,
            paused: false,
            moved: [Moment::default(); 2],
            ends,
        }
    }

    /// What a process leaves that dies with the first of two sessions in hand.
    fn die(arena: &Arena) -> Vec<([u8; LABEL], OwnedFd)> {
        arena.hand(0).store(1, std::sync::atomic::Ordering::Relaxed);
        let label = Label { kind: Kind::Arena, side: Side::A, token: 0, session: 0 };
        vec![(label.encode(), arena.as_fd().try_clone_to_owned().unwrap())]
    }

    #[test]
    fn a_session_that_crashes_processes_is_ended_and_no_other() {
        let arena = Arena::create().unwrap();
        for id in [1, 2] {
            let mut record = Record::new(&arena).unwrap();
            record.describe(id, &state().encode(), false);
            std::mem::forget(record);
        }
        let mut alive = Vec::new();
        for crashed in [true, false, true, true] {
            let (keeper, _other) =
                socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                    .unwrap();
            let (_, sessions) = adopt(keeper, die(&arena), false, crashed).unwrap();
            let mut ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
            ids.sort_unstable();
            alive.push(ids);
            // As after a kill: the records stay.
            std::mem::forget(sessions);
        }
        assert_eq!(alive, [vec![1, 2], vec![1, 2], vec![1, 2], vec![2]]);
    }

    #[test]
    fn without_an_arena_there_is_nothing_to_adopt() {
        let (keeper, _other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        let why = adopt(keeper, Vec::new(), false, false).unwrap_err();
        assert_eq!(why.kind(), io::ErrorKind::InvalidData);
    }
}
