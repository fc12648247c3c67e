use super::macros::{a_listener, a_socket};
use super::socket::Shared;
use super::{Incoming, UnixStream};
use crate::netpoll::Direction;
use crate::sys::socket;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::time::Instant;

/// Waits for connections at a path. Go: `net.UnixListener`, which removes the path when
/// it is closed; this does not.
///
/// ```
/// use gopark::net::{UnixListener, UnixStream};
/// use std::io::{Read, Write};
///
/// let path = std::env::temp_dir().join(format!("gopark-doc-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let server = gopark::go(move || listener.accept()?.0.write_all(b"good day"));
/// let mut greeting = String::new();
/// UnixStream::connect(&path)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "good day");
/// server.join().unwrap()?;
/// std::fs::remove_file(path)
/// # ;std::io::Result::Ok(())
/// ```
pub struct UnixListener {
    socket: Shared<std::os::unix::net::UnixListener>,
}

impl UnixListener {
    /// Listens at a path where nothing is yet.
    ///
    /// # Errors
    /// If there is something, or the system refuses.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        socket::lengthen_queue(listener.as_raw_fd())?;
        listener.try_into()
    }
}

a_socket!(UnixListener, std::os::unix::net::UnixListener);
a_listener!(UnixListener, UnixStream, SocketAddr);
