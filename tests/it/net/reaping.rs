//! Tasks that are ended while they wait for a socket.

use super::{listen, pair};
use crate::support::{go_in, parked};
use gopark::inspect::WaitReason;
use gopark::net::TcpStream;
use gopark::{JoinError, Scope};
use std::io::{Read, Write};

#[test]
fn a_reaped_reader_takes_nothing() {
    let (one, other) = pair();
    let scope = Scope::new("reads");
    for timed in [false, true] {
        let reads = one.try_clone().unwrap();
        if timed {
            reads.set_read_timeout(Some(std::time::Duration::from_secs(600))).unwrap();
        }
        let reader = go_in(&scope, move || (&reads).read(&mut [0; 8]));
        parked(reader.id(), WaitReason::IoWait);
        scope.reap();
        assert!(matches!(reader.join(), Err(JoinError::Reaped)));
    }
    let second = one.try_clone().unwrap();
    let reader = gopark::go(move || {
        let mut word = [0; 8];
        (&second).read_exact(&mut word).map(|()| word)
    });
    parked(reader.id(), WaitReason::IoWait);
    (&other).write_all(b"all of it").unwrap();
    assert_eq!(&reader.join().unwrap().unwrap(), b"all of i");
}

#[test]
fn a_reaped_accept_takes_no_connection() {
    let (listener, address) = listen();
    let scope = Scope::new("accepts");
    let accepts = listener.try_clone().unwrap();
    let task = go_in(&scope, move || accepts.accept().map(drop));
    parked(task.id(), WaitReason::IoWait);
    scope.reap();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    let client = TcpStream::connect(address).unwrap();
    assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
}

/// A destructor that says goodbye while the task is reaped gets an error, not a
/// second unwind; if there is nothing to wait for, it says it.
#[test]
fn a_destructor_may_still_write_and_not_wait() {
    struct Goodbye(TcpStream);
    impl Drop for Goodbye {
        fn drop(&mut self) {
            (&self.0).write_all(b"bye").unwrap();
            assert!((&self.0).read(&mut [0; 8]).is_err());
        }
    }
    let (one, other) = pair();
    let scope = Scope::new("says goodbye");
    let task = go_in(&scope, move || {
        let one = Goodbye(one);
        (&one.0).read(&mut [0; 8])
    });
    parked(task.id(), WaitReason::IoWait);
    scope.reap();
    assert!(matches!(task.join(), Err(JoinError::Reaped)));
    let mut all = String::new();
    (&other).read_to_string(&mut all).unwrap();
    assert_eq!(all, "bye");
}
