//! SO_MEMINFO: the memory of a socket, see sock_diag(7).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// `SK_MEMINFO_*` of `linux/sock_diag.h`; each a 32-bit number.
const RMEM_ALLOC: usize = 0;
const WMEM_QUEUED: usize = 5;
const VARS: usize = 9;

/// What waits in its queues, in bytes as its buffers' caps count them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemInfo {
    pub(crate) received: usize,
    pub(crate) unsent: usize,
}

/// Reads it.
pub(crate) fn mem_info(socket: impl AsFd) -> io::Result<MemInfo> {
    let mut raw = [0u32; VARS];
    let mut len = size_of::<[u32; VARS]>() as libc::socklen_t;
    // SAFETY: `raw` is plain integers, valid for any bytes, and `len` is its size; the kernel
    // writes at most `len` bytes; the descriptor is open while it is borrowed.
    let ret = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            (&raw mut raw).cast(),
            &raw mut len,
        )
    };
    if ret != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(MemInfo { received: raw[RMEM_ALLOC] as usize, unsent: raw[WMEM_QUEUED] as usize })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn tells_what_waits_in_both_queues() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        assert_eq!(mem_info(&near).unwrap().unsent, 0);
        near.set_nonblocking(true).unwrap();
        let block = vec![0; 1 << 20];
        while (&near).write(&block).is_ok() {}
        let (near, far) = (mem_info(&near).unwrap(), mem_info(&far).unwrap());
        assert!(near.unsent > 64 * 1024 && near.received == 0, "{near:?}");
        assert!(far.received > 16 * 1024 && far.unsent == 0, "{far:?}");
    }
}
