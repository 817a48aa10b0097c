//! TCP_INFO: what the kernel knows about a connection, see tcp(7) and `linux/tcp.h`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// The beginning of the kernel's `struct tcp_info`, up to the last field used here.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Raw {
    state: u8,
    bytes: [u8; 7],
    rto_to_rcv_mss: [u32; 4],
    unacked: u32,
    sacked_to_fackets: [u32; 4],
    last_data_sent: u32,
    last_ack_sent: u32,
    last_data_recv: u32,
    last_ack_recv_to_total_retrans: [u32; 12],
    pacing: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segs: [u32; 2],
    notsent_bytes: u32,
    min_rtt_to_data_segs_out: [u32; 3],
    delivery_rate_to_sndbuf_limited: [u64; 4],
    delivered: [u32; 2],
    bytes_sent_and_retrans: [u64; 2],
    dsack_dups: u32,
    reord_seen: u32,
    rcv_ooopack: u32,
    snd_wnd: u32,
    rcv_wnd: u32,
}

/// State of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Still connecting.
    Opening,
    /// Both directions open, as far as the peer is concerned.
    Open,
    /// The peer has sent FIN.
    PeerClosed,
    /// Gone: reset, timed out, refused or never connected.
    Dead,
}

/// What is read of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpInfo {
    pub(crate) state: State,
    /// Segments sent and not acknowledged.
    pub(crate) unacked: u32,
    /// Bytes in the send queue that were never sent.
    pub(crate) notsent: u32,
    /// The window the peer announced last.
    pub(crate) window: u32,
    /// The window the peer was offered last, where the kernel tells it (Linux 6.2).
    pub(crate) offered: Option<u32>,
}

/// Reads it.
pub(crate) fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let (raw, len) = raw_and_length(socket.as_fd())?;
    let state = match raw.state {
        1 | FIN_WAIT1 | FIN_WAIT2 => State::Open,
        2 | 3 => State::Opening,
        TIME_WAIT | CLOSE_WAIT | LAST_ACK | CLOSING => State::PeerClosed,
        _ => State::Dead,
    };
    let offered = (len == size_of::<Raw>()).then_some(raw.rcv_wnd);
    let Raw { unacked, notsent_bytes: notsent, snd_wnd: window, .. } = raw;
    Ok(TcpInfo { state, unacked, notsent, window, offered })
}

fn raw(socket: BorrowedFd<'_>) -> io::Result<Raw> {
    raw_and_length(socket).map(|(raw, _)| raw)
}

/// Older kernels give less of it.
fn raw_and_length(socket: BorrowedFd<'_>) -> io::Result<(Raw, usize)> {
    let mut raw = Raw::default();
    let mut len = size_of::<Raw>() as libc::socklen_t;
    // SAFETY: `raw` is plain integers, valid for any bytes, and `len` is its size; the kernel
    // writes at most `len` bytes; the descriptor is open while it is borrowed.
    let ret = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut raw).cast(),
            &raw mut len,
        )
    };
    if ret != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((raw, len as usize))
}

/// Bytes that were read from a connection so far. Only for one that nobody reads: the two counts
/// behind it are taken one after the other.
///
/// A FIN counts as received as soon as it has arrived, and never as readable. `was_reset`: an RST
/// ended it, and came before a FIN. One behind the FINs of both sides is not told apart: then this
/// is one more.
pub(crate) fn taken(socket: impl AsFd, was_reset: bool) -> io::Result<u64> {
    loop {
        let before = raw(socket.as_fd())?;
        let unread = rustix::io::ioctl_fionread(socket.as_fd())?;
        let after = raw(socket.as_fd())?;
        if (before.bytes_received, before.state) == (after.bytes_received, after.state) {
            let fin = match after.state {
                CLOSE => !was_reset,
                state => matches!(state, CLOSE_WAIT | LAST_ACK | CLOSING | TIME_WAIT),
            };
            return Ok(after.bytes_received.saturating_sub(unread + u64::from(fin)));
        }
    }
}

/// Bytes that were written to a connection so far, a SYN of ours included. Only for one that nobody
/// writes to.
///
/// A FIN counts as soon as shutdown(2) was called.
pub(crate) fn given(socket: impl AsFd) -> io::Result<u64> {
    loop {
        let before = raw(socket.as_fd())?;
        let queued = unsent(socket.as_fd())?;
        let after = raw(socket.as_fd())?;
        if (before.bytes_acked, before.state) == (after.bytes_acked, after.state) {
            let fin = u64::from(is_behind_fin(after.state));
            return Ok((after.bytes_acked + queued).saturating_sub(fin));
        }
    }
}

/// For how long no data has come, and for how long none was sent.
pub(crate) fn quiet(socket: impl AsFd) -> io::Result<[Duration; 2]> {
    let raw = raw(socket.as_fd())?;
    Ok([raw.last_data_recv, raw.last_data_sent].map(|millis| Duration::from_millis(millis.into())))
}

/// Whether shutdown(2) was called for a connection, or it is gone.
pub(crate) fn has_sent_fin(socket: impl AsFd) -> bool {
    raw(socket.as_fd()).is_ok_and(|raw| is_behind_fin(raw.state))
}

/// Whether we have [reset](super::tcp::reset) it: then the kernel has forgotten what it had counted.
pub(crate) fn is_forgotten(socket: impl AsFd) -> bool {
    let nothing = |raw: Raw| raw.bytes_acked == 0 && raw.bytes_received == 0;
    raw(socket.as_fd()).is_ok_and(|raw| raw.state == CLOSE && nothing(raw))
}

const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;
const LAST_ACK: u8 = 9;
const CLOSING: u8 = 11;

fn is_behind_fin(state: u8) -> bool {
    matches!(state, FIN_WAIT1 | FIN_WAIT2 | CLOSING | LAST_ACK | TIME_WAIT | CLOSE)
}

/// SIOCOUTQ: bytes in the send queue, sent or not, that the peer has not acknowledged.
fn unsent(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one int to where its argument points; the descriptor is open.
    let ret = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if ret != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn offsets_agree_with_the_kernel() {
        // An open window, then a stalled reader: sent bytes stay unsent and the window closes.
        let (near, far) = pair();
        assert!(tcp_info(&near).unwrap().window > 0);
        near.set_nonblocking(true).unwrap();
        let block = vec![0; 1 << 20];
        while (&near).write(&block).is_ok() {}
        let info = tcp_info(&near).unwrap();
        assert_eq!(info.state, State::Open);
        assert!(info.notsent > 0, "{info:?}");
        drop(far);
    }

    #[test]
    fn counts_bytes_and_neither_syn_nor_fin() {
        let (near, far) = pair();
        let counts = |socket: &TcpStream| (taken(socket, false).unwrap(), given(socket).unwrap());
        assert_eq!((counts(&near), counts(&far)), ((0, 1), (0, 0)), "only a SYN of ours counts");
        (&near).write_all(&[7; 1000]).unwrap();
        let mut some = [0; 300];
        (&far).read_exact(&mut some).unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert!(has_sent_fin(&near) && !has_sent_fin(&far));
        (&far).write_all(b"still here").unwrap();
        let mut back = [0; 10];
        (&near).read_exact(&mut back).unwrap();
        // The FIN has arrived: what came behind it has.
        assert_eq!((counts(&near), counts(&far)), ((10, 1001), (300, 10)));
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&near).read(&mut back).unwrap(), 0);
        assert_eq!((counts(&near), counts(&far)), ((10, 1001), (300, 10)));
    }

    #[test]
    fn tells_for_how_long_nothing_has_moved() {
        let (near, far) = pair();
        let begun = std::time::Instant::now();
        let rest = Duration::from_millis(30);
        assert_eq!(poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 30_000_000 })), Ok(0));
        (&near).write_all(b"hello").unwrap();
        (&far).read_exact(&mut [0; 5]).unwrap();
        let ([near_in, near_out], [far_in, far_out]) =
            (quiet(&near).unwrap(), quiet(&far).unwrap());
        // The kernel's clock may tick in steps of 10 ms.
        let least = rest - Duration::from_millis(10);
        assert!(near_in >= least && far_out >= least, "{near_in:?} {far_out:?}");
        let most = begun.elapsed() - least;
        assert!(near_out <= most && far_in <= most, "{near_out:?} {far_in:?}");
    }

    #[test]
    fn counts_no_fin_of_a_peer_that_resets() {
        let (near, far) = pair();
        (&near).write_all(&[7; 1000]).unwrap();
        (&far).read_exact(&mut [0; 300]).unwrap();
        super::super::tcp::reset(near);
        // The end is always told, whatever is asked for.
        let mut ended = [PollFd::new(&far, PollFlags::empty())];
        assert_eq!(poll(&mut ended, None), Ok(1));
        // What was not read stays readable.
        assert_eq!(taken(&far, true).unwrap(), 300);
        assert_eq!(taken(&far, false).unwrap(), 299);
    }

    #[test]
    fn names_the_peers_fin() {
        let (near, far) = pair();
        far.shutdown(Shutdown::Write).unwrap();
        let mut buf = [0];
        assert_eq!(near.peek(&mut buf).unwrap(), 0);
        assert_eq!(tcp_info(&near).unwrap().state, State::PeerClosed);
        assert_eq!(tcp_info(&far).unwrap().state, State::Open);
    }
}
