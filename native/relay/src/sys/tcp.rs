//! Sockets of legs and listeners, non-blocking and close-on-exec from birth.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::kill_point;
use crate::config::{Config, Keepalive};

/// What the sockets of a session get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) buffer_cap: usize,
    pub(crate) keepalive: Keepalive,
    pub(crate) user_timeout: Duration,
    pub(crate) tos: Option<u8>,
}

impl Options {
    pub(crate) fn new(config: &Config, tos: Option<u8>) -> Self {
        Self {
            buffer_cap: config.buffer_cap,
            keepalive: config.keepalive,
            user_timeout: config.user_timeout,
            tos,
        }
    }
}

/// Connections that may wait in the kernel to be accepted. Small: the relay accepts at once, and
/// more than a few strangers on one port is a flood.
const BACKLOG: i32 = 64;

/// The receive buffer a socket is born with: tcp_rmem's default. A larger one would at once offer a
/// window that cannot be taken back, and decide how far it may grow. It grows with the first bytes.
pub(crate) const BORN_RECEIVE: usize = 128 * 1024;

/// A listening socket.
pub(crate) fn listen(address: SocketAddr, options: &Options) -> io::Result<OwnedFd> {
    let socket = socket(address, options)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket to connect with, from `source` where the families agree.
pub(crate) fn dialler(to: SocketAddr, source: IpAddr, options: &Options) -> io::Result<OwnedFd> {
    let socket = socket(to, options)?;
    equip(&socket, options)?;
    if source.is_ipv4() == to.is_ipv4() && !source.is_unspecified() {
        net::bind(&socket, &SocketAddr::new(source, 0))?;
    }
    Ok(socket)
}

/// Begins to connect, if that has not begun. Writable means connected or failed.
pub(crate) fn connect(socket: impl AsFd, to: SocketAddr) -> io::Result<()> {
    let begun = net::connect(socket, &to);
    kill_point();
    match begun {
        Ok(()) | Err(Errno::INPROGRESS | Errno::ALREADY | Errno::ISCONN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where a connection comes from.
pub(crate) fn peer_address(socket: impl AsFd) -> Option<SocketAddr> {
    SocketAddr::try_from(net::getpeername(socket).ok()??).ok()
}

/// Where a socket is bound; with port 0 the kernel chose one.
pub(crate) fn local_address(socket: impl AsFd) -> Option<SocketAddr> {
    SocketAddr::try_from(net::getsockname(socket).ok()?).ok()
}

/// What a connection needs besides once it is a leg. It could inherit that from its listener, but
/// many a listener never gets one, and many a connection is a stranger's.
pub(crate) fn equip(socket: impl AsFd, options: &Options) -> io::Result<()> {
    let socket = socket.as_fd();
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, options.keepalive.idle)?;
    sockopt::set_tcp_keepintvl(socket, options.keepalive.interval)?;
    if options.user_timeout.is_zero() {
        // Else the kernel goes by that time alone, and does not count probes.
        sockopt::set_tcp_keepcnt(socket, options.keepalive.count)?;
    }
    set_user_timeout(socket, options.user_timeout)
}

/// What an accepted socket inherits from its listener, and a dialled one has of its own.
fn socket(address: SocketAddr, options: &Options) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    if options.buffer_cap < BORN_RECEIVE {
        set_receive_cap(&socket, options.buffer_cap)?;
    }
    set_send_cap(&socket, options.buffer_cap)?;
    // Without this an urgent byte leaves the stream, and the kernel's counters with it.
    sockopt::set_socket_oobinline(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    match options.tos {
        Some(tos) if address.is_ipv4() => sockopt::set_ip_tos(&socket, tos)?,
        Some(tos) => sockopt::set_ipv6_tclass(&socket, tos.into())?,
        None => {}
    }
    Ok(socket)
}

/// Caps the receive buffer, in bytes as the kernel counts them: it doubles what it is asked for.
/// Drops what comes beyond it, also where the peer was offered the room.
pub(crate) fn set_receive_cap(socket: impl AsFd, cap: usize) -> io::Result<()> {
    Ok(sockopt::set_socket_recv_buffer_size(socket, cap / 2)?)
}

/// The same for the send buffer. Gives back nothing of what is queued.
pub(crate) fn set_send_cap(socket: impl AsFd, cap: usize) -> io::Result<()> {
    Ok(sockopt::set_socket_send_buffer_size(socket, cap / 2)?)
}

/// Both caps, the send buffer's first; `None` where the kernel does not tell.
pub(crate) fn caps(socket: impl AsFd) -> (Option<usize>, Option<usize>) {
    let send = sockopt::socket_send_buffer_size(&socket).ok();
    (send, sockopt::socket_recv_buffer_size(&socket).ok())
}

/// TCP_USER_TIMEOUT; zero leaves it to the kernel's own retry limits.
pub(crate) fn set_user_timeout(socket: impl AsFd, timeout: Duration) -> io::Result<()> {
    let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(socket, millis)?)
}

/// The next connection of a listener and where it comes from.
pub(crate) fn accept(listener: impl AsFd) -> Result<(OwnedFd, SocketAddr), Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, from) = net::acceptfrom_with(listener, flags)?;
    // No kill point: until the keeper holds it, which is the next system call, a connection dies
    // with the process. Its peer has been told nothing yet and finds the listener open.
    let from = from.and_then(|from| SocketAddr::try_from(from).ok()).ok_or(Errno::CONNABORTED)?;
    Ok((socket, from))
}

/// One recv(2); 0 = FIN.
pub(crate) fn recv(socket: impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    retry(|| net::recv(socket.as_fd(), &mut *buf, net::RecvFlags::empty()).map(|(_, n)| n))
}

/// What a recv(2) would give; it stays there.
pub(crate) fn peek(socket: impl AsFd, buf: &mut [u8]) -> Result<usize, Errno> {
    retry(|| net::recv(socket.as_fd(), &mut *buf, net::RecvFlags::PEEK).map(|(_, n)| n))
}

/// Takes `bytes` that are there away unread; gives how many it could.
pub(crate) fn skip(socket: impl AsFd, bytes: usize) -> usize {
    let mut scratch = [0; 4096];
    let mut gone = 0;
    while gone < bytes {
        let step = scratch.len().min(bytes - gone);
        match recv(socket.as_fd(), &mut scratch[..step]) {
            Ok(n @ 1..) => gone += n,
            _ => break,
        }
    }
    gone
}

/// One sendmsg(2) of all slices; may take fewer bytes than there are.
pub(crate) fn send(socket: impl AsFd, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = net::SendFlags::NOSIGNAL;
    retry(|| match slices {
        [one] => net::send(socket.as_fd(), one, flags),
        many => {
            let mut control = net::SendAncillaryBuffer::default();
            net::sendmsg(socket.as_fd(), many, &mut control, flags)
        }
    })
}

/// FIN. Works also while another process holds a duplicate, unlike close(2).
pub(crate) fn fin(socket: impl AsFd) {
    // Fails only on a connection that is gone already.
    let _ = net::shutdown(socket, net::Shutdown::Write);
    kill_point();
}

/// RST. Works also while another process holds a duplicate, unlike close(2) with SO_LINGER.
pub(crate) fn reset(socket: impl AsFd) {
    let _ = net::connect_unspec(socket);
    kill_point();
}

/// Nobody has stopped it, in this process or in one before.
pub(crate) fn is_listening(listener: impl AsFd) -> bool {
    sockopt::socket_acceptconn(listener).unwrap_or(false)
}

/// Stops a listener and resets what waits in its queue, duplicates or not.
pub(crate) fn stop_listening(listener: impl AsFd) {
    let _ = net::shutdown(listener, net::Shutdown::Both);
    kill_point();
}

/// The pending error of a socket, and clears it.
pub(crate) fn take_error(socket: impl AsFd) -> Option<Errno> {
    sockopt::socket_error(socket).unwrap_or_else(Err).err()
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => {
                kill_point();
                return other;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn options() -> Options {
        Options::new(&Config::default(), Some(0x88))
    }

    fn check(socket: &OwnedFd) {
        let cap = Config::default().buffer_cap;
        assert!(sockopt::socket_recv_buffer_size(socket).unwrap() < cap);
        assert_eq!(sockopt::socket_send_buffer_size(socket).unwrap(), cap);
        assert!(sockopt::socket_oobinline(socket).unwrap());
        assert!(sockopt::tcp_nodelay(socket).unwrap());
        assert!(sockopt::socket_keepalive(socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(socket).unwrap(), Duration::from_secs(60));
        assert_eq!(sockopt::tcp_keepintvl(socket).unwrap(), Duration::from_secs(10));
        assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 60_000);
        let flags = rustix::fs::fcntl_getfl(socket).unwrap();
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    }

    #[test]
    fn probes_are_counted_where_no_time_bounds_them() {
        let config = Config { user_timeout: Duration::ZERO, ..Config::default() };
        let any = "127.0.0.1:0".parse().unwrap();
        let socket = dialler(any, any.ip(), &Options::new(&config, None)).unwrap();
        assert_eq!(sockopt::tcp_keepcnt(socket).unwrap(), config.keepalive.count);
    }

    #[test]
    fn accepted_and_dialled_sockets_have_every_option() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = listen(address.parse().unwrap(), &options()) else {
                // A machine without IPv6.
                assert_ne!(address, "127.0.0.1:0");
                continue;
            };
            let local = local_address(&listener).unwrap();
            let _near = TcpStream::connect(local).unwrap();
            let (accepted, _) = accept(&listener).unwrap();
            equip(&accepted, &options()).unwrap();
            let dialled = dialler(local, local.ip(), &options()).unwrap();
            connect(&dialled, local).unwrap();
            connect(&dialled, local).expect("it has begun");
            for socket in [&accepted, &dialled] {
                check(socket);
                if local.is_ipv4() {
                    assert_eq!(sockopt::ip_tos(socket).unwrap(), 0x88);
                } else {
                    assert_eq!(sockopt::ipv6_tclass(socket).unwrap(), 0x88);
                }
            }
        }
    }
}
