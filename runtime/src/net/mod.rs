//! Sockets that park a task instead of blocking a thread. Go: `net`.
//!
//! | here | Go | like |
//! |---|---|---|
//! | [`TcpListener`] | `net.TCPListener` | [`std::net::TcpListener`] |
//! | [`TcpStream`] | `net.TCPConn` | [`std::net::TcpStream`] |
//! | [`UdpSocket`] | `net.UDPConn` | [`std::net::UdpSocket`] |
//! | [`UnixListener`] | `net.UnixListener` | [`std::os::unix::net::UnixListener`] |
//! | [`UnixStream`] | `net.UnixConn` | [`std::os::unix::net::UnixStream`] |
//!
//! They have the methods of std's types, and what is not said here is as it is there. All may be
//! used from tasks and from plain threads, by several at once through `&`. A wait
//! has the reason `IO wait`; it is not durable, for the kernel may end it at any
//! time.
//!
//! ```
//! use gopark::net::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = gopark::go(move || {
//!     let (stream, _) = listener.accept()?;
//!     std::io::copy(&mut &stream, &mut &stream)
//! });
//! let mut stream = TcpStream::connect(address)?;
//! stream.write_all(b"hello")?;
//! stream.shutdown(std::net::Shutdown::Write)?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert_eq!(answer, "hello");
//! assert_eq!(server.join().unwrap()?, 5);
//! # std::io::Result::Ok(())
//! ```
//!
//! # What differs from std
//! - `try_clone` makes one more handle of the same socket, without asking the
//!   system.
//! - `close`, which Go has: ends the socket under those who use it.
//! - Deadlines, which Go has: `set_read_deadline` and its like. A wait that is over
//!   for a deadline or a timeout fails with [`TimedOut`](std::io::ErrorKind::TimedOut),
//!   not `WouldBlock`.
//! - A call that a signal interrupts goes on; `Interrupted` and `WouldBlock` are
//!   never returned.
//! - There is no `set_nonblocking`. The conversions from and to std's types are
//!   `TryFrom`, since they ask the system.
//! - Names are looked up in [`blocking`](crate::blocking): a task gives its
//!   processor up meanwhile, but not its thread. Who cannot have that looks names up
//!   in [`offload`](crate::offload) and passes addresses.
//! - Listeners let as many wait to be accepted as the system allows.
//!
//! # When a task is reaped, or its wait is over
//! Nothing has been taken from the socket then, and nothing written: each call is one
//! attempt that succeeds, or none.

mod addr;
mod macros;
mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp;
mod unix_listener;
mod unix_stream;

pub use socket::Closed;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
pub use unix_listener::UnixListener;
pub use unix_stream::UnixStream;

/// The connections that come to a listener, without end but for `close`.
///
/// ```
/// use gopark::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let server = listener.incoming().next().unwrap()?;
/// assert_eq!(server.peer_addr()?, client.local_addr()?);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Incoming<'a, L> {
    listener: &'a L,
}
