//! When a wait is over.

use super::{listen, pair};
use crate::support::parked;
use gopark::inspect::WaitReason;
use gopark::net::TcpStream;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(600);

#[track_caller]
fn timed_out<T>(result: io::Result<T>) {
    assert_eq!(result.map(drop).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_read_ends_at_its_deadline_not_before() {
    let (one, _other) = pair();
    let start = Instant::now();
    one.set_read_deadline(Some(start + SHORT));
    timed_out(gopark::go(move || (&one).read(&mut [0; 8])).join().unwrap());
    assert!(start.elapsed() >= SHORT);
}

/// As in Go: what is there is not read any more.
#[test]
fn after_the_deadline_every_call_fails_until_it_is_moved() {
    let (one, other) = pair();
    (&other).write_all(b"x").unwrap();
    one.set_read_deadline(Some(Instant::now()));
    timed_out((&one).read(&mut [0; 8]));
    timed_out((&one).read(&mut [0; 8]));
    (&one).write_all(b"the other direction has its own").unwrap();
    one.set_read_deadline(None);
    assert_eq!((&one).read(&mut [0; 8]).unwrap(), 1);
    one.set_write_deadline(Some(Instant::now()));
    timed_out((&one).write(b"x"));
}

#[test]
fn a_deadline_reaches_those_who_wait_already() {
    let (one, _other) = pair();
    let one = Arc::new(one);
    let reader = gopark::go({
        let one = one.clone();
        move || (&*one).read(&mut [0; 8])
    });
    parked(reader.id(), WaitReason::IoWait);
    one.set_read_deadline(Some(Instant::now()));
    timed_out(reader.join().unwrap());
}

#[test]
fn a_deadline_that_is_put_off_lets_them_wait() {
    let (one, other) = pair();
    let one = Arc::new(one);
    one.set_read_deadline(Some(Instant::now() + LONG));
    let reader = gopark::go({
        let one = one.clone();
        move || (&*one).read(&mut [0; 8])
    });
    let before = parked(reader.id(), WaitReason::IoWait);
    assert!(before.wait.unwrap().timed);
    one.set_read_deadline(None);
    crate::support::until("it waits without a deadline", || {
        let seen = parked(reader.id(), WaitReason::IoWait);
        !seen.wait.unwrap().timed
    });
    (&other).write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 1);
}

#[test]
fn a_timeout_is_each_calls_own() {
    let (one, other) = pair();
    one.set_read_timeout(Some(SHORT)).unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        timed_out((&one).read(&mut [0; 8]));
        assert!(start.elapsed() >= SHORT);
    }
    (&other).write_all(b"x").unwrap();
    assert_eq!((&one).read(&mut [0; 8]).unwrap(), 1);
    let zero = one.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_write_that_finds_no_room_ends_too() {
    let (one, _other) = pair();
    one.set_write_timeout(Some(SHORT)).unwrap();
    let writer = gopark::go(move || {
        loop {
            (&one).write_all(&[0; 1 << 16])?;
        }
        #[expect(unreachable_code, reason = "names the type")]
        io::Result::Ok(())
    });
    timed_out(writer.join().unwrap());
}

#[test]
fn accept_has_a_deadline() {
    let (listener, address) = listen();
    listener.set_deadline(Some(Instant::now() + SHORT));
    timed_out(listener.accept());
    listener.set_deadline(None);
    let client = TcpStream::connect(address).unwrap();
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
}

#[test]
fn connecting_has_a_timeout() {
    let (listener, address) = listen();
    let client = TcpStream::connect_timeout(&address, LONG).unwrap();
    assert_eq!(client.write_timeout().unwrap(), None);
    drop(listener);
    let zero = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), io::ErrorKind::InvalidInput);
}

/// Among data that comes and deadlines that pass, no byte is lost or read twice.
#[test]
fn deadlines_lose_nothing() {
    const COUNT: u32 = 2000;
    let (one, other) = pair();
    let writer = gopark::go(move || {
        for n in 0..COUNT {
            (&other).write_all(&[n as u8]).unwrap();
            if n % 7 == 0 {
                gopark::yield_now();
            }
        }
    });
    one.set_read_timeout(Some(Duration::from_micros(20))).unwrap();
    let mut next = 0;
    while next < COUNT {
        let mut byte = [0];
        match (&one).read(&mut byte) {
            Ok(1) => {
                assert_eq!(byte[0], next as u8);
                next += 1;
            }
            Ok(_) => panic!("the end after {next} bytes"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
        }
    }
    writer.join().unwrap();
}
