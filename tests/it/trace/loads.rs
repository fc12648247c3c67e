//! What is traced: every way of a task through its states.

use gopark::sync::{Mutex, WaitGroup};
use gopark::trace;
use gopark::{chan, net};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A source, workers, a sink.
pub(super) fn pipeline() {
    let (numbers, squares) = (chan::bounded::<u64>(2), chan::rendezvous::<u64>());
    gopark::go(move || (1..=200).for_each(|n| numbers.0.send(n).unwrap()));
    for name in ["one", "two", "three"] {
        let (from, to) = (numbers.1.clone(), squares.0.clone());
        let work = move || from.into_iter().for_each(|n| to.send(n * n).unwrap());
        gopark::Builder::new().name(name).go(work).unwrap();
    }
    drop((numbers.1, squares.0));
    let sum: u64 = squares.1.into_iter().sum();
    assert_eq!(sum, 200 * 201 * 401 / 6);
}

/// Locks, groups, selects, time limits, joins.
pub(super) fn patterns() {
    let (lock, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
    for _ in 0..20 {
        let (lock, done) = (lock.clone(), group.clone());
        done.add(1);
        gopark::go(move || {
            for _ in 0..10 {
                let mut count = lock.lock();
                *count += 1;
                gopark::yield_now();
            }
            done.done();
        });
    }
    group.wait();
    assert_eq!(*lock.lock(), 200);
    let (stop, stopped) = chan::rendezvous::<()>();
    let waiter = gopark::go(move || {
        for _ in 0..5 {
            gopark::select! {
                recv(stopped) => unreachable!(),
                after(Duration::from_millis(1)) => {}
            }
        }
    });
    waiter.join().unwrap();
    stop.close();
    gopark::sleep(Duration::from_micros(100));
}

/// Clients that send lines to a server over loopback.
pub(super) fn echo() {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = gopark::go(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            gopark::go(move || {
                let mut line = [0; 16];
                while let Ok(()) = stream.read_exact(&mut line) {
                    stream.write_all(&line).unwrap();
                }
            });
        }
    });
    let client = move || {
        let mut stream = net::TcpStream::connect(address).unwrap();
        for n in 0..50_u8 {
            let mut line = [n; 16];
            stream.write_all(&line).unwrap();
            stream.read_exact(&mut line).unwrap();
            assert_eq!(line, [n; 16]);
        }
    };
    let clients: Vec<_> = (0..4).map(|_| gopark::go(client)).collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    server.join().unwrap();
}

/// More tasks that compute than there are processors; each until another one has run
/// after it had begun.
pub(super) fn hogs() {
    let count = gopark::maxprocs() + 1;
    let began: Arc<Vec<AtomicBool>> =
        Arc::new((0..count).map(|_| AtomicBool::new(false)).collect());
    let hog = |n: usize| {
        let began = began.clone();
        gopark::go(move || {
            began[n].store(true, Ordering::SeqCst);
            while !began.iter().all(|began| began.load(Ordering::SeqCst)) {
                std::hint::spin_loop();
            }
        })
    };
    let hogs: Vec<_> = (0..count).map(hog).collect();
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
}

/// Calls that block, declared and not; parks, births and words inside of them.
pub(super) fn calls() {
    let nap = Duration::from_millis(2);
    let declared = || {
        gopark::go(move || {
            gopark::blocking(|| std::thread::sleep(nap));
            gopark::blocking(|| {
                trace::log("call", "inside");
                gopark::go(|| ()).join().unwrap();
                gopark::yield_now();
                gopark::sleep(Duration::from_micros(50));
            });
            (0..50).for_each(|_| gopark::blocking(|| ()));
        })
    };
    let undeclared = || {
        gopark::go(|| {
            // Longer than it takes to be noticed.
            std::thread::sleep(Duration::from_millis(25));
            trace::log("call", "after");
        })
    };
    let mut all: Vec<_> = (0..4).map(|_| declared()).collect();
    all.extend((0..2).map(|_| undeclared()));
    all.into_iter().for_each(|task| task.join().unwrap());
}

/// Thousands of tasks that do next to nothing.
pub(super) fn births(count: usize) {
    let most: Vec<_> = (1..count).map(|n| gopark::go(move || n)).collect();
    let last = gopark::go(|| 0);
    let sum: usize = most.into_iter().chain([last]).map(|task| task.join().unwrap()).sum();
    assert_eq!(sum, (0..count).sum::<usize>());
}

/// What a program says, in tasks and in a thread that is none of ours.
pub(super) fn words() {
    let order = Arc::new(trace::Task::new("order"));
    let part = order.child("part");
    let baker = order.clone();
    let bake = move || {
        let outer = baker.region("bake");
        let inner = trace::region("knead");
        gopark::yield_now();
        // In the wrong order.
        drop(outer);
        drop(inner);
        baker.log("oven", "hot");
        trace::log("long", &"ß".repeat(1000));
    };
    gopark::go(bake).join().unwrap();
    drop(part);
    let thread = std::thread::spawn(move || {
        let _region = order.region("outside");
        trace::log("thread", "speaks");
        let (tx, rx) = chan::rendezvous();
        gopark::go(move || tx.send(7).unwrap());
        assert_eq!(rx.recv(), Ok(7));
    });
    gopark::blocking(|| thread.join().unwrap());
}

/// Load without an end, until it is dropped.
pub(super) struct Load {
    over: Arc<AtomicBool>,
    tasks: Vec<gopark::JoinHandle<()>>,
}

impl Load {
    pub(super) fn new() -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let run = |work: fn()| {
            let over = over.clone();
            gopark::go(move || {
                while !over.load(Ordering::SeqCst) {
                    work();
                }
            })
        };
        let pair: fn() = || {
            let (tx, rx) = chan::rendezvous();
            let other = gopark::go(move || (0..50).for_each(|n| tx.send(n).unwrap()));
            let _region = trace::region("pair");
            assert_eq!(rx.into_iter().count(), 50);
            other.join().unwrap();
        };
        let compute: fn() = || {
            let end = Instant::now() + Duration::from_micros(300);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        };
        let call: fn() = || gopark::blocking(|| std::thread::sleep(Duration::from_micros(200)));
        let nap: fn() = || gopark::sleep(Duration::from_micros(100));
        let tasks = [pair, pair, compute, call, nap, || births(20)].map(run).into();
        Load { over, tasks }
    }

    pub(super) fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}
