//! Who asks the kernel, when nobody has anything else to do, and when all have.

use super::{listen, pair};
use crate::child::{alone, here};
use crate::support::{ONE_COOPERATIVE, info, parked, spin_until, until};
use gopark::inspect::{Status, WaitReason};
use gopark::net::TcpStream;
use gopark::{Builder, blocking};
use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

/// The first socket of the process: workers went to sleep before there was one.
#[test]
fn a_program_without_tasks() {
    alone(here!(), &[], || {
        let (listener, address) = listen();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            stream.write_all(&word).unwrap();
        });
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"ping").unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).unwrap();
        client.join().unwrap();
    });
}

/// One processor, and its holder neither parks nor gives way.
#[test]
fn sysmon_looks_while_all_are_busy() {
    alone(here!(), ONE_COOPERATIVE, || {
        gopark::go(|| {
            let (one, other) = pair();
            let reader = gopark::go(move || (&one).read(&mut [0; 8]));
            parked(reader.id(), WaitReason::IoWait);
            gopark::no_park(|| {
                (&other).write_all(b"x").unwrap();
                spin_until("the reader is ready", || {
                    info(reader.id()).is_some_and(|task| task.status == Status::Runnable)
                });
            });
            assert_eq!(reader.join().unwrap().unwrap(), 1);
        })
        .join()
        .unwrap();
    });
}

/// The processor becomes idle while its worker blocks: nobody went to sleep.
#[test]
fn somebody_looks_when_a_call_has_lost_its_processor() {
    alone(here!(), ONE_COOPERATIVE, || {
        for _ in 0..3 {
            let (one, other) = pair();
            let (tx, rx) = mpsc::channel();
            let reader = Builder::new().own_thread().go(move || {
                let read = (&one).read(&mut [0; 8]).unwrap();
                tx.send(read).unwrap();
            });
            let reader = reader.unwrap();
            parked(reader.id(), WaitReason::IoWait);
            let blocked = gopark::go(move || blocking(|| rx.recv().unwrap()));
            until("it blocks", || {
                info(blocked.id()).is_some_and(|task| task.status == Status::Syscall)
            });
            quiet();
            // From a thread of std's, with a socket of std's: nothing else of the
            // runtime is woken.
            (&other).write_all(b"x").unwrap();
            assert_eq!(blocked.join().unwrap(), 1);
            reader.join().unwrap();
        }
    });
}

/// Waits until no thread of the process but this one runs for a while.
fn quiet() {
    fn switches() -> Vec<(String, String)> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let me = crate::support::thread_id().to_string();
        let mut all: Vec<_> = tasks
            .map(|entry| entry.unwrap())
            .filter(|entry| *entry.file_name() != *me)
            .map(|entry| {
                let path = entry.path().join("schedstat");
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap_or_default())
            })
            .collect();
        all.sort();
        all
    }
    for _ in 0..600 {
        let before = switches();
        std::thread::sleep(Duration::from_millis(100));
        if switches() == before {
            return;
        }
    }
    panic!("the process never rests: {:?}", switches());
}

#[test]
fn an_idle_program_with_sockets_takes_no_time() {
    alone(here!(), &[], || {
        let (one, other) = pair();
        let reader = gopark::go(move || (&one).read(&mut [0; 8]));
        parked(reader.id(), WaitReason::IoWait);
        quiet();
        (&other).write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 1);
        quiet();
    });
}
