//! Tasks of all kinds, made one after the other. The golden text has the lines
//! of this file: a change here changes it.

use gopark::inspect::{Census, Snapshot, Status, WaitReason};
use gopark::sync::{Mutex, WaitGroup};
use gopark::{JoinHandle, Scope, TaskId, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Blocks in the dump: tasks and threads.
pub(crate) const SIZE: usize = 22;

/// Waits until the task has this status.
fn await_status(id: TaskId, status: Status) {
    let is = || Snapshot::all().tasks.iter().any(|task| task.id == id && task.status == status);
    while !is() {
        gopark::yield_now();
    }
}

fn is_parked<T>(task: JoinHandle<T>) -> TaskId {
    await_status(task.id(), Status::Waiting);
    task.id()
}

/// Waits until so many threads are parked for this reason.
fn threads_are_parked(count: usize, reason: WaitReason) {
    let parked = |entry: &str, wait: Option<gopark::inspect::Wait>| {
        entry == "thread" && wait.is_some_and(|wait| wait.reason == reason)
    };
    while Snapshot::all().tasks.iter().filter(|t| parked(t.entry, t.wait)).count() != count {
        gopark::yield_now();
    }
}

fn plain() {
    let _ = chan::never::<u8>().recv();
}

fn of_any_type<T>() -> JoinHandle<()> {
    gopark::go(|| drop(chan::never::<T>().recv()))
}

#[track_caller]
fn passes_its_place_on(rx: &chan::Receiver<u8>) {
    let _ = rx.recv();
}

/// Calls `f` while all kinds are there. One processor: what runs keeps it.
pub(crate) fn with_all(f: &dyn Fn()) {
    let (tx, rx) = chan::rendezvous::<u8>();
    let receiver = rx.clone();
    is_parked(gopark::go(move || {
        let _ = receiver.recv();
    }));
    let (keep, quiet) = chan::rendezvous::<u8>();
    is_parked(gopark::go(move || passes_its_place_on(&quiet)));
    let (full, _rx) = chan::bounded(1);
    full.send(1).unwrap();
    is_parked(gopark::go(move || full.send(2)));
    is_parked(gopark::go(|| chan::never::<u8>().recv()));
    is_parked(gopark::go(|| chan::never_sender().send(1)));
    let lock = Arc::new(Mutex::new(0));
    let guard = lock.lock();
    let wanted = lock.clone();
    is_parked(gopark::go(move || {
        *wanted.lock() += 1;
    }));
    let group = WaitGroup::new();
    group.add(1);
    let waited = group.clone();
    is_parked(gopark::go(move || waited.wait()));
    let child = gopark::go(plain);
    await_status(child.id(), Status::Waiting);
    is_parked(gopark::go(move || child.join()));
    is_parked(gopark::go(|| gopark::sleep(Duration::from_secs(3600))));
    is_parked(gopark::go(move || {
        let _ = rx.recv_timeout(Duration::from_secs(3600));
    }));
    // A family: the middle one is gone.
    let family = gopark::go(|| {
        let orphan = gopark::go(|| is_parked(gopark::go(plain))).join();
        drop(orphan);
        chan::never::<u8>().recv()
    });
    is_parked(family);
    is_parked(of_any_type::<(u8, [i32; 2])>());
    let leaked = Scope::new("leaked");
    {
        let _in = leaked.enter();
        is_parked(gopark::go(|| chan::never::<u8>().recv()));
    }
    leaked.condemn(&Census::take(&leaked).members);
    // Threads: one in a channel, one in `run` and its task, who has no parent.
    let (offers, nobody_takes) = chan::rendezvous();
    std::thread::spawn(move || offers.send(1));
    threads_are_parked(1, WaitReason::ChanSend);
    std::thread::spawn(|| gopark::run(plain));
    threads_are_parked(1, WaitReason::Join);
    let blocked = Arc::new(Mutex::new(()));
    let held = blocked.lock();
    let wanted = blocked.clone();
    std::thread::spawn(move || drop(wanted.lock()));
    threads_are_parked(1, WaitReason::MutexLock);
    // The last ones: somebody runs, somebody is ready.
    let over = Arc::new(AtomicBool::new(false));
    let released = over.clone();
    let (running, runs) = mpsc::channel();
    let hog = gopark::go(move || {
        running.send(()).unwrap();
        while !released.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
    });
    runs.recv().unwrap();
    let ready = gopark::go(|| ());
    f();
    over.store(true, Ordering::SeqCst);
    hog.join().unwrap();
    ready.join().unwrap();
    drop((tx, keep, guard, held, group, nobody_takes));
}

/// Tasks that are born, parked and gone all the time.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start() -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let tasks = (0..8)
            .map(|_| {
                let over = over.clone();
                gopark::go(move || {
                    while !over.load(Ordering::SeqCst) {
                        let (tx, rx) = chan::rendezvous();
                        let receiver = gopark::go(move || rx.iter().count());
                        tx.send(()).unwrap();
                        gopark::yield_now();
                        gopark::sleep(Duration::from_micros(1));
                        drop(tx);
                        assert_eq!(receiver.join().unwrap(), 1);
                    }
                })
            })
            .collect();
        Load { over, tasks }
    }

    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.into_iter().for_each(|task| task.join().unwrap());
    }
}

/// So many tasks more, which wait at one place, as long as what is returned lives.
pub(crate) fn more(count: usize) -> chan::Sender<u8> {
    #[inline(never)]
    fn deep(depth: usize, rx: &chan::Receiver<u8>) -> usize {
        let more = match depth {
            0 => rx.recv().map_or(0, usize::from),
            depth => deep(depth - 1, rx),
        };
        std::hint::black_box(more)
    }
    let (tx, rx) = chan::rendezvous();
    for n in 0..count {
        let rx = rx.clone();
        let depth = if n == 0 { 500 } else { 3 };
        let task = gopark::Builder::new().name("one \"of\" many").label("n", (n % 2).to_string());
        is_parked(task.go(move || deep(depth, &rx)).unwrap());
    }
    tx
}
