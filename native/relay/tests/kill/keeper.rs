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
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::worker::{KEEPER, SCENE};

pub type Label = [u8; 16];

const HOLD: u8 = 1;
const DROP: u8 = 2;
const READY: u8 = 3;
const HELD: u8 = 16;
const ALL: u8 = 17;
const LISTENER: u8 = 3;

pub struct Keeper {
    pub held: BTreeMap<Label, OwnedFd>,
    child: Option<(Child, OwnedFd)>,
    /// The present process has begun, or has taken over.
    pub ready: bool,
}

impl Keeper {
    pub fn new() -> Self {
        Self { held: BTreeMap::new(), child: None, ready: false }
    }

    /// Starts a process for this scene and gives it what is held. `kill_after`: it kills itself at
    /// that point.
    pub fn start(&mut self, scene: &str, kill_after: Option<u64>) {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::empty(), None)
                .unwrap();
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "worker_process", "--nocapture"]);
        command.env(SCENE, scene);
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
        self.ready = false;
    }

    /// Until so many sessions have both listeners: their ports by number.
    pub fn wait_for_sessions(&mut self, many: usize) -> Vec<(u64, [SocketAddr; 2])> {
        self.wait_until_ready();
        (1..=many as u64).map(|id| (id, self.ports(id).expect("two listeners"))).collect()
    }

    /// Until the process has begun, or has taken over, or is dead.
    pub fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while !self.ready && !self.is_dead() {
            assert!(begun.elapsed() < Duration::from_secs(20), "not ready");
            self.live_for(Duration::from_millis(1));
        }
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
            READY => self.ready = true,
            other => panic!("message {other}"),
        }
        true
    }

    /// The process gets no descriptor any more.
    pub fn starve(&self) {
        let (child, _) = self.child.as_ref().unwrap();
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        prlimit(Some(Pid::from_child(child)), Resource::Nofile, none).unwrap();
    }

    /// Whether it has died by itself.
    pub fn is_dead(&mut self) -> bool {
        let (child, _) = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_some()
    }

    /// Whether it holds a connection of this session.
    pub fn has_connections(&self, session: u64) -> bool {
        let is_one = |label: &Label| label[1] != LISTENER && label[8..] == session.to_le_bytes();
        self.held.keys().any(is_one)
    }

    /// The ports of both listeners of a session, once they are there.
    pub fn ports(&self, session: u64) -> Option<[SocketAddr; 2]> {
        let mut ports = [None; 2];
        for (label, fd) in &self.held {
            if label[1] == LISTENER && label[8..] == session.to_le_bytes() {
                ports[usize::from(label[2])] = SocketAddr::try_from(getsockname(fd).ok()?).ok();
            }
        }
        Some([ports[0]?, ports[1]?])
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

/// In the child: all is done.
pub fn tell_ready(keeper: &OwnedFd) {
    say(keeper, &[READY, 1, 0, 0], &mut SendAncillaryBuffer::default());
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
