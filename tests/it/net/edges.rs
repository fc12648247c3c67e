//! The kernel tells once; nobody misses it.

use super::{listen, pair};
use crate::child::{alone, here};
use crate::support::{parked, thread_id, until};
use gopark::inspect::{Snapshot, WaitReason};
use gopark::net::TcpStream;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A byte at a time, with all that could happen between an attempt and a park.
#[test]
fn each_byte_arrives() {
    for yields in 0..4 {
        let (one, other) = pair();
        let writer = gopark::go(move || {
            for n in 0..2000_u32 {
                (&other).write_all(&[n as u8]).unwrap();
                (0..yields).for_each(|_| gopark::yield_now());
            }
        });
        for n in 0..2000_u32 {
            let mut byte = [0];
            (&one).read_exact(&mut byte).unwrap();
            assert_eq!(byte[0], n as u8);
        }
        writer.join().unwrap();
    }
}

/// Who takes a part of what came leaves the rest to the others.
#[test]
fn several_readers_of_one_socket() {
    const BYTES: usize = 20_000;
    let (one, other) = pair();
    let got = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..4)
        .map(|size| {
            let (one, got) = (one.try_clone().unwrap(), got.clone());
            gopark::go(move || {
                let mut room = vec![0; 1 << size];
                loop {
                    match (&one).read(&mut room).unwrap() {
                        0 => return,
                        n => drop(got.fetch_add(n, Ordering::SeqCst)),
                    }
                }
            })
        })
        .collect();
    for chunk in vec![0; BYTES].chunks(17) {
        (&other).write_all(chunk).unwrap();
        gopark::yield_now();
    }
    until("all was read", || got.load(Ordering::SeqCst) == BYTES);
    // All see the end.
    other.close();
    readers.into_iter().for_each(|task| task.join().unwrap());
}

/// One edge may stand for several connections.
#[test]
fn several_accept_what_comes_at_once() {
    let (listener, address) = listen();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            gopark::go(move || listener.accept().map(drop))
        })
        .collect();
    tasks.iter().for_each(|task| drop(parked(task.id(), WaitReason::IoWait)));
    let clients: Vec<_> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    tasks.into_iter().for_each(|task| task.join().unwrap().unwrap());
    drop(clients);
}

#[test]
fn a_wait_is_seen_as_such() {
    let (one, other) = pair();
    let reader = gopark::go(move || (&one).read(&mut [0; 8]));
    let seen = parked(reader.id(), WaitReason::IoWait);
    let wait = seen.wait.unwrap();
    assert!(!wait.reason.durable());
    assert!(wait.site.file().ends_with("edges.rs"), "{}", wait.site);
    assert!(Snapshot::all().to_string().contains("[IO wait]:"));
    (&other).write_all(b"x").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 1);
}

/// Signals interrupt system calls of all threads, those of the runtime too.
#[test]
#[expect(unsafe_code, reason = "signals")]
fn signals_end_no_wait() {
    extern "C" fn nothing(_: libc::c_int) {}
    alone(here!(), &[], || {
        // SAFETY: the handler does nothing; without SA_RESTART calls are interrupted.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        }
        let over = Arc::new(AtomicBool::new(false));
        let (one, other) = pair();
        let rounds = {
            let over = over.clone();
            gopark::go(move || {
                let echo = gopark::go(move || {
                    let mut word = [0; 4];
                    while (&other).read_exact(&mut word).is_ok() {
                        (&other).write_all(&word).unwrap();
                    }
                });
                for n in 0..2000_u32 {
                    (&one).write_all(&n.to_ne_bytes()).unwrap();
                    let mut word = [0; 4];
                    (&one).read_exact(&mut word).unwrap();
                    assert_eq!(u32::from_ne_bytes(word), n);
                }
                drop(one);
                echo.join().unwrap();
                over.store(true, Ordering::SeqCst);
            })
        };
        let me = thread_id();
        while !over.load(Ordering::SeqCst) {
            for entry in std::fs::read_dir("/proc/self/task").unwrap() {
                let tid: i32 = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
                // SAFETY: a signal to a thread of this process, or to none.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, libc::SIGUSR1) };
            }
            std::thread::yield_now();
        }
        let _ = me;
        rounds.join().unwrap();
    });
}
