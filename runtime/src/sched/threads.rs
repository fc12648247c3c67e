//! How many worker threads there are: when one ends, and how many are too many.
//!
//! A burst of blocking calls, or of tasks that are suspended, leaves workers behind
//! that nobody needs any more. Who has been idle for [`Settings::patience`] ends, if
//! no task is bound to it and another idle worker is listed that may run anything:
//! so one stays, and whoever needs a worker finds it (`spare.rs`). The last one sleeps
//! without a timeout, so that an idle program is idle.
//!
//! It decides that under the scheduler's lock, where processors are assigned, too: a
//! worker that was given one is not idle any more, and who is gone is given none.
//! A worker that was made for one task, or that a task has locked for good, ends with
//! its last task, without waiting.
//!
//! What is left is the record of the worker, which is never freed (W3): the next
//! thread takes it, with its number. So there are as many records as there were
//! threads at the same time.
//!
//! **W5** The record of a worker that is `GONE` and in the list of those is nobody's.
//! Its thread touches it last when it puts it there.
//!
//! [`Settings::patience`]: super::settings::Settings

use super::worker::{GONE, IDLE, Worker};
use super::{Sched, observe};
use crate::sys::thread;
use core::ptr;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Sched {
    /// A worker for a thread that is about to be started. Ends the process if there
    /// are too many.
    pub(crate) fn new_worker(&self, exclusive: bool) -> &'static Worker {
        match self.try_new_worker(exclusive) {
            Ok(worker) => worker,
            Err(error) => crate::sys::fatal(format_args!("thread exhaustion: {error}")),
        }
    }

    /// The same, for whoever can be given an error.
    pub(crate) fn try_new_worker(&self, exclusive: bool) -> io::Result<&'static Worker> {
        let most = self.settings.get().map_or(usize::MAX, |settings| settings.max_threads);
        let reused = self.locked(|s| {
            if s.threads >= most {
                return Err(());
            }
            s.threads += 1;
            let worker = s.gone.pop();
            if let Some(worker) = worker {
                worker.begin_again(exclusive);
            }
            Ok(worker)
        });
        match reused {
            Ok(reused) => Ok(reused.unwrap_or_else(|| self.make_worker(exclusive))),
            Err(()) => Err(io::Error::other(format!(
                "this program needs more than {most} worker threads: too many tasks block \
                 their threads or have threads of their own (Config::max_threads)"
            ))),
        }
    }

    /// Makes a worker; [`new_worker`](Sched::new_worker) does if there is no other.
    fn make_worker(&self, exclusive: bool) -> &'static Worker {
        let id = self.next_worker.fetch_add(1, Ordering::Relaxed);
        let worker: &'static Worker = Box::leak(Box::new(Worker::new(id, exclusive)));
        // With this one.
        let count = id as usize + 1;
        self.make_room(count, |s| &mut s.workers);
        self.make_room(count, |s| &mut s.idle_workers);
        self.make_room(count, |s| &mut s.gone);
        // One more for `Anyone`.
        self.make_room(count + 1, |s| &mut s.fifo);
        self.locked(|s| s.workers.push(worker));
        // Whoever turns it on afterwards finds the worker in the list.
        if observe::is_on() {
            worker.tape.prepare();
        }
        worker
    }

    /// Every worker that was ever made.
    pub(crate) fn workers(&self) -> Vec<&'static Worker> {
        let mut workers = Vec::new();
        loop {
            let count = self.locked(|s| {
                if s.workers.len() <= workers.capacity() {
                    workers.extend_from_slice(&s.workers);
                }
                s.workers.len()
            });
            if workers.len() == count {
                return workers;
            }
            workers.reserve(count);
        }
    }

    /// The thread has ended, or was never started. From here on the worker may be
    /// another thread's.
    pub(crate) fn worker_gone(&self, w: &'static Worker) {
        w.tid.store(thread::ENDED, Ordering::Relaxed);
        self.locked(|s| {
            w.status.store(GONE, Ordering::Relaxed);
            s.threads -= 1;
            s.gone.push(w);
        });
    }

    /// How long an idle worker waits for a processor before it asks whether it may
    /// end; `None`: as long as it likes.
    pub(super) fn patience(&self, w: &Worker) -> Option<Duration> {
        let patience = self.settings.get()?.patience;
        // One that was made for a task waits for it.
        let may_end = !w.own.get() && w.bound_alive.get() == 0;
        patience.filter(|_| may_end)
    }

    /// May the worker, which has been idle for long, end? It is given nothing any more
    /// then.
    pub(super) fn dismiss(&self, w: &'static Worker) -> bool {
        self.locked(|s| {
            let idle = w.status.load(Ordering::Relaxed) == IDLE && w.inbox.is_empty();
            let other = |other: &&Worker| {
                !ptr::eq(*other, w)
                    && other.status.load(Ordering::Relaxed) == IDLE
                    && !other.exclusive.get()
            };
            if !idle || !s.idle_workers.iter().any(other) {
                return false;
            }
            w.status.store(GONE, Ordering::Relaxed);
            if w.listed.replace(false) {
                s.idle_workers.retain(|listed| !ptr::eq(*listed, w));
            }
            true
        })
    }
}
