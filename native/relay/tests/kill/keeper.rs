//! The keeper as the test has it: holds, lets go, kills, reaps, and gives everything to the next.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::IoSliceMut;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, getsockname, recvmsg, sendmsg,
    socketpair,
};

use super::worker::KEEPER;

pub type Label = [u8; 16];

const HOLD: u8 = 1;
const DROP: u8 = 2;
const HELD: u8 = 16;
const ALL: u8 = 17;
const LISTENER: u8 = 3;

pub struct Keeper {
    held: BTreeMap<Label, OwnedFd>,
    child: Option<(Child, OwnedFd)>,
}

impl Keeper {
    pub fn new() -> Self {
        Self { held: BTreeMap::new(), child: None }
    }

    /// Starts a process and gives it what is held. `kill_after`: it kills itself at that point.
    pub fn start(&mut self, kill_after: Option<u64>) {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::empty(), None)
                .unwrap();
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "worker_process", "--nocapture"]);
        command.env(KEEPER, theirs.as_raw_fd().to_string()).stdout(Stdio::null());
        if let Some(after) = kill_after {
            command.env("MSRPRELAY_KILL_AFTER", after.to_string());
        }
        let child = command.spawn().unwrap();
        drop(theirs);
        for (label, fd) in &self.held {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds = [fd.as_fd()];
            control.push(SendAncillaryMessage::ScmRights(&fds));
            say(&ours, &[&[HELD, 1, 1, 0][..], label].concat(), &mut control);
        }
        say(&ours, &[ALL, 1, 0, 0], &mut SendAncillaryBuffer::default());
        self.child = Some((child, ours));
    }

    /// Until so many sessions have both listeners: their ports by number.
    pub fn wait_for_sessions(&mut self, many: usize) -> Vec<(u64, [SocketAddr; 2])> {
        let mut sessions = BTreeMap::<u64, [Option<SocketAddr>; 2]>::new();
        let begun = Instant::now();
        while sessions.len() < many || sessions.values().flatten().any(Option::is_none) {
            assert!(begun.elapsed() < Duration::from_secs(20), "no sessions: {sessions:?}");
            self.live_for(Duration::from_millis(5));
            for (label, fd) in &self.held {
                if label[1] == LISTENER {
                    let id = u64::from_le_bytes(*label.last_chunk().unwrap());
                    let at = SocketAddr::try_from(getsockname(fd).unwrap()).unwrap();
                    sessions.entry(id).or_default()[usize::from(label[2])] = Some(at);
                }
            }
        }
        sessions.into_iter().map(|(id, ports)| (id, ports.map(Option::unwrap))).collect()
    }

    /// Holds and lets go as the process says, for a while or until it dies.
    pub fn live_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let (_, socket) = self.child.as_ref().unwrap();
            let mut fds = [PollFd::new(socket, PollFlags::IN)];
            let wait = Timespec { tv_sec: 0, tv_nsec: left.as_nanos() as i64 };
            if poll(&mut fds, Some(&wait)).unwrap_or(0) == 0 || !self.take() {
                return;
            }
        }
    }

    /// Kills it, waits until it is reaped, and takes what it had still said.
    pub fn kill(&mut self) {
        let (child, _) = self.child.as_mut().unwrap();
        let _ = child.kill();
        let status = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
        while self.take() {}
        self.child = None;
    }

    /// One message; false at the end.
    fn take(&mut self) -> bool {
        let (_, socket) = self.child.as_ref().unwrap();
        let Some((message, fds)) = hear(socket) else { return false };
        let labels = message[4..].chunks_exact(16).map(|label| Label::try_from(label).unwrap());
        match message[0] {
            HOLD => self.held.extend(labels.zip(fds)),
            DROP => {
                labels.for_each(|label| assert!(self.held.remove(&label).is_some(), "{label:?}"))
            }
            other => panic!("message {other}"),
        }
        true
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// In the child: everything that is held.
pub fn receive(keeper: &OwnedFd) -> Vec<(Label, OwnedFd)> {
    let mut left = Vec::new();
    loop {
        let (message, fds) = hear(keeper).expect("the keeper is there");
        match message[0] {
            HELD => {
                let labels = message[4..].chunks_exact(16);
                left.extend(labels.map(|label| Label::try_from(label).unwrap()).zip(fds));
            }
            ALL => return left,
            other => panic!("message {other}"),
        }
    }
}

fn say(socket: &OwnedFd, message: &[u8], control: &mut SendAncillaryBuffer<'_, '_, '_>) {
    sendmsg(socket, &[IoSlice::new(message)], control, SendFlags::NOSIGNAL).ok();
}

fn hear(socket: &OwnedFd) -> Option<(Vec<u8>, Vec<OwnedFd>)> {
    let mut buffer = [0; 512];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, flags).ok()?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    (got.bytes > 0).then(|| (buffer[..got.bytes].to_vec(), fds))
}
