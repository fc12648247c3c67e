//! Who has a lock, and where he took it, read while it changes hands. The words are the
//! real ones (`sync/owner_word.rs`).

use super::explore;
use crate::owner_word::OwnerWord;
use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::Mutex;
use loom::thread;
use std::ptr;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// The place publishes nothing of what came before it.
    SiteIsRelaxed,
    /// Nor does the owner's number.
    TaskIsRelaxed,
    /// The number is written before the place.
    TaskFirst,
    /// Who reads does not look again.
    ReadsOnce,
}

struct Lock {
    real: OwnerWord<u8>,
    /// The two words of the variants.
    task: AtomicU64,
    site: AtomicU64,
    /// The lock itself.
    lock: Mutex<()>,
    flaw: Option<Flaw>,
}

impl Lock {
    fn new(flaw: Option<Flaw>) -> Arc<Lock> {
        Arc::new(Lock {
            real: OwnerWord::nobody(),
            task: AtomicU64::new(0),
            site: AtomicU64::new(0),
            lock: Mutex::new(()),
            flaw,
        })
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn order(&self, relaxed: Flaw, usual: Ordering) -> Ordering {
        if self.is(relaxed) { Ordering::Relaxed } else { usual }
    }

    /// Each task takes it at the place that has its number.
    fn set(&self, n: u64) {
        if self.flaw.is_none() {
            return self.real.set(n, ptr::without_provenance(n as usize));
        }
        let site = || self.site.store(n, self.order(Flaw::SiteIsRelaxed, Ordering::Release));
        let task = || self.task.store(n, self.order(Flaw::TaskIsRelaxed, Ordering::Release));
        if self.is(Flaw::TaskFirst) {
            task();
            site();
        } else {
            site();
            task();
        }
    }

    fn clear(&self) {
        match self.flaw {
            None => self.real.clear(),
            Some(_) => self.task.store(0, Ordering::Relaxed),
        }
    }

    fn get(&self) -> Option<(u64, u64)> {
        if self.flaw.is_none() {
            return self.real.get().map(|(task, site)| (task, site.addr() as u64));
        }
        loop {
            let task = self.task.load(self.order(Flaw::TaskIsRelaxed, Ordering::Acquire));
            if task == 0 {
                return None;
            }
            let site = self.site.load(self.order(Flaw::SiteIsRelaxed, Ordering::Acquire));
            if self.is(Flaw::ReadsOnce) || self.task.load(Ordering::Relaxed) == task {
                return Some((task, site));
            }
        }
    }

    fn is_taken_by(&self, n: u64) {
        let _held = self.lock.lock().unwrap();
        self.set(n);
        self.clear();
    }
}

fn changes_hands(flaw: Option<Flaw>) {
    explore(None, move || {
        let lock = Lock::new(flaw);
        let owners = [1, 2].map(|n| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.is_taken_by(n))
        });
        if let Some((task, site)) = lock.get() {
            assert_eq!(task, site, "one's number and another's place");
        }
        owners.into_iter().for_each(|it| it.join().unwrap());
    });
}

/// The second owner parks with the lock. Whoever sees it parked sees that it has the lock.
fn is_kept(flaw: Option<Flaw>) {
    explore(None, move || {
        let lock = Lock::new(flaw);
        let state = Arc::new(AtomicU32::new(0));
        let owner = {
            let (lock, state) = (Arc::clone(&lock), Arc::clone(&state));
            thread::spawn(move || {
                lock.is_taken_by(1);
                lock.set(2);
                // ORDERING: Release; as StateWord::wait().
                state.store(1, Ordering::Release);
            })
        };
        // ORDERING: Acquire; as StateWord::read().
        if state.load(Ordering::Acquire) == 1 {
            assert_eq!(lock.get(), Some((2, 2)), "who has it");
        }
        owner.join().unwrap();
    });
}

#[test]
fn a_lock_that_changes_hands() {
    changes_hands(None);
}

#[test]
fn a_lock_that_is_kept() {
    is_kept(None);
}

#[test]
#[should_panic(expected = "another's place")]
fn broken_a_place_that_publishes_nothing() {
    changes_hands(Some(Flaw::SiteIsRelaxed));
}

#[test]
#[should_panic(expected = "another's place")]
fn broken_a_number_that_publishes_nothing() {
    changes_hands(Some(Flaw::TaskIsRelaxed));
}

#[test]
#[should_panic(expected = "another's place")]
fn broken_the_number_comes_before_the_place() {
    changes_hands(Some(Flaw::TaskFirst));
}

#[test]
#[should_panic(expected = "another's place")]
fn broken_a_reader_looks_once() {
    changes_hands(Some(Flaw::ReadsOnce));
}
