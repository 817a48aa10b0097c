//! What a successor must know of one session, in memory that outlives the process.
//!
//! Two parts. The *state* changes when something happens to the session: a blob of its own, written
//! beside the old one and put in its place by one store. The *progress* of each direction changes
//! with every read: two slots, of which a sequence word says which one holds; and a claim, one word
//! that says where bytes are that the kernel does not have any more and the progress not yet.
//!
//! A process can be killed between any two instructions, so what counts is the order of the stores.
//! Stores that only a compiler could reorder are kept in order by release stores and fences.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};

use msrp_proto::Position;
use msrp_proto::session::Side;

use crate::sys::arena::{Arena, Blob, RECORD};

/// The record of one session. Dropping it forgets the session.
#[derive(Debug)]
pub(crate) struct Record {
    blob: Blob,
    state: Option<Blob>,
    /// What the texts of the slot that holds are in. That slot itself is not known here but read
    /// when another one is made from it: most sessions are idle.
    texts: Vec<Blob>,
}

/// Where one direction stands when nothing of it is under way.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    pub(crate) mark: Mark,
    /// Taken from the sender and not decided.
    pub(crate) carry: &'a [u8],
    /// Frames of the relay's own for the receiver.
    pub(crate) own: &'a [u8],
    /// Frames of the relay's own for the sender, which its direction has not taken over yet.
    pub(crate) owed: &'a [u8],
}

/// The progress of both directions as it is to be. Nothing changes for a successor before it is
/// [published](Self::publish).
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    record: &'a mut Record,
    slot: [u8; SLOT],
    /// There was no memory for a text.
    fails: bool,
}

/// Counts of a direction, and the connections that they are counted on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mark {
    /// Bytes decided, of all that was taken from this connection of the sender.
    pub(crate) taken: u64,
    /// Bytes written to this connection of the receiver.
    pub(crate) given: u64,
    /// Tokens of sender's and receiver's connection; another connection begins anew.
    pub(crate) tokens: [u32; 2],
    /// Where chunks are seen.
    pub(crate) position: Option<Position>,
}

/// Bytes that are with the process: taken from the sender, not yet accounted for.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// Where they are, and how many if that was written down.
    pub(crate) buffer: Option<(Blob, Option<usize>)>,
    /// The token of a pipe that may hold some.
    pub(crate) pipe: Option<u32>,
}

/// A record as a dead process left it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: u64,
    pub(crate) record: Record,
}

// Words of a record. 0 = no session.
const ID: usize = 0;
const STATE: usize = 8;
const SEQUENCE: usize = 16;
const BLAME: usize = 24;
/// Of side A; a side's two claims are words, side B's follow.
const BUFFER: usize = 32;
const PIPE: usize = 40;
/// The two slots.
const SLOTS: usize = 64;
const SLOT: usize = 2 * PROGRESS;
const PROGRESS: usize = 144;
const _: () = assert!(SLOTS + 2 * SLOT <= RECORD && MARK + 24 <= PROGRESS);
/// Bytes of an encoded mark; three texts follow, a word each: in which blob, and how many bytes.
const MARK: usize = 24 + 1 + Position::OCTETS;

impl Record {
    /// Of a session that has no state yet: nobody finds it before it is [described](Self::describe).
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn new(arena: &Arc<Arena>) -> io::Result<Self> {
        Ok(Self { blob: arena.record()?, state: None, texts: Vec::new() })
    }

    /// Writes the state of session `id` down. Where it is not `joined`, nothing is claimed any more.
    pub(crate) fn describe(&mut self, id: u64, state: &[u8], joined: bool) {
        let Ok(mut blob) = self.blob.arena().allocate(state.len()) else { return self.give_up() };
        blob[..state.len()].copy_from_slice(state);
        self.store(STATE, u64::from(blob.name()) << 32 | state.len() as u64);
        crate::sys::kill_point();
        if self.state.replace(blob).is_none() {
            self.store(ID, id);
        }
        if !joined {
            Side::BOTH.into_iter().for_each(|side| self.release(side));
        }
    }

    /// The state written last.
    pub(crate) fn state(&self) -> &[u8] {
        let len = self.load(STATE) as u32 as usize;
        self.state.as_deref().and_then(|blob| blob.get(..len)).unwrap_or_default()
    }

    /// Where a direction stands, as was published last.
    pub(crate) fn progress(&self, from: Side) -> Progress<'_> {
        let slot = self.slot();
        let mark = Mark::decode(mark_in(&slot, from)).unwrap_or_default();
        let [carry, own, owed] = [TextKind::Carry, TextKind::Own, TextKind::Owed].map(|what| {
            let (name, len) = text_in(&slot, from, what);
            let blob = self.texts.iter().find(|blob| blob.name() == name);
            blob.and_then(|blob| blob.get(..len)).unwrap_or_default()
        });
        Progress { mark, carry, own, owed }
    }

    /// The progress, to be changed.
    pub(crate) fn draft(&mut self) -> Draft<'_> {
        Draft { slot: self.slot(), record: self, fails: false }
    }

    /// The slot that holds.
    fn slot(&self) -> [u8; SLOT] {
        let at = slot_at(self.load(SEQUENCE));
        let mut slot = [0; SLOT];
        slot.copy_from_slice(&self.blob[at..at + SLOT]);
        slot
    }

    /// Bytes of this direction are about to be read into a buffer.
    pub(crate) fn claim_buffer(&self, from: Side, buffer: &Blob) {
        self.store(BUFFER + 16 * from.index(), u64::from(buffer.name()) << 32);
    }

    /// How many bytes are there: then the connection that they came from is not needed to tell.
    pub(crate) fn claim_bytes(&self, from: Side, buffer: &Blob, bytes: usize) {
        let claim = u64::from(buffer.name()) << 32 | (bytes as u64 + 1);
        self.store(BUFFER + 16 * from.index(), claim);
    }

    /// Bytes of this direction are about to be moved into a pipe.
    pub(crate) fn claim_pipe(&self, from: Side, token: u32) {
        self.store(PIPE + 16 * from.index(), token.into());
    }

    /// The progress accounts for all bytes.
    pub(crate) fn release(&self, from: Side) {
        self.store(BUFFER + 16 * from.index(), 0);
        self.store(PIPE + 16 * from.index(), 0);
    }

    /// The record of that name as it was left. What makes no sense is forgotten.
    pub(crate) fn find(arena: &Arc<Arena>, name: u32) -> Option<Found> {
        let blob = arena.claim(name)?;
        let found = Self::read(arena, &blob);
        if found.is_none() {
            blob.word(ID).store(0, Ordering::Release);
        }
        let (id, state, texts) = found?;
        let record = Self { blob, state: Some(state), texts };
        Some(Found { id, record })
    }

    fn read(arena: &Arc<Arena>, blob: &Blob) -> Option<(u64, Blob, Vec<Blob>)> {
        let word = |at: usize| blob.word(at).load(Ordering::Acquire);
        let at = slot_at(word(SEQUENCE));
        let slot: [u8; SLOT] = blob.get(at..at + SLOT)?.try_into().ok()?;
        let mut texts = Vec::new();
        for from in Side::BOTH {
            Mark::decode(mark_in(&slot, from))?;
            for what in [TextKind::Carry, TextKind::Own, TextKind::Owed] {
                if let (name @ 1.., len) = text_in(&slot, from, what) {
                    texts.push(arena.claim(name).filter(|blob| len <= blob.len())?);
                }
            }
        }
        let state = arena.claim((word(STATE) >> 32) as u32)?;
        Some((word(ID), state, texts))
    }

    /// What a dead process has claimed. Not to be asked where the state says that nothing is joined:
    /// whatever stands there then may have been another session's since.
    pub(crate) fn claims(&self) -> [Claim; 2] {
        Side::BOTH.map(|side| {
            let [buffer, pipe] = [BUFFER, PIPE].map(|word| self.load(word + 16 * side.index()));
            Claim::decode(self.blob.arena(), buffer, pipe)
        })
    }

    /// A process has crashed with this session in hand; gives how many have.
    pub(crate) fn blame(&self) -> u64 {
        let times = self.load(BLAME) + 1;
        self.store(BLAME, times);
        times
    }

    /// No successor goes on with this session: there was no memory to write down how.
    fn give_up(&self) {
        self.store(ID, 0);
    }

    fn load(&self, word: usize) -> u64 {
        self.blob.word(word).load(Ordering::Relaxed)
    }

    fn store(&self, word: usize, value: u64) {
        self.blob.word(word).store(value, Ordering::Release);
        // Nor may what follows come before it.
        compiler_fence(Ordering::SeqCst);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.store(ID, 0);
    }
}

impl Draft<'_> {
    /// This direction has come so far.
    pub(crate) fn mark(&mut self, from: Side, mark: &Mark) {
        let at = PROGRESS * from.index();
        mark.encode(&mut self.slot[at..at + MARK]);
    }

    /// Notes bytes of a direction.
    pub(crate) fn note(&mut self, from: Side, what: TextKind, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.set_text(from, what, 0);
        }
        match self.record.blob.arena().allocate(bytes.len()) {
            Ok(mut blob) => {
                blob[..bytes.len()].copy_from_slice(bytes);
                self.set_text(from, what, u64::from(blob.name()) << 32 | bytes.len() as u64);
                self.record.texts.push(blob);
            }
            Err(_) => self.fails = true,
        }
    }

    fn set_text(&mut self, from: Side, what: TextKind, word: u64) {
        let at = text_at(from, what);
        self.slot[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }

    /// From now on a successor begins here.
    pub(crate) fn publish(self) {
        let Self { record, slot, fails } = self;
        if fails {
            record.give_up();
        }
        let sequence = record.load(SEQUENCE) + 1;
        let at = slot_at(sequence);
        record.blob[at..at + SLOT].copy_from_slice(&slot);
        crate::sys::kill_point();
        record.store(SEQUENCE, sequence);
        crate::sys::kill_point();
        if !record.texts.is_empty() {
            record.texts.retain(|blob| names(&slot).any(|name| name == blob.name()));
        }
        if record.texts.is_empty() {
            record.texts = Vec::new();
        }
    }
}

/// Which bytes of a direction, see [`Progress`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextKind {
    Carry,
    Own,
    Owed,
}

impl Mark {
    fn encode(&self, out: &mut [u8]) {
        out[..8].copy_from_slice(&self.taken.to_ne_bytes());
        out[8..16].copy_from_slice(&self.given.to_ne_bytes());
        out[16..20].copy_from_slice(&self.tokens[0].to_ne_bytes());
        out[20..24].copy_from_slice(&self.tokens[1].to_ne_bytes());
        out[24] = self.position.is_some().into();
        if let Some(position) = &self.position {
            out[25..].copy_from_slice(&position.encode());
        }
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_ne_bytes(octets.get(at..at + 8)?.try_into().ok()?));
        let short = |at: usize| Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?));
        let position = match octets.get(24)? {
            0 => None,
            _ => Some(Position::decode(octets.get(25..)?.try_into().ok()?)?),
        };
        let tokens = [short(16)?, short(20)?];
        Some(Self { taken: long(0)?, given: long(8)?, tokens, position })
    }
}

impl Claim {
    fn decode(arena: &Arc<Arena>, buffer: u64, pipe: u64) -> Self {
        let blob = arena.claim((buffer >> 32) as u32);
        let bytes = (buffer as u32 as usize).checked_sub(1);
        Self { buffer: blob.map(|blob| (blob, bytes)), pipe: (pipe != 0).then_some(pipe as u32) }
    }
}

fn slot_at(sequence: u64) -> usize {
    SLOTS + SLOT * (sequence as usize & 1)
}

fn mark_in(slot: &[u8; SLOT], from: Side) -> &[u8] {
    let at = PROGRESS * from.index();
    &slot[at..at + MARK]
}

fn text_at(from: Side, what: TextKind) -> usize {
    PROGRESS * from.index() + MARK + 8 * what as usize
}

/// The name of the blob with these bytes, 0 where there are none, and their number.
fn text_in(slot: &[u8; SLOT], from: Side, what: TextKind) -> (u32, usize) {
    let at = text_at(from, what);
    let word = u64::from_ne_bytes(std::array::from_fn(|n| slot[at + n]));
    ((word >> 32) as u32, word as u32 as usize)
}

/// The names of all texts.
fn names(slot: &[u8; SLOT]) -> impl Iterator<Item = u32> {
    let of_side = |from| {
        [TextKind::Carry, TextKind::Own, TextKind::Owed].map(|what| text_in(slot, from, what).0)
    };
    Side::BOTH.into_iter().flat_map(of_side)
}
