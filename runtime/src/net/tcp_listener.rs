use super::addr::try_each;
use super::macros::{a_listener, a_socket};
use super::socket::Shared;
use super::{Incoming, TcpStream};
use crate::netpoll::Direction;
use crate::sys::socket;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::time::Instant;

/// Waits for TCP connections. Go: `net.TCPListener`.
///
/// ```
/// use gopark::net::{TcpListener, TcpStream};
/// use std::io::{Read, Write};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let (address, closer) = (listener.local_addr()?, listener.try_clone()?);
/// let server = gopark::go(move || {
///     for stream in listener.incoming() {
///         let mut stream = stream.unwrap();
///         gopark::go(move || stream.write_all(b"good day"));
///     }
/// });
/// let mut greeting = String::new();
/// TcpStream::connect(address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "good day");
/// closer.close();
/// server.join().unwrap();
/// # std::io::Result::Ok(())
/// ```
pub struct TcpListener {
    socket: Shared<std::net::TcpListener>,
}

impl TcpListener {
    /// Listens at the first address that can be had. Port 0 is any that is free.
    ///
    /// Go: `net.Listen`.
    ///
    /// # Errors
    /// That of the last address, or of the look-up.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<TcpListener> {
        try_each(address, |address| {
            let listener = std::net::TcpListener::bind(address)?;
            socket::lengthen_queue(listener.as_raw_fd())?;
            listener.try_into()
        })
    }

    /// The time to live of what it sends.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets it, also for the connections that come.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }
}

a_socket!(TcpListener, std::net::TcpListener);
a_listener!(TcpListener, TcpStream, SocketAddr);
