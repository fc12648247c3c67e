use super::addr::try_each;
use super::macros::{a_socket, deadlines};
use super::socket::Shared;
use crate::netpoll::Direction;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic::Location;

/// Sends and receives UDP datagrams. Go: `net.UDPConn`.
///
/// ```
/// use gopark::net::UdpSocket;
///
/// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let to = other.local_addr()?;
/// let receiver = gopark::go(move || {
///     let mut word = [0; 16];
///     other.recv_from(&mut word).map(|(length, from)| (word[..length].to_vec(), from))
/// });
/// one.send_to(b"hello", to)?;
/// assert_eq!(receiver.join().unwrap()?, (b"hello".to_vec(), one.local_addr()?));
/// # std::io::Result::Ok(())
/// ```
pub struct UdpSocket {
    socket: Shared<std::net::UdpSocket>,
}

impl UdpSocket {
    /// Takes the first address that can be had. Port 0 is any that is free.
    ///
    /// # Errors
    /// That of the last address, or of the look-up.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(address: A) -> io::Result<UdpSocket> {
        try_each(address, |address| std::net::UdpSocket::bind(address)?.try_into())
    }

    /// From now on [`send`](Self::send) goes there, and only what comes from there is
    /// received.
    ///
    /// # Errors
    /// That of the last address, or of the look-up.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, address: A) -> io::Result<()> {
        try_each(address, |address| self.socket.get().connect(address))
    }

    /// Receives a datagram; what is longer than `into` is cut off. Parks the task,
    /// with the reason `IO wait`, or blocks a thread.
    ///
    /// # Errors
    /// `TimedOut`, [`Closed`](super::Closed), or what the system says.
    #[track_caller]
    pub fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.read(Location::caller(), |s| s.recv_from(into))
    }

    /// The same without taking it.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn peek_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.read(Location::caller(), |s| s.peek_from(into))
    }

    /// Sends a datagram to the first address that `address` means. Waits, as
    /// [`recv_from`](Self::recv_from) does, while the system has no room for it.
    ///
    /// # Errors
    /// `TimedOut`, [`Closed`](super::Closed), or what the system says.
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, datagram: &[u8], address: A) -> io::Result<usize> {
        let site = Location::caller();
        let to = try_each(address, Ok)?;
        self.socket.write(site, |s| s.send_to(datagram, to))
    }

    /// Receives from the address that it is [connected](Self::connect) to.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(Location::caller(), |s| s.recv(into))
    }

    /// The same without taking it.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    #[track_caller]
    pub fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(Location::caller(), |s| s.peek(into))
    }

    /// Sends to the address that it is [connected](Self::connect) to.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
    #[track_caller]
    pub fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.socket.write(Location::caller(), |s| s.send(datagram))
    }

    /// This end's address.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// If it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// Whether it may send to all in a network.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_broadcast(&self, may: bool) -> io::Result<()> {
        self.socket.get().set_broadcast(may)
    }

    /// What was set.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.get().broadcast()
    }

    /// Sets the time to live of what it sends.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// What was set.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Receives what is sent to a group, too.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.get().join_multicast_v4(group, interface)
    }

    /// Receives what is sent to a group, too.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.get().join_multicast_v6(group, interface)
    }

    /// No more.
    ///
    /// # Errors
    /// If it never did.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.socket.get().leave_multicast_v4(group, interface)
    }

    /// No more.
    ///
    /// # Errors
    /// If it never did.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.socket.get().leave_multicast_v6(group, interface)
    }
}

a_socket!(UdpSocket, std::net::UdpSocket);
deadlines!(UdpSocket);
