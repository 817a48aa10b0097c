//! Blobs of shared memory. Which are in use is nowhere written down: it follows from the records,
//! which are blobs of a class of their own, and whoever opens an arena claims what they name.

use std::collections::HashSet;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shared::Shared;

/// The memory, cut into slabs, each slab into blobs of one class.
#[derive(Debug)]
pub(crate) struct Arena {
    shared: Shared,
    free: Mutex<Free>,
}

/// A piece of an arena, in nobody else's hands. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Blob {
    arena: Arc<Arena>,
    name: u32,
    class: u8,
}

#[derive(Debug, Default)]
struct Free {
    /// Free blobs by class.
    lists: [Vec<u32>; SIZES.len()],
    /// Slabs so far, the first one included, which holds the arena's own words.
    slabs: usize,
    /// While an arena is being opened: what is in use.
    claimed: HashSet<u32>,
}

/// Changes with every change of what is written: another version's memory is not understood.
const VERSION: u64 = 0x6d73_7270_0000_0004;
/// A blob's name is its place in these.
const UNIT: usize = 64;
const SLAB: usize = 1 << 20;
/// Bytes of the blobs of each class; the first is that of records.
const SIZES: [usize; 12] =
    [RECORD, 256, 512, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17, BIG];
/// Bytes of a record.
pub(crate) const RECORD: usize = 640;
/// The largest blob; its pages are given back when it is freed.
const BIG: usize = 1 << 19;
/// Words of the first slab: version, slabs, then a word for the class of every slab.
const CLASSES: usize = 2;
const MOST_SLABS: usize = SLAB / 8 - CLASSES - HANDS - 1;
/// The last words of the first slab: which session each thread has in hand.
const HANDS: usize = 64;

impl Arena {
    /// A new one.
    pub(crate) fn create() -> io::Result<Arc<Self>> {
        let shared = Shared::create("msrprelay")?;
        shared.grow(SLAB)?;
        shared.word(8).store(1, Ordering::Relaxed);
        shared.word(0).store(VERSION, Ordering::Release);
        let free = Mutex::new(Free { slabs: 1, ..Free::default() });
        Ok(Arc::new(Self { shared, free }))
    }

    /// One that a process before this one has left. [`Claim`](Self::claim) what is in use, then
    /// [`sweep`](Self::sweep).
    ///
    /// # Errors
    /// `InvalidData`: of another version, or no arena.
    pub(crate) fn open(file: OwnedFd) -> io::Result<Arc<Self>> {
        let shared = Shared::map(file)?;
        let len = shared.len()?;
        let is_known = len >= SLAB && shared.word(0).load(Ordering::Acquire) == VERSION;
        let slabs = if is_known { shared.word(8).load(Ordering::Acquire) as usize } else { 0 };
        if slabs == 0 || slabs > MOST_SLABS || slabs * SLAB > len {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "records of another version"));
        }
        let free = Mutex::new(Free { slabs, ..Free::default() });
        Ok(Arc::new(Self { shared, free }))
    }

    /// A blob of at least `len` bytes, of any content.
    ///
    /// # Errors
    /// `OutOfMemory`, also for more than 512 KiB.
    pub(crate) fn allocate(self: &Arc<Self>, len: usize) -> io::Result<Blob> {
        let class = (1..SIZES.len()).find(|class| SIZES[*class] >= len);
        self.take(class.ok_or(io::ErrorKind::OutOfMemory)?)
    }

    /// A record, all zero.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(crate) fn record(self: &Arc<Self>) -> io::Result<Blob> {
        let mut record = self.take(0)?;
        record.fill(0);
        Ok(record)
    }

    /// The names of the records whose first word is not 0.
    pub(crate) fn records(&self) -> Vec<u32> {
        let slabs = self.free().slabs;
        let records = (1..slabs).filter(|slab| self.class(*slab) == 0);
        let first_word = |name: &u32| self.shared.word(*name as usize * UNIT);
        let in_use = |name: &u32| first_word(name).load(Ordering::Acquire) != 0;
        records.flat_map(|slab| names(slab, 0)).filter(in_use).collect()
    }

    /// Counts what must never be counted twice, in whatever process.
    pub(crate) fn counter(&self) -> &AtomicU64 {
        self.shared.word(SLAB - 8 * HANDS - 8)
    }

    /// The session that this thread has in hand; 0: none. Threads beyond the 64th share.
    pub(crate) fn hand(&self, thread: usize) -> &AtomicU64 {
        self.shared.word(SLAB - 8 * HANDS + 8 * (thread % HANDS))
    }

    /// The sessions that all threads of a dead process had in hand.
    pub(crate) fn empty_hands(&self) -> Vec<u64> {
        let hands = (0..HANDS).map(|thread| self.hand(thread).swap(0, Ordering::Relaxed));
        hands.filter(|session| *session != 0).collect()
    }

    /// The blob of that name, for the one who holds its name. `None` where there is none, or where
    /// it was claimed before.
    pub(crate) fn claim(self: &Arc<Self>, name: u32) -> Option<Blob> {
        let at = name as usize * UNIT;
        let slab = at / SLAB;
        let mut free = self.free();
        let class = (1..free.slabs).contains(&slab).then(|| self.class(slab))?;
        let size = *SIZES.get(class)?;
        let within = at % SLAB;
        let is_blob = within.is_multiple_of(size) && within + size <= SLAB;
        (is_blob && free.claimed.insert(name)).then(|| Blob {
            arena: Arc::clone(self),
            name,
            class: class as u8,
        })
    }

    /// Everything that was not claimed is free.
    pub(crate) fn sweep(&self) {
        let mut free = self.free();
        let claimed = std::mem::take(&mut free.claimed);
        for slab in 1..free.slabs {
            let class = self.class(slab);
            let Some(list) = free.lists.get_mut(class) else { continue };
            list.extend(names(slab, class).filter(|name| !claimed.contains(name)));
        }
    }

    fn take(self: &Arc<Self>, class: usize) -> io::Result<Blob> {
        let mut free = self.free();
        if free.lists[class].is_empty() {
            self.add_slab(class, &mut free)?;
        }
        let name = free.lists[class].pop().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Blob { arena: Arc::clone(self), name, class: class as u8 })
    }

    fn add_slab(&self, class: usize, free: &mut Free) -> io::Result<()> {
        let slab = free.slabs;
        if slab >= MOST_SLABS {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.shared.grow((slab + 1) * SLAB)?;
        self.shared.word(8 * (CLASSES + slab)).store(class as u64, Ordering::Relaxed);
        self.shared.word(8).store(slab as u64 + 1, Ordering::Release);
        free.slabs = slab + 1;
        free.lists[class].extend(names(slab, class));
        Ok(())
    }

    fn class(&self, slab: usize) -> usize {
        self.shared.word(8 * (CLASSES + slab)).load(Ordering::Relaxed) as usize
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Arena {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.as_fd()
    }
}

/// The blobs of a slab, the last one first: lists are used from their end.
fn names(slab: usize, class: usize) -> impl Iterator<Item = u32> {
    let size = SIZES.get(class).copied().unwrap_or(SLAB);
    (0..SLAB / size).rev().map(move |place| ((slab * SLAB + place * size) / UNIT) as u32)
}

impl Blob {
    /// What to claim it by.
    pub(crate) fn name(&self) -> u32 {
        self.name
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// The word at `at`, a multiple of 8, of a record.
    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(self.class == 0 && at + 8 <= RECORD);
        self.arena.shared.word(self.at() + at)
    }

    fn at(&self) -> usize {
        self.name as usize * UNIT
    }

    fn size(&self) -> usize {
        SIZES[usize::from(self.class)]
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let place = self.arena.shared.place(self.at(), self.size());
        // SAFETY: inside a slab, so inside the file and the mapping, which live as long as the
        // arena. Nobody else has this blob: the free lists hold each name once, `claim` gives each
        // once. A record's words are stored through `&self` while no slice of it is borrowed:
        // `keep::record` borrows one only to copy.
        unsafe { slice::from_raw_parts(place.as_ptr(), self.size()) }
    }
}

impl DerefMut for Blob {
    fn deref_mut(&mut self) -> &mut [u8] {
        let place = self.arena.shared.place(self.at(), self.size());
        // SAFETY: as above, and borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(place.as_ptr(), self.size()) }
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if self.size() == BIG {
            self.arena.shared.forget(self.at(), BIG);
        }
        self.arena.free().lists[usize::from(self.class)].push(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_there_again_and_the_rest_is_free() {
        let first = Arena::create().unwrap();
        let mut kept = first.allocate(300).unwrap();
        kept.fill(7);
        let record = first.record().unwrap();
        record.word(0).store(1, Ordering::Relaxed);
        record.word(8).store(kept.name().into(), Ordering::Relaxed);
        let lost = first.allocate(400).unwrap();
        let names = [kept.name(), lost.name(), record.name()];
        // As a killed process leaves it: nothing is given back.
        let file = first.as_fd().try_clone_to_owned().unwrap();
        std::mem::forget((kept, record, lost));

        let second = Arena::open(file).unwrap();
        assert_eq!(second.records(), [names[2]]);
        let record = second.claim(names[2]).unwrap();
        let kept = second.claim(record.word(8).load(Ordering::Relaxed) as u32).unwrap();
        assert!(second.claim(names[0]).is_none(), "claimed twice");
        assert!(second.claim(names[0] + 1).is_none(), "no blob begins there");
        second.sweep();
        assert!(kept.iter().all(|byte| *byte == 7) && kept.len() == 512);
        let again: Vec<Blob> = (0..SLAB / 512 - 1).map(|_| second.allocate(512).unwrap()).collect();
        let taken: Vec<u32> = again.iter().map(Blob::name).collect();
        assert!(taken.contains(&names[1]) && !taken.contains(&names[0]));
        assert_eq!(second.free().slabs, 3);
    }

    #[test]
    fn a_big_blob_gives_its_pages_back() {
        let arena = Arena::create().unwrap();
        let blocks = || rustix::fs::fstat(&*arena).unwrap().st_blocks * 512;
        let before = blocks();
        let mut big = arena.allocate(BIG).unwrap();
        big.fill(1);
        assert!(blocks() >= before + BIG as i64);
        drop(big);
        assert!(blocks() < before + 65536);
    }

    #[test]
    fn another_versions_memory_is_refused() {
        let arena = Arena::create().unwrap();
        arena.shared.word(0).store(VERSION + 1, Ordering::Relaxed);
        let file = arena.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(Arena::open(file).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let empty = Shared::create("x").unwrap();
        let file = empty.as_fd().try_clone_to_owned().unwrap();
        assert_eq!(Arena::open(file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
