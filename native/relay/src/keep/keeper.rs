//! Duplicates of descriptors in the hands of the keeper, a process that outlives this one.
//!
//! One direction only: what is held and what is let go of. The keeper knows labels, not what they
//! mean; the wire is that of `msrprelay/keeping/wire.py`.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use msrp_proto::session::Side;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, IoSlice};
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, sendmsg, shutdown,
};

use crate::sys::clock;

/// Bytes of a label on the wire.
pub(crate) const LABEL: usize = 16;

/// What a kept descriptor is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Label {
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    /// Tells descriptors apart; never used twice.
    pub(crate) token: u32,
    /// 0 for what belongs to no session.
    pub(crate) session: u64,
}

/// See [`Label`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The memory with the records.
    Arena,
    /// An accepted connection.
    Accepted,
    /// A connection that the relay made, or makes.
    Dialled,
    Listener,
    /// An end of a pipe: A is the exit, B the entry. Both have the same token.
    Pipe,
}

/// The way to the keeper, for all threads.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// Another one after the keeper has died.
    socket: RwLock<OwnedFd>,
    /// Let go of, and not told yet.
    loose: Mutex<Vec<Label>>,
}

/// A descriptor, and the keeper's duplicate of it, which is let go of with it.
#[derive(Debug)]
pub(crate) struct Held {
    fd: OwnedFd,
    hold: Option<Box<Hold>>,
}

#[derive(Debug)]
struct Hold {
    label: Label,
    keeper: Arc<Keeper>,
}

/// Labels of one message.
const MOST: usize = 16;
const HOLD: u8 = 1;
const DROP: u8 = 2;
const VERSION: u8 = 1;
/// The room of the engine's labels among others'.
const ROOM: u8 = b'e';
/// How long a keeper that does not take anything is waited for, once. It does nothing but take.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two attempts where so many descriptors are on their way that the kernel takes no more.
const PAUSE: Duration = Duration::from_millis(1);

impl Label {
    pub(crate) fn encode(self) -> [u8; LABEL] {
        let kind = match self.kind {
            Kind::Arena => 0,
            Kind::Accepted => 1,
            Kind::Dialled => 2,
            Kind::Listener => 3,
            Kind::Pipe => 4,
        };
        let mut label = [0; LABEL];
        label[..4].copy_from_slice(&[ROOM, kind, self.side.index() as u8, 0]);
        label[4..8].copy_from_slice(&self.token.to_le_bytes());
        label[8..].copy_from_slice(&self.session.to_le_bytes());
        label
    }

    pub(crate) fn decode(label: &[u8; LABEL]) -> Option<Self> {
        let [ROOM, kind, side, 0, rest @ ..] = label else { return None };
        let kind = match kind {
            0 => Kind::Arena,
            1 => Kind::Accepted,
            2 => Kind::Dialled,
            3 => Kind::Listener,
            4 => Kind::Pipe,
            _ => return None,
        };
        let (token, session) = (rest.first_chunk()?, rest.last_chunk()?);
        Some(Self {
            kind,
            side: *Side::BOTH.get(usize::from(*side))?,
            token: u32::from_le_bytes(*token),
            session: u64::from_le_bytes(*session),
        })
    }
}

impl Keeper {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket: RwLock::new(socket), loose: Mutex::default() }
    }

    /// Another keeper from now on; it holds nothing yet.
    pub(crate) fn replace(&self, socket: OwnedFd) {
        *self.socket.write().unwrap_or_else(PoisonError::into_inner) = socket;
    }

    /// Has these kept. A keeper that is gone is somebody else's business: whoever starts another
    /// one gives it everything.
    pub(crate) fn hold(&self, each: &[(Label, BorrowedFd<'_>)]) {
        let mut fds = [const { None }; 2];
        debug_assert!(each.len() <= fds.len());
        for (place, (_, fd)) in fds.iter_mut().zip(each) {
            *place = Some(*fd);
        }
        let labels = each.iter().map(|(label, _)| *label);
        match fds {
            [Some(a), Some(b)] => self.say(HOLD, labels, &[a, b]),
            [Some(a), _] => self.say(HOLD, labels, &[a]),
            _ => {}
        }
    }

    /// To be [told](Self::tell): nobody waits for a descriptor to be let go of, and a session has
    /// four and more of them.
    fn let_go(&self, label: Label) {
        let mut loose = self.loose.lock().unwrap_or_else(PoisonError::into_inner);
        loose.push(label);
        if loose.len() == MOST {
            self.drop_loose(&mut loose);
        }
    }

    /// Tells what has been let go of; at the end of every turn of a thread.
    pub(crate) fn tell(&self) {
        self.drop_loose(&mut self.loose.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn drop_loose(&self, loose: &mut Vec<Label>) {
        if !loose.is_empty() {
            self.say(DROP, loose.drain(..), &[]);
        }
    }

    fn say(&self, what: u8, labels: impl Iterator<Item = Label>, fds: &[BorrowedFd<'_>]) {
        let mut message = [0; 4 + MOST * LABEL];
        let mut count = 0;
        for (place, label) in message[4..].chunks_exact_mut(LABEL).zip(labels) {
            place.copy_from_slice(&label.encode());
            count += 1;
        }
        message[..4].copy_from_slice(&[what, VERSION, count, 0]);
        let message = &message[..4 + usize::from(count) * LABEL];
        let socket = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        let said = send(&socket, message, fds);
        crate::sys::kill_point();
        if said.is_err_and(is_full) && !send_patiently(&socket, message, fds) {
            // It hangs. Nobody waits for it again: bytes would stand still with every connection
            // that comes or goes. The control plane sees the end, and starts another keeper.
            let _ = shutdown(&*socket, Shutdown::Both);
        }
    }
}

/// The engine has ended, and the process goes on.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.tell();
    }
}

fn is_full(error: Errno) -> bool {
    matches!(error, Errno::AGAIN | Errno::TOOMANYREFS)
}

/// False when there has been no room for too long. One that is gone is none that hangs.
fn send_patiently(socket: &OwnedFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
    let end = clock::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(clock::now());
        let mut room = [PollFd::new(socket, PollFlags::OUT)];
        let wait = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let _ = poll(&mut room, Some(&wait));
        match send(socket, message, fds) {
            Err(error) if is_full(error) && left.is_zero() => return false,
            Err(Errno::TOOMANYREFS) => std::thread::sleep(PAUSE),
            Err(Errno::AGAIN) => {}
            _ => return true,
        }
    }
}

fn send(socket: &OwnedFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match sendmsg(socket, &[IoSlice::new(message)], &mut control, flags) {
            Err(Errno::INTR) => {}
            sent => return sent.map(|_| ()),
        }
    }
}

impl Held {
    /// In nobody's hands but ours.
    pub(crate) fn alone(fd: OwnedFd) -> Self {
        Self { fd, hold: None }
    }

    /// Kept from now on, where there is a keeper.
    pub(crate) fn kept(fd: OwnedFd, keeper: Option<(&Arc<Keeper>, Label)>) -> Self {
        let Some((keeper, label)) = keeper else { return Self::alone(fd) };
        keeper.hold(&[(label, fd.as_fd())]);
        Self::inherited(fd, keeper, label)
    }

    /// Kept already under this label.
    pub(crate) fn inherited(fd: OwnedFd, keeper: &Arc<Keeper>, label: Label) -> Self {
        let hold = Hold { label, keeper: Arc::clone(keeper) };
        Self { fd, hold: Some(Box::new(hold)) }
    }

    /// What a record calls it; 0 where it is not kept.
    pub(crate) fn token(&self) -> u32 {
        self.hold.as_ref().map_or(0, |hold| hold.label.token)
    }

    /// Somebody else has a duplicate: closing ours ends nothing.
    pub(crate) fn is_kept(&self) -> bool {
        self.hold.is_some()
    }

    /// Has the present keeper keep it, which may be another one than before.
    pub(crate) fn register(&self) {
        if let Some(hold) = &self.hold {
            hold.keeper.hold(&[(hold.label, self.fd.as_fd())]);
        }
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.keeper.let_go(self.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

    const LABELS: [Label; 2] = [
        Label { kind: Kind::Pipe, side: Side::B, token: 7, session: 0 },
        Label { kind: Kind::Accepted, side: Side::A, token: u32::MAX, session: u64::MAX },
    ];

    /// The relay's end and the keeper's.
    fn link() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    }

    #[test]
    fn labels_survive_the_keeper_and_garbage_is_none() {
        for label in LABELS {
            assert_eq!(Label::decode(&label.encode()), Some(label));
        }
        for broken in
            [[0; LABEL], [ROOM; LABEL], [ROOM, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert_eq!(Label::decode(&broken), None);
        }
    }

    #[test]
    fn what_is_dropped_is_let_go_of() {
        let (ours, theirs) = link();
        let keeper = Arc::new(Keeper::new(ours));
        let held = LABELS.map(|label| {
            let fd = theirs.try_clone().unwrap();
            Held::kept(fd, Some((&keeper, label)))
        });
        drop(held);
        keeper.tell();
        let mut heard = Vec::new();
        for _ in 0..3 {
            let mut buf = [0; 64];
            let (n, _) = recv(&theirs, &mut buf, RecvFlags::empty()).unwrap();
            heard.push(buf[..n].to_vec());
        }
        let [a, b] = LABELS.map(Label::encode);
        let hold = |label| [&[HOLD, VERSION, 1, 0][..], label].concat();
        let both = [&[DROP, VERSION, 2, 0][..], &a, &b].concat();
        assert_eq!(heard, [hold(&a), hold(&b), both]);
    }

    #[test]
    fn many_that_are_dropped_are_told_before_anybody_asks() {
        let (ours, theirs) = link();
        let keeper = Keeper::new(ours);
        (0..=MOST).for_each(|_| keeper.let_go(LABELS[0]));
        keeper.tell();
        keeper.tell();
        let length =
            || recv(&theirs, &mut [0; 4 + 2 * MOST * LABEL], RecvFlags::DONTWAIT).map(|(n, _)| n);
        let (first, second, third) = (length(), length(), length());
        assert_eq!((first, second), (Ok(4 + MOST * LABEL), Ok(4 + LABEL)));
        assert_eq!(third, Err(Errno::AGAIN));
    }

    #[test]
    fn a_keeper_that_hangs_is_waited_for_once_and_given_up() {
        let (ours, theirs) = link();
        let control = ours.try_clone().unwrap();
        let keeper = Keeper::new(ours);
        let begun = clock::now();
        // It takes some hundreds.
        for _ in 0..2000 {
            keeper.let_go(LABELS[0]);
            keeper.tell();
        }
        let waited = clock::now().saturating_duration_since(begun);
        assert!(waited < 3 * PATIENCE, "{waited:?}");
        // Whoever starts another one sees the end.
        let (n, _) = recv(&control, &mut [0; 64], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(n, 0);
        let (another, at_keeper) = link();
        keeper.replace(another);
        keeper.let_go(LABELS[0]);
        keeper.tell();
        let (n, _) = recv(&at_keeper, &mut [0; 64], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(n, 4 + LABEL);
        drop(theirs);
    }
}
