use crate::end_line::MAX_TID;

/// Where a [`Rewriter`](crate::Rewriter) stands between two pushes: all it remembers of what it has
/// decided. What it has seen and not decided is looked at again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// Chunks forwarded so far.
    pub(crate) chunks: u64,
    /// Requests with a foreign `From-Path` so far.
    pub(crate) foreign: u64,
    /// Octets of the body in the reading that its range claims and that have not come.
    pub(crate) ahead: u64,
    /// Of the chunk whose body is in the reading; empty between bodies.
    pub(crate) tid: [u8; MAX_TID],
    pub(crate) tid_len: u8,
    /// Nothing of the body has been given.
    pub(crate) fresh: bool,
    /// That chunk goes to the receiver.
    pub(crate) forwarded: bool,
}

impl Position {
    /// Octets of [`encode`](Self::encode).
    pub const OCTETS: usize = 3 * 8 + MAX_TID + 3;

    /// As plain octets, for [`decode`](Self::decode) in this or another process on the machine.
    pub fn encode(&self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        let numbers = [self.chunks, self.foreign, self.ahead];
        for (place, number) in octets.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        octets[24..24 + MAX_TID].copy_from_slice(&self.tid);
        let flags = [self.tid_len, u8::from(self.fresh), u8::from(self.forwarded)];
        octets[24 + MAX_TID..].copy_from_slice(&flags);
        octets
    }

    /// `None` for what [`encode`](Self::encode) cannot have given.
    pub fn decode(octets: &[u8; Self::OCTETS]) -> Option<Self> {
        let number = |at: usize| {
            let octets = octets.get(8 * at..8 * at + 8)?;
            Some(u64::from_ne_bytes(octets.try_into().ok()?))
        };
        let [tid_len, fresh, forwarded] = *octets.last_chunk()?;
        let flag = |octet: u8| (octet < 2).then_some(octet == 1);
        (usize::from(tid_len) <= MAX_TID).then_some(())?;
        Some(Self {
            chunks: number(0)?,
            foreign: number(1)?,
            ahead: number(2)?,
            tid: octets.get(24..24 + MAX_TID)?.try_into().ok()?,
            tid_len,
            fresh: flag(fresh)?,
            forwarded: flag(forwarded)?,
        })
    }

    /// Of the chunk whose body is in the reading, if one is.
    pub(crate) fn tid(&self) -> Option<&[u8]> {
        self.tid.get(..usize::from(self.tid_len)).filter(|tid| !tid.is_empty())
    }
}
