//! What comes in comes out.

use super::{listen, listen_apart, pair};
use crate::chan::support::PAIRS;
use crate::child::{alone, here};
use crate::support::{COOPERATIVE, parked};
use gopark::inspect::WaitReason;
use gopark::net::{TcpListener, TcpStream};
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(&mut &stream, &mut &stream)
}

#[test]
fn what_is_sent_comes_back_to_tasks_and_threads() {
    for (server, client) in PAIRS {
        let (listener, address) = listen();
        let server = server.start(move || echo(listener.accept()?.0));
        let client = client.start(move || {
            let mut stream = TcpStream::connect(address)?;
            assert_eq!(stream.peer_addr()?, address);
            for n in 0..200_u32 {
                stream.write_all(&n.to_ne_bytes())?;
                let mut word = [0; 4];
                stream.read_exact(&mut word)?;
                assert_eq!(u32::from_ne_bytes(word), n);
            }
            io::Result::Ok(())
        });
        client.join().unwrap();
        assert_eq!(server.join().unwrap(), 800);
    }
}

#[test]
fn one_direction_can_end_before_the_other() {
    let (one, other) = pair();
    let reader = gopark::go(move || {
        let mut all = String::new();
        (&other).read_to_string(&mut all)?;
        (&other).write_all(b"and good night")?;
        io::Result::Ok(all)
    });
    parked(reader.id(), WaitReason::IoWait);
    (&one).write_all(b"good day").unwrap();
    one.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    (&one).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "and good night");
    assert_eq!(reader.join().unwrap().unwrap(), "good day");
    let error = (&one).write(b"more").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// More than the system keeps for a connection, so both ends wait for each other.
#[test]
fn large_writes_arrive_whole() {
    const LENGTH: usize = 24 << 20;
    let byte = |n: usize| (n ^ (n >> 8) ^ (n >> 16)) as u8;
    let (one, other) = pair();
    let writer = gopark::go(move || {
        let all: Vec<u8> = (0..LENGTH).map(byte).collect();
        (&one).write_all(&all)
    });
    parked(writer.id(), WaitReason::IoWait);
    let mut all = Vec::new();
    (&other).read_to_end(&mut all).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(all.len(), LENGTH);
    assert!(all.iter().enumerate().all(|(n, got)| *got == byte(n)));
}

#[test]
fn pieces_are_written_in_order() {
    let (one, other) = pair();
    let pieces = [IoSlice::new(b"good "), IoSlice::new(b"day")];
    assert_eq!((&one).write_vectored(&pieces).unwrap(), 8);
    let mut word = [0; 8];
    assert_eq!(other.peek(&mut word[..4]).unwrap(), 4);
    (&other).read_exact(&mut word).unwrap();
    assert_eq!(&word, b"good day");
}

#[test]
fn handles_are_of_one_socket() {
    let (one, other) = pair();
    let again = one.try_clone().unwrap();
    one.set_nodelay(true).unwrap();
    one.set_read_timeout(Some(Duration::from_secs(7))).unwrap();
    assert!(again.nodelay().unwrap());
    assert_eq!(again.read_timeout().unwrap(), Some(Duration::from_secs(7)));
    drop(one);
    (&again).write_all(b"x").unwrap();
    assert_eq!((&other).read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn std_sockets_become_ours_and_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listener: TcpListener = listener.try_into().unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    let server = listener.accept().unwrap().0;
    let second = server.try_clone().unwrap();
    let refused = std::net::TcpStream::try_from(server).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    // It blocks again: this read waits for what is written afterwards.
    let mut server = std::net::TcpStream::try_from(second).unwrap();
    let reader = std::thread::spawn(move || {
        let mut word = [0; 1];
        server.read_exact(&mut word).map(|()| word)
    });
    let (ours, mut theirs) = (TcpStream::try_from(client.try_clone().unwrap()).unwrap(), client);
    theirs.write_all(b"x").unwrap();
    assert_eq!(&reader.join().unwrap().unwrap(), b"x");
    drop(ours);
}

#[test]
fn a_connection_that_nobody_takes_is_refused() {
    let (listener, address) = listen_apart();
    drop(listener);
    let refused = gopark::go(move || TcpStream::connect(address).unwrap_err().kind());
    assert_eq!(refused.join().unwrap(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn names_are_looked_up() {
    let listener = TcpListener::bind(("localhost", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = gopark::go(move || TcpStream::connect(("localhost", port)).map(drop));
    drop(listener.accept().unwrap());
    client.join().unwrap().unwrap();
}

/// None is lost, however late they are taken.
#[test]
fn those_who_connect_early_wait_their_turn() {
    const COUNT: u32 = 500;
    let (listener, address) = listen();
    let connect = |n: u32| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&n.to_ne_bytes()).unwrap();
        stream
    };
    let clients: Vec<_> = (0..COUNT).map(connect).collect();
    for n in 0..COUNT {
        let mut word = [0; 4];
        listener.accept().unwrap().0.read_exact(&mut word).unwrap();
        assert_eq!(u32::from_ne_bytes(word), n);
    }
    drop(clients);
}

fn many(count: usize, rounds: usize) {
    let (listener, address) = listen();
    let closer = listener.try_clone().unwrap();
    let server = gopark::go(move || {
        let streams: Vec<_> = listener.incoming().map(|s| gopark::go(|| echo(s?))).collect();
        streams.into_iter().map(|task| task.join().unwrap().unwrap()).sum::<u64>()
    });
    let client = move |n: usize| {
        let mut stream = TcpStream::connect(address)?;
        for round in 0..rounds {
            let message = [(n + round) as u8; 128];
            stream.write_all(&message)?;
            let mut answer = [0; 128];
            stream.read_exact(&mut answer)?;
            assert_eq!(answer, message);
        }
        io::Result::Ok(())
    };
    let clients: Vec<_> = (0..count).map(|n| gopark::go(move || client(n))).collect();
    clients.into_iter().for_each(|task| task.join().unwrap().unwrap());
    closer.close();
    assert_eq!(server.join().unwrap(), (count * rounds * 128) as u64);
}

#[test]
fn a_thousand_connections() {
    many(1000, 10);
}

#[test]
fn many_connections_on_one_processor() {
    alone(here!(), &[("GOPARK_MAXPROCS", "1")], || many(100, 50));
}

#[test]
fn many_connections_without_the_signal() {
    alone(here!(), &[COOPERATIVE], || many(100, 50));
}

#[test]
#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn many_connections_of_migrating_tasks() {
    alone(here!(), &[], || {
        // SAFETY: no frame of this test touches a thread-local on both sides of a park.
        unsafe { gopark::runtime::Config::new().maxprocs(4).migrating() }.start().unwrap();
        many(100, 50);
    });
}
