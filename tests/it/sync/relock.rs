//! Guards that give their lock up for a while (`unlocked`), and wait for it when their task
//! is to end.

use super::go_in;
use crate::child::{Child, here, inside};
use gopark::context::Context;
use gopark::inspect::{Snapshot, Wait, WaitReason};
use gopark::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use gopark::time::{Elapsed, timeout};
use gopark::{JoinError, JoinHandle, Scope};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Two things that happen one after the other. Told in calls that no limit ends.
struct Steps {
    given_up: mpsc::Sender<()>,
    taken: mpsc::Receiver<()>,
}

impl Steps {
    fn take(&self) {
        self.given_up.send(()).unwrap();
        gopark::blocking(|| self.taken.recv().unwrap());
    }
}

/// Three tasks with a guard each, who have given their locks up.
struct Three {
    mutex: Arc<Mutex<u32>>,
    read: Arc<RwLock<u32>>,
    write: Arc<RwLock<u32>>,
    tasks: Vec<JoinHandle<Result<(), Elapsed>>>,
    scope: Scope,
    taken: Vec<mpsc::Sender<()>>,
}

impl Three {
    /// They wait for so long in all.
    fn start(limit: Duration) -> Three {
        let scope = Scope::new("given up");
        let (given_up, is_given_up) = mpsc::channel();
        let mut taken = Vec::new();
        let mutex = Arc::new(Mutex::new(0));
        let [read, write] = [0, 0].map(|value| Arc::new(RwLock::new(value)));
        let mut steps = || {
            let (tell, is_told) = mpsc::channel();
            taken.push(tell);
            Steps { given_up: given_up.clone(), taken: is_told }
        };
        let tasks = vec![
            go_in(&scope, {
                let (lock, steps) = (mutex.clone(), steps());
                move || {
                    timeout(limit, || {
                        let mut guard = lock.lock();
                        MutexGuard::unlocked(&mut guard, || steps.take());
                        *guard += 1;
                    })
                }
            }),
            go_in(&scope, {
                let (lock, steps) = (read.clone(), steps());
                move || {
                    timeout(limit, || {
                        let mut guard = lock.read();
                        RwLockReadGuard::unlocked(&mut guard, || steps.take());
                        assert_eq!(*guard, 7);
                    })
                }
            }),
            go_in(&scope, {
                let (lock, steps) = (write.clone(), steps());
                move || {
                    timeout(limit, || {
                        let mut guard = lock.write();
                        RwLockWriteGuard::unlocked(&mut guard, || steps.take());
                        *guard += 1;
                    })
                }
            }),
        ];
        (0..3).for_each(|_| is_given_up.recv().unwrap());
        Three { mutex, read, write, tasks, scope, taken }
    }

    /// Somebody else takes the locks, of which each belongs to him alone until `in_between`
    /// is over, although the tasks come back and are to end then. Returns what became of
    /// them.
    fn meet(self, in_between: impl FnOnce(&Scope)) -> Vec<Result<Result<(), Elapsed>, JoinError>> {
        let Three { mutex, read, write, tasks, scope, taken } = self;
        let (one, mut two, three) = (mutex.lock(), read.write(), write.read());
        taken.iter().for_each(|it| it.send(()).unwrap());
        let waits = || Snapshot::of(&scope).tasks.into_iter().filter_map(|task| task.wait);
        let all_wait = |are: fn(&Wait) -> bool| {
            while waits().filter(are).count() < 3 {
                std::thread::yield_now();
            }
        };
        all_wait(|_| true);
        in_between(&scope);
        all_wait(|wait| !wait.timed);
        let reasons = waits().map(|wait| wait.reason);
        let mut reasons: Vec<WaitReason> = reasons.collect();
        reasons.sort_by_key(|reason| reason.as_str());
        use WaitReason::{MutexLock, RwLockRead, RwLockWrite};
        assert_eq!(reasons, [MutexLock, RwLockWrite, RwLockRead]);
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert!(read.is_locked_exclusive() && read.try_read().is_none());
        assert!(write.is_locked() && write.try_write().is_none());
        *two = 7;
        drop((one, two, three));
        let ends = tasks.into_iter().map(JoinHandle::join).collect();
        assert!(!mutex.is_locked() && !read.is_locked() && !write.is_locked());
        ends
    }
}

#[test]
fn a_limit_that_passes_leaves_them_waiting() {
    let three = Three::start(Duration::from_millis(20));
    let ends = three.meet(|_| ());
    // What they wait for next ends; they do not wait again.
    assert!(ends.iter().all(|end| matches!(end, Ok(Ok(())))), "{ends:?}");
}

#[test]
fn the_reaper_leaves_them_waiting() {
    let three = Three::start(Duration::from_secs(600));
    let ends = three.meet(|scope| {
        let reaped = scope.reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 3));
    });
    assert!(ends.iter().all(|end| matches!(end, Ok(Ok(())))), "{ends:?}");
}

/// It can neither wait nor leave: the guard would unlock what is somebody else's.
#[test]
fn who_must_not_park_ends_the_process() {
    if inside(here!()) {
        let lock = Arc::new(Mutex::new(()));
        let other = lock.clone();
        let task = gopark::go(move || {
            gopark::no_park(|| {
                let mut guard = lock.lock();
                MutexGuard::unlocked(&mut guard, || {
                    let take = move || std::mem::forget(other.lock());
                    std::thread::spawn(take).join().unwrap();
                });
            });
        });
        let _ = task.join();
        return;
    }
    let ended = Child::new(here!()).run();
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{}", ended.stderr);
    assert!(ended.stderr.contains("fatal error: a task in gopark::no_park"), "{}", ended.stderr);
}

/// A wait for a condition that must not park is refused before the lock is given up.
#[test]
fn a_condition_in_no_park_keeps_the_lock() {
    let (lock, over) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
    let wants_it = std::thread::spawn({
        let (lock, over) = (lock.clone(), over.clone());
        move || {
            while !over.load(Ordering::Relaxed) {
                drop(lock.lock());
            }
        }
    });
    let task = gopark::go(move || {
        let (condition, context) = (Condvar::new(), Context::background());
        for _ in 0..2000 {
            let mut guard = lock.lock();
            let wait = || gopark::no_park(|| context.wait_while(&condition, &mut guard, |()| true));
            assert!(catch_unwind(AssertUnwindSafe(wait)).is_err());
        }
    });
    task.join().unwrap();
    over.store(true, Ordering::Relaxed);
    wants_it.join().unwrap();
}
