//! Who runs where and when.

mod blocking;
mod bound;
mod config;
mod crowd;
mod fairness;
mod hazards;
mod hogs;
mod interrupted;
mod lock_thread;
mod maxprocs;
mod migrating;
mod offload;
mod preempt;
mod signal;
mod spreading;
mod startup;
mod states;
mod threads;
mod undeclared;
mod watchdog;

use crate::support::{Tally, info, thread_id, until};
use gopark::inspect::Status;
use gopark::runtime::Config;
use gopark::{JoinHandle, TaskId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

const ONE: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1")];
const TWO: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "2")];
/// Tasks are suspended as often as they can be.
const ONE_BRIEF: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1"), ("GOPARK_SLICE", "1ms")];
const TWO_BRIEF: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "2"), ("GOPARK_SLICE", "1ms")];
/// Tasks keep their processors for long; who blocks undeclared still loses it soon.
const ONE_LONG: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1"), ("GOPARK_SLICE", "1s")];

#[expect(unsafe_code, reason = "the promise of migrating mode")]
fn migrate(maxprocs: usize) {
    // SAFETY: no frame of these tests touches a thread-local on both sides of a park.
    unsafe { Config::new().maxprocs(maxprocs).migrating() }.start().unwrap();
}

fn status(id: TaskId) -> Option<Status> {
    info(id).map(|task| task.status)
}

/// Waits until the task is seen like that.
#[track_caller]
fn seen(id: TaskId, expected: Status) {
    until(&format!("task {id} is {}", expected.as_str()), || status(id) == Some(expected));
}

/// A system call that nobody has declared has lost the task its processor.
#[track_caller]
fn detached(id: TaskId) {
    seen(id, Status::Syscall);
    assert!(info(id).unwrap().call.is_none(), "a declared call");
}

/// Tasks start, and end, and park meanwhile.
#[track_caller]
fn others_go_on() {
    for n in 0..10 {
        let other = gopark::go(move || {
            gopark::yield_now();
            n
        });
        assert_eq!(other.join().unwrap(), n);
    }
}

/// A task in a call that blocks until it is told to go on.
struct Caller {
    task: JoinHandle<()>,
    go_on: Sender<()>,
}

impl Caller {
    /// Has not started yet. `call` waits for the message.
    fn begin(call: fn(Receiver<()>)) -> Caller {
        let (go_on, rx) = mpsc::channel();
        Caller { task: gopark::go(move || call(rx)), go_on }
    }

    fn end(self) {
        self.go_on.send(()).unwrap();
        self.task.join().unwrap();
    }
}

/// What a thread of this process has computed.
fn computed(thread: u64) -> Duration {
    let file = format!("/proc/self/task/{thread}/schedstat");
    let text = std::fs::read_to_string(file).expect("a thread that is alive");
    Duration::from_nanos(text.split(' ').next().expect("numbers").parse().expect("a number"))
}

/// Computes without a call of ours until it is told to stop.
struct Hog {
    over: Arc<AtomicBool>,
    thread: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Hog {
    #[track_caller]
    fn new() -> Hog {
        let (over, thread) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, at) = (over.clone(), thread.clone());
        let task = gopark::go(move || {
            at.store(thread_id(), Ordering::SeqCst);
            spin(&end);
        });
        until("a hog has begun", || thread.load(Ordering::SeqCst) != 0);
        Hog { over, thread, task }
    }

    fn id(&self) -> TaskId {
        self.task.id()
    }

    fn thread(&self) -> u64 {
        self.thread.load(Ordering::SeqCst)
    }

    #[track_caller]
    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        self.task.join().unwrap();
    }
}

fn spin(over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
}

/// Counts its turns until it is told to stop.
struct Turns {
    count: Tally,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Turns {
    fn new() -> Turns {
        let (count, over) = (Tally::new(), Arc::new(AtomicBool::new(false)));
        let task = {
            let (count, over) = (count.clone(), over.clone());
            gopark::go(move || {
                while !over.load(Ordering::SeqCst) {
                    count.add();
                    gopark::yield_now();
                }
            })
        };
        until("it runs", || count.count() > 10);
        Turns { count, over, task }
    }

    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        self.task.join().unwrap();
    }
}
