use super::macros::{a_socket, deadlines, streams};
use super::socket::{Shared, Socket};
use crate::netpoll::Direction;
use crate::sched::offload::offload;
use crate::sys::socket;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;

/// A connection between two places of one machine. Go: `net.UnixConn`.
///
/// ```
/// use gopark::net::UnixStream;
/// use std::io::{Read, Write};
///
/// let (mut one, mut other) = UnixStream::pair()?;
/// let reader = gopark::go(move || {
///     let mut word = [0; 5];
///     other.read_exact(&mut word).map(|()| word)
/// });
/// one.write_all(b"hello")?;
/// assert_eq!(&reader.join().unwrap()?, b"hello");
/// # std::io::Result::Ok(())
/// ```
pub struct UnixStream {
    socket: Shared<std::os::unix::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at a path. If that has no room for one more, it waits
    /// in [`offload`], for nobody tells when there is.
    ///
    /// # Errors
    /// What the system says.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let path = path.as_ref();
        match socket::connect_unix(path) {
            Err(full) if full.kind() == io::ErrorKind::WouldBlock => {
                offload(|| std::os::unix::net::UnixStream::connect(path))?.try_into()
            }
            connected => {
                let socket = Socket::new(std::os::unix::net::UnixStream::from(connected?))?;
                Ok(UnixStream { socket })
            }
        }
    }

    /// Two that are connected to each other.
    ///
    /// # Errors
    /// What the system says.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((one.try_into()?, other.try_into()?))
    }

    /// This end's address.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// The other end's address.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get().shutdown(how)
    }
}

a_socket!(UnixStream, std::os::unix::net::UnixStream);
deadlines!(UnixStream);
streams!(UnixStream);
