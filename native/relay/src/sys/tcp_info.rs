//! TCP_INFO: what the kernel knows about a connection, see tcp(7) and `linux/tcp.h`.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// The beginning of the kernel's `struct tcp_info`, up to the last field used here.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Raw {
    state: u8,
    bytes: [u8; 7],
    rto_to_rcv_mss: [u32; 4],
    unacked: u32,
    sacked_to_total_retrans: [u32; 19],
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
    let mut raw = Raw::default();
    let mut len = size_of::<Raw>() as libc::socklen_t;
    // SAFETY: `raw` is plain integers, valid for any bytes, and `len` is its size; the kernel
    // writes at most `len` bytes; the descriptor is open while it is borrowed.
    let ret = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut raw).cast(),
            &raw mut len,
        )
    };
    if ret != 0 {
        return Err(io::Error::last_os_error());
    }
    let state = match raw.state {
        1 | 4 | 5 => State::Open,
        2 | 3 => State::Opening,
        6 | 8 | 9 | 11 => State::PeerClosed,
        _ => State::Dead,
    };
    let offered = (len as usize == size_of::<Raw>()).then_some(raw.rcv_wnd);
    let Raw { unacked, notsent_bytes: notsent, snd_wnd: window, .. } = raw;
    Ok(TcpInfo { state, unacked, notsent, window, offered })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

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
    fn names_the_peers_fin() {
        let (near, far) = pair();
        far.shutdown(Shutdown::Write).unwrap();
        let mut buf = [0];
        assert_eq!(near.peek(&mut buf).unwrap(), 0);
        assert_eq!(tcp_info(&near).unwrap().state, State::PeerClosed);
        assert_eq!(tcp_info(&far).unwrap().state, State::Open);
    }
}
