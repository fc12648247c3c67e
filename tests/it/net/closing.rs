//! A socket that is closed under those who use it.

use super::{listen, listen_apart, pair};
use crate::support::parked;
use gopark::inspect::WaitReason;
use gopark::net::{Closed, TcpListener, TcpStream};
use std::io::{self, Read, Write};

#[track_caller]
fn closed<T>(result: io::Result<T>) {
    let error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert!(error.get_ref().is_some_and(|inner| inner.is::<Closed>()), "{error:?}");
}

#[test]
fn a_reader_and_a_writer_are_woken() {
    let (one, other) = pair();
    let (reads, writes) = (one.try_clone().unwrap(), one.try_clone().unwrap());
    let reader = gopark::go(move || (&reads).read(&mut [0; 8]));
    let writer = gopark::go(move || (&writes).write_all(&[0; 64 << 20]));
    parked(reader.id(), WaitReason::IoWait);
    parked(writer.id(), WaitReason::IoWait);
    one.close();
    closed(reader.join().unwrap());
    closed(writer.join().unwrap());
    one.close();
    closed((&one).read(&mut [0; 8]));
    closed((&one).write(b"x"));
    closed(one.peek(&mut [0; 8]));
    closed(std::net::TcpStream::try_from(one));
    // The other end sees it, with handles of the first still there.
    let mut rest = Vec::new();
    let _ = (&other).read_to_end(&mut rest);
    assert!(rest.iter().all(|byte| *byte == 0));
}

#[test]
fn the_other_end_reads_to_the_end() {
    let (one, other) = pair();
    let kept = one.try_clone().unwrap();
    (&one).write_all(b"bye").unwrap();
    one.close();
    let mut all = String::new();
    (&other).read_to_string(&mut all).unwrap();
    assert_eq!(all, "bye");
    drop(kept);
}

#[test]
fn several_who_accept_are_woken_and_the_port_is_free() {
    let (listener, address) = listen_apart();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            gopark::go(move || listener.accept())
        })
        .collect();
    tasks.iter().for_each(|task| drop(parked(task.id(), WaitReason::IoWait)));
    listener.close();
    tasks.into_iter().for_each(|task| closed(task.join().unwrap()));
    assert!(listener.incoming().next().is_none());
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_thread_that_waits_is_woken() {
    let (listener, _) = listen();
    let waits = listener.try_clone().unwrap();
    let thread = std::thread::spawn(move || waits.incoming().count());
    crate::support::until("a thread accepts", || {
        let all = gopark::inspect::Snapshot::all().tasks;
        all.iter().any(|t| t.wait.is_some_and(|wait| wait.reason == WaitReason::IoWait))
    });
    listener.close();
    assert_eq!(thread.join().unwrap(), 0);
}

/// Whatever it meets, the call ends, with an error or with what was there before.
#[test]
fn closing_at_any_moment() {
    for _ in 0..300 {
        let (one, other) = pair();
        let reads = one.try_clone().unwrap();
        let reader = gopark::go(move || {
            let mut got = 0;
            loop {
                match (&reads).read(&mut [0; 8]) {
                    Ok(0) => panic!("the other end is open"),
                    Ok(n) => got += n,
                    Err(error) => return (got, error),
                }
            }
        });
        let writer = gopark::go(move || (&other).write_all(b"0123456789").map(|()| other));
        let closer = gopark::go(move || one.close());
        let (got, error) = reader.join().unwrap();
        assert!(got <= 10);
        closed::<()>(Err(error));
        closer.join().unwrap();
        let _ = writer.join().unwrap();
    }
}

/// Descriptors are used again at once; nothing that was meant for the former socket
/// reaches the next one.
#[test]
fn descriptors_are_used_again() {
    let (listener, address) = listen();
    let closer = listener.try_clone().unwrap();
    let server = gopark::go(move || {
        for stream in listener.incoming() {
            gopark::go(move || {
                let stream = stream.unwrap();
                let _ = io::copy(&mut &stream, &mut &stream);
            });
        }
    });
    let clients: Vec<_> = (0..8_u8)
        .map(|n| {
            gopark::go(move || {
                for round in 0..100 {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let message = [n, round];
                    stream.write_all(&message).unwrap();
                    if round % 3 == 0 {
                        // Leaves before the answer comes.
                        continue;
                    }
                    let mut answer = [0; 2];
                    stream.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, message);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|task| task.join().unwrap());
    closer.close();
    server.join().unwrap();
}
