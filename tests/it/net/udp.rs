//! Datagrams.

use crate::support::parked;
use gopark::inspect::WaitReason;
use gopark::net::UdpSocket;
use std::io;
use std::time::Instant;

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn they_come_whole_and_with_their_sender() {
    let (one, other) = (socket(), socket());
    let (from, to) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    let receiver = gopark::go(move || {
        let mut room = [0; 4];
        assert_eq!(other.peek_from(&mut room).unwrap(), (3, from));
        assert_eq!(other.recv_from(&mut room).unwrap(), (3, from));
        assert_eq!(&room[..3], b"one");
        assert_eq!(other.recv_from(&mut room).unwrap(), (4, from));
        assert_eq!(&room, b"long");
    });
    parked(receiver.id(), WaitReason::IoWait);
    one.send_to(b"one", to).unwrap();
    one.send_to(b"longer than the room", to).unwrap();
    receiver.join().unwrap();
}

#[test]
fn a_connected_one_hears_only_its_partner() {
    let (one, other, third) = (socket(), socket(), socket());
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
    third.send_to(b"noise", one.local_addr().unwrap()).unwrap();
    let echo = gopark::go(move || {
        let mut room = [0; 16];
        for _ in 0..100 {
            let length = other.recv(&mut room).unwrap();
            other.send(&room[..length]).unwrap();
        }
    });
    for n in 0..100_u8 {
        one.send(&[n, n]).unwrap();
        let mut room = [0; 16];
        assert_eq!(one.peek(&mut room).unwrap(), 2);
        assert_eq!(one.recv(&mut room).unwrap(), 2);
        assert_eq!(room[..2], [n, n]);
    }
    echo.join().unwrap();
}

#[test]
fn deadlines_and_closing() {
    let one = socket();
    one.set_read_deadline(Some(Instant::now()));
    assert_eq!(one.recv(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    one.set_read_deadline(None);
    let waits = one.try_clone().unwrap();
    let task = gopark::go(move || waits.recv(&mut [0; 4]));
    parked(task.id(), WaitReason::IoWait);
    one.close();
    assert_eq!(task.join().unwrap().unwrap_err().kind(), io::ErrorKind::NotConnected);
}
