//! Why a connection did not come about, small enough for an event of the ring.

use std::fmt;
use std::net::SocketAddr;

use msrp_proto::{Refusal, RefuseCause};
use rustix::io::Errno;

macro_rules! refused_for {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why a connection was refused at the gate.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum RefusedFor {
            $($(#[$doc])* $name,)*
        }

        impl RefusedFor {
            /// Every reason once.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code under which it is counted and told.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }
    };
}

refused_for! {
    /// The leg has its connection.
    AlreadyBound = "already-bound",
    /// A newcomer took its place.
    Crowded = "crowded",
    /// A header twice.
    DuplicateHeader = "duplicate-header",
    /// No valid first frame in time.
    GateTimeout = "gate-timeout",
    /// Too many callers at all ports together.
    HalfOpen = "half-open",
    /// It went by itself.
    Left = "left",
    /// No `To-Path` or no `From-Path`.
    MissingPath = "missing-path",
    /// A response came first.
    NotARequest = "not-a-request",
    /// Bytes that are no MSRP.
    NotMsrp = "not-msrp",
    /// It comes from elsewhere than its peer may.
    Source = "source",
    /// The kernel would not watch it.
    Unwatched = "unwatched",
    /// It asks for another session.
    WrongToPath = "wrong-to-path",
}

impl From<RefuseCause> for RefusedFor {
    fn from(cause: RefuseCause) -> Self {
        match cause {
            RefuseCause::Request(Refusal::DuplicateHeader) => Self::DuplicateHeader,
            RefuseCause::Request(Refusal::MissingPath) => Self::MissingPath,
            RefuseCause::Request(Refusal::SessionBound) => Self::AlreadyBound,
            RefuseCause::Request(_) => Self::WrongToPath,
            RefuseCause::Response => Self::NotARequest,
            _ => Self::NotMsrp,
        }
    }
}

/// Why an address could not be dialled: what the kernel said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DialError(Errno);

impl DialError {
    /// Nobody answered while there was time.
    pub(crate) const TIMED_OUT: Self = Self(Errno::TIMEDOUT);
    /// The connection was gone, and nothing says why.
    pub(crate) const GONE: Self = Self(Errno::CONNABORTED);
    /// Nobody listens there.
    pub(crate) const REFUSED: Self = Self(Errno::CONNREFUSED);

    /// The name of the errno.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(errno, _)| *errno == self.0).map_or("other error", |(_, name)| name)
    }

    /// Neither descriptors nor memory: there may be some in a moment.
    pub(crate) fn is_want(self) -> bool {
        WANT.contains(&self.0)
    }

    pub(crate) fn code(self) -> u8 {
        // Linux has none that is larger.
        u8::try_from(self.0.raw_os_error()).unwrap_or(u8::MAX)
    }

    pub(crate) fn of_code(code: u8) -> Self {
        Self(Errno::from_raw_os_error(code.into()))
    }
}

impl From<Errno> for DialError {
    fn from(errno: Errno) -> Self {
        Self(errno)
    }
}

impl From<std::io::Error> for DialError {
    fn from(error: std::io::Error) -> Self {
        Self(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

const WANT: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

/// Those of socket(2), bind(2), connect(2) and epoll_ctl(2), and what a network can answer.
const NAMES: [(Errno, &str); 28] = [
    (Errno::ACCESS, "EACCES"),
    (Errno::ADDRINUSE, "EADDRINUSE"),
    (Errno::ADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (Errno::AFNOSUPPORT, "EAFNOSUPPORT"),
    (Errno::AGAIN, "EAGAIN"),
    (Errno::CONNABORTED, "ECONNABORTED"),
    (Errno::CONNREFUSED, "ECONNREFUSED"),
    (Errno::CONNRESET, "ECONNRESET"),
    (Errno::HOSTDOWN, "EHOSTDOWN"),
    (Errno::HOSTUNREACH, "EHOSTUNREACH"),
    (Errno::INVAL, "EINVAL"),
    (Errno::IO, "EIO"),
    (Errno::MFILE, "EMFILE"),
    (Errno::MSGSIZE, "EMSGSIZE"),
    (Errno::NETDOWN, "ENETDOWN"),
    (Errno::NETUNREACH, "ENETUNREACH"),
    (Errno::NFILE, "ENFILE"),
    (Errno::NOBUFS, "ENOBUFS"),
    (Errno::NODEV, "ENODEV"),
    (Errno::NOMEM, "ENOMEM"),
    (Errno::NONET, "ENONET"),
    (Errno::NOPROTOOPT, "ENOPROTOOPT"),
    (Errno::NOSPC, "ENOSPC"),
    (Errno::OPNOTSUPP, "EOPNOTSUPP"),
    (Errno::PERM, "EPERM"),
    (Errno::PIPE, "EPIPE"),
    (Errno::PROTO, "EPROTO"),
    (Errno::TIMEDOUT, "ETIMEDOUT"),
];

/// A dial that came to nothing: the address that was tried last, and what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DialFailure {
    /// Where.
    pub to: SocketAddr,
    /// Why not.
    pub why: DialError,
}

impl fmt::Display for DialFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.why.as_str(), self.to)
    }
}

/// Why, of an event about a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RingWhy {
    /// Of `refused`.
    Refused(RefusedFor),
    /// Of `dial-failed`.
    Dial(DialError),
}

impl RingWhy {
    /// The code of the refusal, or the name of the errno.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.as_str(),
            Self::Dial(error) => error.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use msrp_proto::FrameError;

    #[test]
    fn the_gate_has_one_code_for_one_cause() {
        let causes = [
            RefuseCause::Framing(FrameError::LineTooLong),
            RefuseCause::Response,
            RefuseCause::Request(Refusal::DuplicateHeader),
            RefuseCause::Request(Refusal::MissingPath),
            RefuseCause::Request(Refusal::WrongToPath),
        ];
        for cause in causes {
            assert_eq!(RefusedFor::from(cause).as_str(), cause.as_str());
        }
    }

    #[test]
    fn a_failure_names_its_errno_and_its_address() {
        let failure =
            |to: &str, why: Errno| DialFailure { to: to.parse().unwrap(), why: why.into() };
        let told = failure("192.0.2.7:2855", Errno::CONNREFUSED).to_string();
        assert_eq!(told, "ECONNREFUSED at 192.0.2.7:2855");
        let told = failure("[2001:db8::7]:2855", Errno::NETUNREACH).to_string();
        assert_eq!(told, "ENETUNREACH at [2001:db8::7]:2855");
    }

    #[test]
    fn every_errno_survives_its_code() {
        for (errno, name) in NAMES {
            let back = DialError::of_code(DialError::from(errno).code());
            assert_eq!((back, back.as_str()), (errno.into(), name));
        }
    }
}
