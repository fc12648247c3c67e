//! OS threads that are none of ours: `main`, a test's thread, a pool's.
//!
//! A thread gets a record when it first touches a primitive, and parks on a
//! futex. So it can be waited for, shows in dumps, and has a scope: the one it was born
//! in, as far as that is known (`threads.rs`), else the root. The record
//! goes back when the thread ends; a thread-local destructor that comes later
//! and touches a primitive again gets a record that nobody gives back, so such
//! records are kept in a list and taken again when their thread is gone.
#![expect(clippy::disallowed_types, reason = "threads are adopted outside of sections")]

use super::record::{Birth, Record, THREAD, flag};
use super::{scope, threads};
use crate::arch;
use crate::sched::{self, SCHED};
use crate::stack::{self, class::Class};
use crate::sys::section;
use crate::sys::thread::{self, Sighting, ThreadKey};
use core::panic::Location;
use core::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

thread_local! {
    static GUARD: GiveBack = const { GiveBack };
}

/// Gives the record back when the thread ends.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        forget();
    }
}

/// Records whose thread had no thread-locals left.
static ORPHANS: Mutex<Vec<(&'static Record, ThreadKey)>> = Mutex::new(Vec::new());

/// Whether threads are in scopes named after the tests that they run.
static NAMES_TESTS: AtomicBool = AtomicBool::new(false);

static HARNESSED: AtomicBool = AtomicBool::new(false);

/// Threads of a test harness, which stay so until they are gone.
static HARNESS: Mutex<Vec<Sighting>> = Mutex::new(Vec::new());

/// The calling thread's record.
pub(crate) fn current() -> &'static Record {
    existing().unwrap_or_else(adopt)
}

/// The calling thread's record, if it was adopted. For signal handlers too.
pub(crate) fn existing() -> Option<&'static Record> {
    // SAFETY: null, or from adopt(): records are never freed (R1).
    unsafe { arch::thread_record().cast::<Record>().cast_const().as_ref() }
}

#[cold]
fn adopt() -> &'static Record {
    sched::start_default();
    // For those who want to see its frames. The handler must not be the first to ask.
    stack::know_thread();
    let record = take_orphan().unwrap_or_else(|| SCHED.free_record());
    let tid = thread::id();
    // A record that is not given back may outlast the thread, and its scope (Y1).
    let guarded = GUARD.try_with(|_| {}).is_ok();
    let scope = threads::inherited().filter(|_| guarded).unwrap_or_else(scope::root);
    record.fill(Birth {
        id: SCHED.take_ids(1),
        parent: None,
        created_at: Location::caller(),
        meta: &THREAD,
        scope,
        class: Class::chosen(None),
        extra: None,
        flags: flag::THREAD,
    });
    record.tid.store(tid, Ordering::Relaxed);
    if let Some(maker) = threads::own_birth().and_then(|birth| birth.maker) {
        record.set_parent(maker);
    }
    record.state.adopt();
    // From here on the signal's handler answers for it (`sched/look.rs`).
    arch::set_thread_record(ptr::from_ref(record).cast_mut().cast());
    if !guarded && let Some(key) = thread::key(tid) {
        lock(&ORPHANS).push((record, key));
    } else if names_tests()
        && record.scope().is_root()
        && threads::may_run_a_test()
        // While the thread has thread-locals it has its name.
        && let Some(test) = std::thread::current().name().filter(|name| may_name_a_test(name))
    {
        scope::enter_test(record, test);
    }
    record
}

/// The calling thread's record, which is made now, if it runs a test that has a scope
/// of its own by that.
pub(crate) fn of_test() -> Option<&'static Record> {
    let is_one = names_tests()
        && GUARD.try_with(|_| {}).is_ok()
        && threads::inherited().is_none()
        && threads::may_run_a_test()
        && std::thread::current().name().is_some_and(may_name_a_test);
    is_one.then(current)
}

/// From now on a thread that is adopted, and whose name may be a test's, is in a new
/// scope of that name, instead of the root: libtest runs each test on a thread of its
/// own and names it after the test, in all of its modes.
pub(crate) fn name_tests() {
    NAMES_TESTS.store(true, Ordering::Relaxed);
}

/// Whether that is so.
pub(crate) fn names_tests() -> bool {
    NAMES_TESTS.load(Ordering::Relaxed)
}

/// Whether it is the path of a function, which names of other threads seldom are.
fn may_name_a_test(name: &str) -> bool {
    let mut parts = name.split("::");
    name != "main"
        && parts.all(|part| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        })
}

fn take_orphan() -> Option<&'static Record> {
    let mut orphans = lock(&ORPHANS);
    let gone = orphans.iter().position(|(_, key)| thread::key(key.id) != Some(*key))?;
    let (record, _) = orphans.swap_remove(gone);
    record.state.finish();
    Some(record)
}

/// Gives the calling thread's record back, if it was adopted: it does nothing
/// for tasks any more, until it does.
pub(crate) fn forget() {
    if let Some(record) = existing() {
        // From here on the handler does not: the record is another one's soon.
        arch::set_thread_record(ptr::null_mut());
        give_back(record);
    }
}

fn give_back(record: &'static Record) {
    scope::leave_all(record);
    record.state.finish();
    SCHED.put_free(&[record]);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    section::check_outside();
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Marks the calling thread as one of a test harness.
pub(crate) fn mark_harness() {
    // From now on the main thread is the harness's too.
    HARNESSED.store(true, Ordering::Relaxed);
    if super::running().is_some() {
        return;
    }
    let record = current();
    if !record.has(flag::HARNESS) {
        record.set(flag::HARNESS);
        lock(&HARNESS).push(Sighting::here());
    }
}

/// The same for a thread whose thread-locals may be gone, so that it cannot be adopted:
/// the one that ends the process.
pub(crate) fn mark_ending() {
    HARNESSED.store(true, Ordering::Relaxed);
    lock(&HARNESS).push(Sighting::here());
}

/// Whether the calling thread belongs to a test harness and makes threads for tests.
pub(crate) fn is_harness() -> bool {
    thread::id() == thread::main_id() || existing().is_some_and(|it| it.has(flag::HARNESS))
}

/// Whether a test harness runs in this process.
pub(crate) fn has_harness() -> bool {
    HARNESSED.load(Ordering::Relaxed)
}

/// Threads that may run a test harness's code; forgets those that are gone.
pub(crate) fn harness_threads(alive: &[ThreadKey]) -> Vec<ThreadKey> {
    let mut harness = lock(&HARNESS);
    harness.retain(|seen| alive.iter().any(|key| key.is(*seen)));
    let is_harness = |key: &&ThreadKey| harness.iter().any(|seen| key.is(*seen));
    alive.iter().filter(is_harness).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::may_name_a_test;

    #[test]
    fn what_names_a_test() {
        for name in ["shop::tests::sells", "sells", "größe", "_x1", "a::case_1_second"] {
            assert!(may_name_a_test(name), "{name}");
        }
        for name in ["main", "", "tokio-runtime-worker", "pool 1", "a::", "::a", "1st", "a:b"] {
            assert!(!may_name_a_test(name), "{name}");
        }
    }
}
