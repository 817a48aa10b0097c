//! Both ends of every session connect, and each gets the other's first frame. One session after
//! the other, blocking: how long that takes is not measured here.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::msrp;
use crate::plan::{Endpoint, Plan, Session};

/// A system that takes longer than this to pass a first frame on has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The two ends of a joined session.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) left: TcpStream,
    pub(crate) right: TcpStream,
    /// Length of the answer to a SEND, where the system answers itself.
    pub(crate) answer: Option<usize>,
}

pub(crate) fn meet_all(plan: &Plan, listener: Option<&TcpListener>) -> io::Result<Vec<Ends>> {
    let meet = |session| match plan.answers_itself {
        true => meet_through_answering(session),
        false => meet(session, listener),
    };
    let number = |(number, session)| {
        meet(session).map_err(|error| io::Error::other(format!("session {number}: {error}")))
    };
    plan.sessions.iter().enumerate().map(number).collect()
}

fn meet(session: &Session, listener: Option<&TcpListener>) -> io::Result<Ends> {
    let mut left = connect(session.left.connect)?;
    left.write_all(&bind(&session.left))?;
    let mut right = match (session.right.connect, listener) {
        (None, Some(listener)) => accept(listener)?,
        (address, _) => connect(address)?,
    };
    right.write_all(&bind(&session.right))?;
    expect(&mut right, bind(&session.left).len())?;
    expect(&mut left, bind(&session.right).len())?;
    unblocked(Ends { left, right, answer: None })
}

fn meet_through_answering(session: &Session) -> io::Result<Ends> {
    let mut right = connect(session.right.connect)?;
    right.write_all(&bind(&session.right))?;
    read_frame(&mut right)?;
    let mut left = connect(session.left.connect)?;
    left.write_all(&bind(&session.left))?;
    let answer = Some(read_frame(&mut left)?.len());
    expect(&mut right, bind(&session.left).len())?;
    unblocked(Ends { left, right, answer })
}

fn unblocked(ends: Ends) -> io::Result<Ends> {
    ends.left.set_nonblocking(true)?;
    ends.right.set_nonblocking(true)?;
    Ok(ends)
}

pub(crate) fn bind(end: &Endpoint) -> Vec<u8> {
    msrp::bind(&end.to, &end.from)
}

pub(crate) fn connect(address: Option<SocketAddr>) -> io::Result<TcpStream> {
    let address = address.ok_or_else(|| io::Error::other("nowhere to connect to"))?;
    ready(TcpStream::connect_timeout(&address, PATIENCE)?)
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&patience))? {
        0 => Err(io::Error::other("the system does not dial")),
        _ => ready(listener.accept()?.0),
    }
}

fn ready(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Reads a frame that must have this length: what is counted later rests on it.
fn expect(socket: &mut TcpStream, length: usize) -> io::Result<()> {
    let frame = read_frame(socket)?;
    if frame.len() == length {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&frame);
    Err(io::Error::other(format!("expected a frame of {length} bytes, not {text:?}")))
}

fn read_frame(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = Vec::new();
    let mut buffer = [0; 1024];
    while msrp::frame_length(&frame) != Some(frame.len()) {
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err(io::Error::other("ended before its first frame"));
        }
        frame.extend_from_slice(&buffer[..read]);
    }
    Ok(frame)
}
