//! Guards that give their lock up for a while (`unlocked`), and wait for it when their task
//! is to end.

use super::go_in;
use crate::child::{Child, here, inside};
use gopark::context::Context;
use gopark::inspect::{Snapshot, Wait, WaitReason};
use gopark::sync::{
    Condvar, Mutex, MutexGuard, RawMutex, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use gopark::time::{Elapsed, timeout};
use gopark::{JoinError, JoinHandle, Scope};
use lock_api::ReentrantMutexGuard;
use std::num::NonZeroUsize;
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

/// A lock that whoever has it may take again.
type Reentrant = lock_api::ReentrantMutex<RawMutex, Thread, ()>;

struct Thread;

// SAFETY: as long as a thread lives, nobody else has the address of its variable.
unsafe impl lock_api::GetThreadId for Thread {
    const INIT: Thread = Thread;

    fn nonzero_thread_id(&self) -> NonZeroUsize {
        thread_local!(static HERE: u8 = const { 0 });
        HERE.with(|here| NonZeroUsize::new(std::ptr::from_ref(here).addr()).unwrap())
    }
}

/// Four tasks with a guard each, who have given their locks up.
struct Four {
    mutex: Arc<Mutex<u32>>,
    read: Arc<RwLock<u32>>,
    write: Arc<RwLock<u32>>,
    again: Arc<Reentrant>,
    tasks: Vec<JoinHandle<Result<(), Elapsed>>>,
    scope: Scope,
    taken: Vec<mpsc::Sender<()>>,
}

impl Four {
    /// They wait for so long in all.
    fn start(limit: Duration) -> Four {
        let scope = Scope::new("given up");
        let (given_up, is_given_up) = mpsc::channel();
        let mut taken = Vec::new();
        let mutex = Arc::new(Mutex::new(0));
        let [read, write] = [0, 0].map(|value| Arc::new(RwLock::new(value)));
        let again = Arc::new(Reentrant::new(()));
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
            go_in(&scope, {
                let (lock, steps) = (again.clone(), steps());
                move || {
                    timeout(limit, || {
                        let mut guard = lock.lock();
                        ReentrantMutexGuard::unlocked(&mut guard, || steps.take());
                        assert!(lock.is_owned_by_current_thread());
                    })
                }
            }),
        ];
        (0..4).for_each(|_| is_given_up.recv().unwrap());
        Four { mutex, read, write, again, tasks, scope, taken }
    }

    /// Somebody else takes the locks, of which each belongs to him alone until `in_between`
    /// is over, although the tasks come back and are to end then. Returns what became of
    /// them.
    fn meet(self, in_between: impl FnOnce(&Scope)) -> Vec<Result<Result<(), Elapsed>, JoinError>> {
        let Four { mutex, read, write, again, tasks, scope, taken } = self;
        let (one, mut two, three, four) = (mutex.lock(), read.write(), write.read(), again.lock());
        taken.iter().for_each(|it| it.send(()).unwrap());
        let waits = || Snapshot::of(&scope).tasks.into_iter().filter_map(|task| task.wait);
        let all_wait = |are: fn(&Wait) -> bool| {
            while waits().filter(are).count() < 4 {
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
        assert_eq!(reasons, [MutexLock, MutexLock, RwLockWrite, RwLockRead]);
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert!(read.is_locked_exclusive() && read.try_read().is_none());
        assert!(write.is_locked() && write.try_write().is_none());
        let taken_again = || again.try_lock().is_some();
        assert!(!std::thread::scope(|s| s.spawn(taken_again).join().unwrap()));
        *two = 7;
        drop((one, two, three, four));
        let ends = tasks.into_iter().map(JoinHandle::join).collect();
        assert!(!mutex.is_locked() && !read.is_locked() && !write.is_locked());
        assert!(!again.is_locked());
        ends
    }
}

#[test]
fn a_limit_that_passes_leaves_them_waiting() {
    let four = Four::start(Duration::from_millis(20));
    let ends = four.meet(|_| ());
    // What they wait for next ends; they do not wait again.
    assert!(ends.iter().all(|end| matches!(end, Ok(Ok(())))), "{ends:?}");
}

#[test]
fn the_reaper_leaves_them_waiting() {
    let four = Four::start(Duration::from_secs(600));
    let ends = four.meet(|scope| {
        let reaped = scope.reap();
        assert_eq!((reaped.ended, reaped.abandoned), (0, 4));
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
