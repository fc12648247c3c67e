//! What std's sockets cannot do without blocking.

use std::ffi::OsStr;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

fn check(rc: libc::c_int) -> io::Result<libc::c_int> {
    if rc == -1 { Err(io::Error::last_os_error()) } else { Ok(rc) }
}

fn stream(family: libc::c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: makes a descriptor that is nobody's but ours.
    unsafe { Ok(OwnedFd::from_raw_fd(check(libc::socket(family, kind, 0))?)) }
}

/// Begins to connect a new TCP socket, which does not block. How that ended, its error
/// and the address of its peer tell, once it can be written to.
pub(crate) fn connect_tcp(to: &SocketAddr) -> io::Result<OwnedFd> {
    let socket = stream(if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 })?;
    let done = match to {
        SocketAddr::V4(to) => {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
                sin_zero: [0; 8],
            };
            connect(&socket, &address, size_of::<libc::sockaddr_in>())
        }
        SocketAddr::V6(to) => {
            let address = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: to.port().to_be(),
                sin6_flowinfo: to.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: to.ip().octets() },
                sin6_scope_id: to.scope_id(),
            };
            connect(&socket, &address, size_of::<libc::sockaddr_in6>())
        }
    };
    match done.as_ref().map_err(io::Error::raw_os_error) {
        // Interrupted, it goes on like one that takes its time.
        Ok(()) | Err(Some(libc::EINPROGRESS | libc::EINTR)) => Ok(socket),
        Err(_) => done.map(|()| socket),
    }
}

/// A new Unix socket that is connected and does not block.
///
/// # Errors
/// `WouldBlock` if the listener's queue is full; nobody tells when it no longer is.
pub(crate) fn connect_unix(to: &Path) -> io::Result<OwnedFd> {
    let path = OsStr::as_bytes(to.as_os_str());
    // SAFETY: an address of zeros is one.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    if path.len() >= address.sun_path.len() || path.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path for a socket"));
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    address.sun_path.iter_mut().zip(path).for_each(|(to, from)| *to = *from as libc::c_char);
    let socket = stream(libc::AF_UNIX)?;
    // The path and the zero behind it.
    let length = mem::offset_of!(libc::sockaddr_un, sun_path) + path.len() + 1;
    connect(&socket, &address, length).map(|()| socket)
}

fn connect<A>(socket: &OwnedFd, to: &A, length: usize) -> io::Result<()> {
    let at = core::ptr::from_ref(to).cast();
    // SAFETY: an address of that length is read during the call.
    check(unsafe { libc::connect(socket.as_raw_fd(), at, length as libc::socklen_t) })?;
    Ok(())
}

/// The queue of those that connect may be as long as the system allows. std asks for
/// 128, and TCP makes whoever comes then wait for a second.
pub(crate) fn lengthen_queue(listener: RawFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::listen(listener, libc::c_int::from(u16::MAX)) })?;
    Ok(())
}

/// Closes the socket behind a descriptor, which itself stays its owner's: from now
/// on it stands for a socket that is connected to nothing. Calls under way on other
/// threads end on the old one.
pub(crate) fn close_behind(socket: RawFd) -> io::Result<()> {
    static NOWHERE: OnceLock<OwnedFd> = OnceLock::new();
    let nowhere = match NOWHERE.get() {
        Some(nowhere) => nowhere,
        None => {
            let new = stream(libc::AF_UNIX)?;
            NOWHERE.get_or_init(|| new)
        }
    };
    // SAFETY: the number of a descriptor that its owner keeps open.
    check(unsafe { libc::dup3(nowhere.as_raw_fd(), socket, libc::O_CLOEXEC) })?;
    Ok(())
}
