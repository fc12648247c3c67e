use super::addr::try_each;
use super::macros::{a_socket, deadlines, streams};
use super::socket::{Shared, Socket};
use crate::netpoll::Direction;
use crate::sys::socket;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::panic::Location;
use std::time::Duration;

/// A TCP connection. Go: `net.TCPConn`.
///
/// Reads and writes go through `&` too, so one task may read while another writes.
///
/// ```
/// use gopark::net::{TcpListener, TcpStream};
/// use std::io::{self, Read, Write};
/// use std::time::Instant;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// (&client).write_all(b"ping")?;
/// let mut word = [0; 4];
/// (&server).read_exact(&mut word)?;
/// assert_eq!(&word, b"ping");
///
/// client.set_read_deadline(Some(Instant::now()));
/// let late = (&client).read(&mut word).unwrap_err();
/// assert_eq!(late.kind(), io::ErrorKind::TimedOut);
/// # io::Result::Ok(())
/// ```
pub struct TcpStream {
    socket: Shared<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first address that answers. Parks the task, with the reason
    /// `IO wait`, or blocks a thread.
    ///
    /// `TCP_NODELAY` is off, as with std. Go: `net.Dial`, which sets it.
    ///
    /// # Errors
    /// That of the last address, or of the look-up.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(address: A) -> io::Result<TcpStream> {
        let site = Location::caller();
        try_each(address, |address| TcpStream::connect_until(&address, None, site))
    }

    /// The same for one address, and not for longer than `timeout`.
    ///
    /// # Errors
    /// `TimedOut`, `InvalidInput` if the timeout is zero, or what the system says.
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_until(address, Some(timeout), Location::caller())
    }

    fn connect_until(
        address: &SocketAddr,
        timeout: Option<Duration>,
        site: &'static Location<'static>,
    ) -> io::Result<TcpStream> {
        let socket = Socket::new(std::net::TcpStream::from(socket::connect_tcp(address)?))?;
        socket.set_timeout(Direction::Write, timeout)?;
        socket.write(site, |socket| {
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
            match socket.peer_addr() {
                // Neither failed nor connected: it is under way.
                Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                other => other,
            }
        })?;
        socket.set_timeout(Direction::Write, None)?;
        Ok(TcpStream { socket })
    }

    /// The other end's address.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// This end's address.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// Ends one direction or both: the other end reads to the end of what was written.
    /// Go: `CloseWrite`, `CloseRead`.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get().shutdown(how)
    }

    /// Reads without taking what it reads. Waits as a read does.
    ///
    /// # Errors
    /// Those of a read.
    #[track_caller]
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(Location::caller(), |s| s.peek(into))
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// Whether small writes are to be sent at once. Go: `SetNoDelay`.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_nodelay(&self, at_once: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(at_once)
    }

    /// The time to live of what it sends.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }
}

a_socket!(TcpStream, std::net::TcpStream);
deadlines!(TcpStream);
streams!(TcpStream);
