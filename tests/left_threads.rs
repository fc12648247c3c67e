//! Threads that tests leave behind, and a pool that serves all of them.

use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// A thread that waits for ever, and does.
pub(crate) fn wait_for_ever(name: &str) {
    let (started, starts) = mpsc::channel();
    let body = move || {
        started.send(()).unwrap();
        loop {
            thread::park();
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
    starts.recv().unwrap();
}

type Job = Box<dyn FnOnce() + Send>;

/// What runs jobs for everybody, started by whoever is the first to need it, and by many
/// functions that call each other.
static POOL: LazyLock<Sender<Job>> = LazyLock::new(|| after_calls(40));

#[inline(never)]
fn after_calls(left: usize) -> Sender<Job> {
    if left > 0 {
        return std::hint::black_box(after_calls(left - 1));
    }
    let (jobs, queue): (_, Receiver<Job>) = mpsc::channel();
    let body = move || queue.into_iter().for_each(|job| job());
    thread::Builder::new().name("helper".to_owned()).spawn(body).unwrap();
    jobs
}

/// Does not wait until it is done.
pub(crate) fn to_the_pool(job: impl FnOnce() + Send + 'static) {
    POOL.send(Box::new(job)).unwrap();
}

pub(crate) fn in_the_pool(job: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    to_the_pool(move || {
        job();
        done.send(()).unwrap();
    });
    is_done.recv().unwrap();
}
