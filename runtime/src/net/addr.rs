//! From what names an address to addresses.

use crate::sched::blocking::blocking;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Looks it up, and tries one address after the other. The last error is the answer
/// if all fail.
#[track_caller]
pub(super) fn try_each<A: ToSocketAddrs, R>(
    named: A,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = None;
    for address in blocking(|| named.to_socket_addrs())? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
    }
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    Err(last.unwrap_or_else(none))
}
