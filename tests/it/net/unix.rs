//! Sockets with a path.

use crate::support::{parked, until};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::net::{UnixListener, UnixStream};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::PathBuf;

/// A path of its own, which goes with this.
struct At(PathBuf);

impl At {
    fn new(name: &str) -> At {
        At(std::env::temp_dir().join(format!("gopark-{name}-{}", std::process::id())))
    }
}

impl Drop for At {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn what_is_sent_comes_back() {
    let at = At::new("echo");
    let listener = UnixListener::bind(&at.0).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(at.0.as_path()));
    let server = gopark::go(move || {
        let stream = listener.accept()?.0;
        io::copy(&mut &stream, &mut &stream)
    });
    parked(server.id(), WaitReason::IoWait);
    let mut stream = UnixStream::connect(&at.0).unwrap();
    stream.write_all(b"good day").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "good day");
    assert_eq!(server.join().unwrap().unwrap(), 8);
}

#[test]
fn a_pair_carries_more_than_it_holds() {
    let (one, mut other) = UnixStream::pair().unwrap();
    let writer = gopark::go(move || (&one).write_all(&vec![7; 4 << 20]));
    parked(writer.id(), WaitReason::IoWait);
    let mut all = Vec::new();
    other.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 4 << 20);
    writer.join().unwrap().unwrap();
}

/// The kernel says `EAGAIN` to who connects then, and tells nobody when there is room.
#[test]
#[expect(unsafe_code, reason = "a short queue")]
fn who_finds_the_queue_full_waits() {
    use std::os::fd::AsRawFd;
    let at = At::new("full");
    let listener = std::os::unix::net::UnixListener::bind(&at.0).unwrap();
    // SAFETY: no memory is involved.
    unsafe { libc::listen(listener.as_raw_fd(), 1) };
    let listener = UnixListener::try_from(listener).unwrap();
    let connect = |_| {
        let path = at.0.clone();
        gopark::go(move || UnixStream::connect(path).map(drop))
    };
    let clients: Vec<_> = (0..8).map(connect).collect();
    until("one waits", || {
        let all = Snapshot::all().tasks;
        all.iter().any(|t| t.wait.is_some_and(|wait| wait.reason == WaitReason::Offload))
    });
    for _ in 0..8 {
        listener.accept().unwrap();
    }
    clients.into_iter().for_each(|task| task.join().unwrap().unwrap());
}

#[test]
fn a_path_that_is_none() {
    let nobody = UnixStream::connect("/nowhere/at/all").unwrap_err();
    assert_eq!(nobody.kind(), io::ErrorKind::NotFound);
    let long = UnixStream::connect("x".repeat(200)).unwrap_err();
    assert_eq!(long.kind(), io::ErrorKind::InvalidInput);
}
