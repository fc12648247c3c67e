//! Sockets: what they carry, how waits begin and end, and who looks for events.

mod closing;
mod deadlines;
mod edges;
mod looking;
mod reaping;
mod streams;
mod udp;
mod unix;

use gopark::net::{TcpListener, TcpStream};

/// A listener at an address of its own, and the address.
fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The same, at an address at which no other program of this machine is likely to come
/// and listen when it is free.
fn listen_apart() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.93.71.5:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let one = TcpStream::connect(address).unwrap();
    (one, listener.accept().unwrap().0)
}
