//! The relay engine: epoll threads that accept or dial the two TCP legs of a session and join them.
#![deny(unsafe_code)]
