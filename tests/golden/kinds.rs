//! Tasks in every state that lasts, and parked for every reason. None of them ends.

use gopark::chan::{self, Receiver};
use gopark::net::TcpListener;
use gopark::sync::{Barrier, Condvar, Mutex, Once, RwLock, Semaphore, WaitGroup};
use gopark::{Builder, JoinHandle, blocking, offload, select};
use std::sync::{Arc, mpsc};
use std::time::Duration;

type Start = fn() -> JoinHandle<()>;

/// What the dump calls them, and how one is made.
pub(crate) const KINDS: [(&str, Start); 20] = [
    ("chan receive", || gopark::go(receives)),
    ("chan send", || gopark::go(sends)),
    ("chan receive (nil chan)", || gopark::go(|| ignore(chan::never::<u8>().recv()))),
    ("chan send (nil chan)", || gopark::go(|| ignore(chan::never_sender().send(1)))),
    ("select", || gopark::go(selects)),
    ("select (no cases)", || gopark::go(|| select! {})),
    ("sync.Mutex.Lock", || gopark::go(locks)),
    ("sync.RWMutex.RLock", || gopark::go(reads)),
    ("sync.RWMutex.Lock", || gopark::go(writes)),
    ("sync.Cond.Wait", || gopark::go(|| Condvar::new().wait(&mut Mutex::new(()).lock()))),
    ("sync.WaitGroup.Wait", || gopark::go(waits)),
    ("sync.Once.Do", || gopark::go(once)),
    ("sync.Semaphore.Acquire", || gopark::go(acquires)),
    ("sync.Barrier.Wait", || gopark::go(|| ignore(Barrier::new(2).wait()))),
    ("join", || gopark::go(|| gopark::go(receives).join().unwrap())),
    ("sleep", || gopark::go(|| gopark::sleep(Duration::from_secs(3600)))),
    ("IO wait", || gopark::go(accepts)),
    ("block_on", || gopark::go(|| gopark::block_on(std::future::pending()))),
    ("offload", || gopark::go(|| offload(blocks))),
    ("syscall", || alone(|| blocking(blocks))),
];

/// Who keeps its thread has no siblings, which would wait for ever, too.
fn alone(f: fn()) -> JoinHandle<()> {
    Builder::new().own_thread().go(f).unwrap()
}

/// Computes for ever.
pub(crate) fn hog() -> JoinHandle<()> {
    alone(|| {
        loop {
            std::hint::spin_loop();
        }
    })
}

/// Never returns, and is no call of the runtime's.
fn blocks() {
    let (_tx, rx) = mpsc::channel::<()>();
    let _ = rx.recv();
}

fn ignore<T>(_: T) {}

fn receives() {
    let (_tx, rx) = chan::rendezvous::<u8>();
    let _ = rx.recv();
}

fn sends() {
    let (tx, _rx) = chan::rendezvous();
    let _ = tx.send(1);
}

fn selects() {
    fn never(one: &Receiver<u8>, other: &Receiver<u8>) {
        select! {
            recv(one) -> _ => {},
            recv(other) -> _ => {},
        }
    }
    let (_a, one) = chan::rendezvous();
    let (_b, other) = chan::rendezvous();
    never(&one, &other);
}

fn locks() {
    let lock = Mutex::new(());
    let _held = lock.lock();
    drop(lock.lock());
}

fn reads() {
    let lock = RwLock::new(());
    let _held = lock.write();
    drop(lock.read());
}

fn writes() {
    let lock = RwLock::new(());
    let _held = lock.read();
    drop(lock.write());
}

fn acquires() {
    let permits = Semaphore::new(1);
    let _taken = permits.acquire(1);
    drop(permits.acquire(1));
}

fn waits() {
    let group = WaitGroup::new();
    group.add(1);
    group.wait();
}

fn once() {
    let once = Arc::new(Once::new());
    let first = once.clone();
    let other = gopark::go(move || first.call_once(receives));
    while !once.is_completed() {
        // The other one is in it, or comes to it.
        gopark::yield_now();
        let busy = gopark::inspect::Snapshot::all().tasks.into_iter();
        if busy.filter(|task| task.id == other.id()).any(|task| task.wait.is_some()) {
            break;
        }
    }
    once.call_once(|| unreachable!("it never ends"));
}

fn accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _ = listener.accept();
}
