//! A server that stops to accept and lets what it has begun come to its end.

use crate::prelude::*;
use gopark::net::{TcpListener, TcpStream};
use std::io::{Read, Write};

fn serve(listener: &TcpListener, stop: Receiver<()>) {
    let connections = WaitGroup::new();
    let (accepted, incoming) = rendezvous();
    let acceptor = {
        let listener = listener.try_clone().expect("a second handle");
        go(move || while listener.accept().is_ok_and(|(it, _)| accepted.send(it).is_ok()) {})
    };
    loop {
        select! {
            recv(stop) => break,
            recv(incoming) -> stream => {
                let mut stream = stream.expect("it accepts");
                connections.go(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() {
                        stream.write_all(&byte).expect("it is open");
                    }
                });
            }
        }
    }
    listener.close();
    acceptor.join().expect("it only accepts");
    connections.wait();
}

pub(crate) fn program() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = rendezvous();
    let server = go(move || serve(&listener, stopped));
    let mut client = TcpStream::connect(address).expect("it listens");
    client.write_all(b"x").expect("it is open");
    client.read_exact(&mut [0]).expect("an echo");
    drop(stop);
    drop(client);
    server.join().expect("it was told to stop");
}
