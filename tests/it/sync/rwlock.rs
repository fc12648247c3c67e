//! `gopark::sync::RwLock`.

use super::{go_in, is_not, is_send, is_sync};
use crate::chan::support::{EACH, Here, PAIRS, Random, Seed};
use gopark::chan::bounded;
use gopark::inspect::WaitReason;
use gopark::sync::{LockExt, RwLock, RwLockReadGuard, RwLockWriteGuard};
use gopark::{JoinError, Scope};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Readers that are inside, or −1 for a writer.
#[derive(Default)]
struct Inside(AtomicI32);

impl Inside {
    fn reads<R>(&self, f: impl FnOnce() -> R) -> R {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) >= 0, "a writer is inside");
        let result = f();
        self.0.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn writes<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = self.0.compare_exchange(0, -1, Ordering::Relaxed, Ordering::Relaxed);
        assert_eq!(before, Ok(0), "somebody is inside");
        let result = f();
        self.0.store(0, Ordering::Relaxed);
        result
    }
}

#[test]
pub(super) fn many_readers_or_one_writer() {
    for (odd, even) in PAIRS {
        let lock = Arc::new(RwLock::new((0, 0)));
        let inside = Arc::new(Inside::default());
        let all: Vec<_> = (0..6)
            .map(|i| {
                let (lock, inside) = (lock.clone(), inside.clone());
                let who = if i % 2 == 0 { even } else { odd };
                who.start(move || {
                    for n in 0..40 {
                        if (n + i) % 3 == 0 {
                            let mut guard = lock.write();
                            inside.writes(|| {
                                guard.0 += 1;
                                who.yield_now();
                                guard.1 += 1;
                            });
                        } else {
                            let guard = lock.read();
                            inside.reads(|| {
                                who.yield_now();
                                assert_eq!(guard.0, guard.1);
                            });
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|a| a.join());
        assert_eq!(*lock.read(), (80, 80));
    }
}

#[test]
fn readers_do_not_wait_for_each_other() {
    for who in EACH {
        let lock = Arc::new(RwLock::new(1));
        let guard = lock.read();
        let other = who.start({
            let lock = lock.clone();
            move || *lock.read() + *lock.try_read().expect("no writer waits")
        });
        assert_eq!(other.join(), 2);
        drop(guard);
    }
}

/// Go: "a blocked Lock call excludes new readers from acquiring the lock".
#[test]
fn a_writer_that_waits_keeps_new_readers_out() {
    for (reader, writer) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(Vec::new()));
        let guard = lock.read();
        let writer = writer.start({
            let lock = lock.clone();
            move || lock.write().push("writer")
        });
        here.parked(1, WaitReason::RwLockWrite);
        assert!(lock.try_read().is_none());
        assert!(lock.try_write().is_none());
        let reader = reader.start({
            let lock = lock.clone();
            move || lock.read().clone()
        });
        here.parked(1, WaitReason::RwLockRead);
        drop(guard);
        writer.join();
        assert_eq!(reader.join(), ["writer"]);
    }
}

#[test]
fn readers_that_wait_go_before_the_next_writer() {
    for (reader, writer) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(0));
        let (release, released) = bounded::<()>(1);
        let guard = lock.write();
        let next = writer.start({
            let lock = lock.clone();
            move || *lock.write() = 1
        });
        here.parked(1, WaitReason::RwLockWrite);
        let readers: Vec<_> = (0..3)
            .map(|n| {
                let (lock, released) = (lock.clone(), released.clone());
                let reader = reader.start(move || {
                    let guard = lock.read();
                    let _ = released.recv();
                    *guard
                });
                here.parked(n + 1, WaitReason::RwLockRead);
                reader
            })
            .collect();
        drop(guard);
        // All of them, at the same time, before the writer that came first.
        here.parked(3, WaitReason::ChanReceive);
        here.parked(1, WaitReason::RwLockWrite);
        drop(release);
        assert!(readers.into_iter().all(|reader| reader.join() == 0));
        next.join();
        assert_eq!(*lock.read(), 1);
    }
}

/// Readers who relieve each other without a gap.
#[test]
fn readers_do_not_starve_a_writer() {
    for who in EACH {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.read();
        let writer = who.start({
            let lock = lock.clone();
            move || *lock.write() = 1
        });
        here.parked(1, WaitReason::RwLockWrite);
        assert!(lock.try_read().is_none(), "one reader relieves the other");
        assert_eq!(*guard, 0);
        drop(guard);
        guard = lock.read();
        assert_eq!(*guard, 1, "the writer came first");
        drop(guard);
        writer.join();
    }
}

#[test]
fn a_timed_wait_takes_as_long_as_it_was_told() {
    let limit = Duration::from_millis(20);
    for who in EACH {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let start = Instant::now();
        let waiter = who.start({
            let lock = lock.clone();
            move || (lock.try_read_for(limit).is_none(), lock.try_write_for(limit).is_none())
        });
        assert_eq!(waiter.join(), (true, true));
        assert!(start.elapsed() >= 2 * limit);
        drop(guard);
        let guard = lock.read();
        let waiter = who.start({
            let lock = lock.clone();
            move || lock.try_write_until(Instant::now() + limit).is_none()
        });
        assert!(waiter.join());
        drop(guard);
        assert!(lock.try_read_until(Instant::now()).is_some());
        assert!(lock.try_write_for(Duration::MAX).is_some());
    }
}

#[test]
fn a_writer_that_gives_up_lets_the_readers_in() {
    for (reader, writer) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.read();
        let writes = || {
            let lock = lock.clone();
            writer.start(move || lock.try_write_for(Duration::from_millis(100)).is_none())
        };
        let writer = here.parked_in_time(1, WaitReason::RwLockWrite, writes);
        let reader = reader.start({
            let lock = lock.clone();
            move || *lock.read()
        });
        assert!(writer.join());
        // The first reader is still inside.
        assert_eq!(reader.join(), 0);
        drop(guard);
        *lock.try_write().expect("nobody is left") = 1;
    }
}

#[test]
fn a_reaped_writer_lets_the_others_go_on() {
    let here = Here::start();
    let scope = Scope::new("reaped writer");
    let lock = Arc::new(RwLock::new(0));
    let guard = lock.read();
    let writer = go_in(&scope, {
        let lock = lock.clone();
        move || *lock.write() = 1
    });
    here.parked(1, WaitReason::RwLockWrite);
    // Behind the first one, in the queue of the writers.
    let second = go_in(&scope, {
        let lock = lock.clone();
        move || *lock.write() = 2
    });
    here.parked(2, WaitReason::RwLockWrite);
    let reader = gopark::go({
        let lock = lock.clone();
        move || *lock.read()
    });
    here.parked(1, WaitReason::RwLockRead);
    scope.reap();
    assert!(matches!(writer.join(), Err(JoinError::Reaped)));
    assert!(matches!(second.join(), Err(JoinError::Reaped)));
    assert_eq!(reader.join().unwrap(), 0);
    drop(guard);
    *lock.try_write().expect("nobody is left") = 3;
    assert_eq!(lock.holder(), None);
}

#[test]
fn a_reaped_reader_leaves_the_lock() {
    let here = Here::start();
    let scope = Scope::new("reaped readers");
    let lock = Arc::new(RwLock::new(0));
    let (_keep, never) = bounded::<()>(1);
    let inside = go_in(&scope, {
        let lock = lock.clone();
        move || {
            let _guard = lock.read();
            never.recv().is_ok()
        }
    });
    here.parked(1, WaitReason::ChanReceive);
    let writer = gopark::go({
        let lock = lock.clone();
        move || *lock.write() = 1
    });
    here.parked(1, WaitReason::RwLockWrite);
    let outside = go_in(&scope, {
        let lock = lock.clone();
        move || *lock.read()
    });
    here.parked(1, WaitReason::RwLockRead);
    scope.reap();
    assert!(matches!(inside.join(), Err(JoinError::Reaped)));
    assert!(matches!(outside.join(), Err(JoinError::Reaped)));
    writer.join().unwrap();
    assert_eq!(*lock.try_write().expect("nobody is left"), 1);
}

#[test]
fn a_writer_may_go_on_as_a_reader() {
    for (reader, writer) in PAIRS {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write();
        let reader = reader.start({
            let lock = lock.clone();
            move || *lock.read()
        });
        here.parked(1, WaitReason::RwLockRead);
        let writer = writer.start({
            let lock = lock.clone();
            move || *lock.write() = 2
        });
        here.parked(1, WaitReason::RwLockWrite);
        *guard = 1;
        let guard = RwLockWriteGuard::downgrade(guard);
        assert_eq!(reader.join(), 1);
        here.parked(1, WaitReason::RwLockWrite);
        assert_eq!(*guard, 1, "no writer comes in between");
        drop(guard);
        writer.join();
        assert_eq!(*lock.read(), 2);
    }
}

#[test]
fn the_writer_is_known() {
    for who in EACH {
        let here = Here::start();
        let lock = Arc::new(RwLock::new(0));
        assert_eq!(lock.holder(), None);
        let guard = lock.write();
        let me = lock.holder().unwrap();
        assert_eq!((me.site.file(), me.site.line()), (file!(), line!() - 2));
        drop(guard);
        let guard = lock.read();
        let writer = who.start({
            let lock = lock.clone();
            move || {
                let _guard = lock.write();
                (line!() - 1, lock.holder().unwrap())
            }
        });
        here.parked(1, WaitReason::RwLockWrite);
        assert_eq!(lock.holder(), None, "it waits for readers");
        drop(guard);
        let (line, holder) = writer.join();
        assert_ne!(holder.task, me.task);
        assert_eq!(holder.site.line(), line);
    }
}

#[test]
fn a_panic_unlocks_and_poisons_nothing() {
    let lock = RwLock::new(1);
    for write in [false, true] {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _guards = if write {
                *lock.write() = 2;
                (Some(lock.write()), None)
            } else {
                (None, Some(lock.read()))
            };
            panic!("on purpose");
        }));
        assert!(result.is_err());
    }
    assert_eq!(*lock.try_write().expect("nobody is left"), 2);
}

#[test]
pub(super) fn random_operations() {
    for seed in 1..=10 {
        let _seed = Seed(seed);
        let mut random = Random::new(seed);
        let lock = Arc::new(RwLock::new(0u64));
        let inside = Arc::new(Inside::default());
        let all: Vec<_> = (0..2 + random.below(6))
            .map(|_| {
                let (lock, inside) = (lock.clone(), inside.clone());
                let who = EACH[random.below(2) as usize];
                let mut random = Random::new(random.below(1 << 40));
                who.start(move || {
                    let mut mine = 0;
                    for _ in 0..150 {
                        let (kind, yields) = (random.below(8), random.below(3) == 0);
                        let limit = Duration::from_micros(random.below(40));
                        let pause = || {
                            if yields {
                                who.yield_now();
                            }
                        };
                        let read = match kind {
                            0 => lock.try_read(),
                            1 => lock.try_read_for(limit),
                            2 | 3 => Some(lock.read()),
                            _ => None,
                        };
                        if let Some(guard) = read {
                            inside.reads(|| {
                                let before = *guard;
                                pause();
                                assert_eq!(*guard, before);
                            });
                            continue;
                        }
                        let write = match kind {
                            4 => lock.try_write(),
                            5 => lock.try_write_for(limit),
                            6 | 7 => Some(lock.write()),
                            _ => None,
                        };
                        if let Some(mut guard) = write {
                            inside.writes(|| {
                                let before = *guard;
                                pause();
                                *guard = before + 1;
                            });
                            mine += 1;
                            if yields {
                                let guard = RwLockWriteGuard::downgrade(guard);
                                inside.reads(|| assert!(*guard > 0));
                            }
                        }
                    }
                    mine
                })
            })
            .collect();
        let sum: u64 = all.into_iter().map(|a| a.join()).sum();
        assert_eq!(*lock.try_write().expect("nobody is left"), sum);
    }
}

#[test]
fn thread_safety_follows_the_value() {
    is_send::<RwLock<Cell<i32>>>();
    is_sync::<RwLock<i32>>();
    is_not!(RwLock<Cell<i32>>, Sync);
    is_not!(RwLock<Rc<i32>>, Send);
    is_not!(RwLockReadGuard<'static, i32>, Send);
    is_not!(RwLockWriteGuard<'static, i32>, Send);
}
