//! The relay engine: epoll threads that accept or dial the two TCP legs of a session and join them.
//!
//! [`Relay::open`] listens for both legs and hands them to one thread, where the session lives
//! until its end; [`Session::answer`] says who connects to whom; notices say what became of it.
//! The decisions are [`msrp_proto::session`]'s, the bytes' [`msrp_proto::Rewriter`]'s; here are
//! sockets and threads. Nothing here knows Python or SIP.
#![deny(unsafe_code)]

mod board;
mod budget;
mod buffers;
mod caps;
mod command;
mod config;
mod counters;
mod deadlines;
mod dial;
mod half_open;
mod keep;
mod leg;
mod listener;
mod meter;
mod mover;
mod notice;
mod pair;
mod pipe;
mod poller;
mod queue;
mod relay;
mod reserve;
mod ring;
mod spec;
mod sys;
mod thread;

mod why;
mod worker;

pub use board::{LegReport, LegState, Report};
pub use config::{Config, Keepalive};
pub use counters::{Counters, Load};
pub use msrp_proto::Limits;
pub use msrp_proto::session::{CloseReason, LegReason, NoticeKind, Policy, Role, Side, Stage};
pub use notice::Notice;
pub use relay::{Relay, Session};
pub use ring::{RingEvent, RingWhat};
pub use spec::{
    AnswerSpec, LegAnswer, LegOpen, OpenError, OpenSpec, PATH_OCTETS, PATH_URIS, Sources, Target,
};
pub use sys::{descriptor, duplicate};
pub use why::{DialError, DialFailure, RefusedFor, RingWhy};
