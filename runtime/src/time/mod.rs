//! Timers and sleeping.
//!
//! All timers are in one ordered map. A thread of the runtime, started with the
//! first timer, sleeps until the earliest and ends the parks of those that are
//! due. An entry names a task and one of its parks by ticket, so an entry whose
//! park has ended already does no harm; but parks that end early remove theirs,
//! so the map holds only what is really waited for.

use crate::inspect::WaitReason;
use crate::sched::park::{self, Alone, Park, Wake};
use crate::sys::section::Exempt;
use crate::sys::{clock, futex, lock::RawLock, thread};
use crate::task::record::Record;
use crate::task::state::Cause;
use core::cell::UnsafeCell;
use core::panic::Location;
use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// When, and whose record's address: a task has one timer at a time.
type Key = (u64, usize);

struct Timers {
    lock: RawLock,
    map: UnsafeCell<BTreeMap<Key, (&'static Record, u32)>>,
    /// Counts changes of the earliest timer; the thread's futex.
    earliest_changed: AtomicU32,
    thread: Once,
}

// SAFETY: `map` is touched only under `lock`; the rest is atomic.
unsafe impl Sync for Timers {}

static TIMERS: Timers = Timers {
    lock: RawLock::new(),
    map: UnsafeCell::new(BTreeMap::new()),
    earliest_changed: AtomicU32::new(0),
    thread: Once::new(),
};

impl Timers {
    fn with<R>(&self, f: impl FnOnce(&mut BTreeMap<Key, (&'static Record, u32)>) -> R) -> R {
        // TEMPORARY: the map allocates and frees its nodes (N1).
        let _exempt = Exempt::new();
        // SAFETY: under the lock that guards it.
        self.lock.with(|| f(unsafe { &mut *self.map.get() }))
    }
}

fn key(until: u64, task: &'static Record) -> Key {
    (until, core::ptr::from_ref(task).addr())
}

/// Ends the park `ticket` of the task at `until`.
pub(crate) fn arm(task: &'static Record, ticket: u32, until: u64) {
    let key = key(until, task);
    // TEMPORARY: so does the start of the thread.
    let _exempt = Exempt::new();
    let first = TIMERS.with(|map| {
        map.insert(key, (task, ticket));
        map.first_key_value().is_some_and(|(k, _)| *k == key)
    });
    if first {
        TIMERS.thread.call_once(|| {
            TIMER_TID.store(0, Ordering::Relaxed);
            // SAFETY: `main` takes no argument and does not unwind.
            if let Err(error) = unsafe { thread::spawn(main, core::ptr::null_mut()) } {
                crate::sys::fatal(format_args!("cannot start the timer thread: {error}"));
            }
        });
        // ORDERING: Release; pairs with the Acquire in main(): the thread that
        // sees the new count sees the new entry.
        TIMERS.earliest_changed.fetch_add(1, Ordering::Release);
        futex::wake(&TIMERS.earliest_changed, 1);
    }
}

/// The park ended early: forget its timer.
pub(crate) fn disarm(until: u64, task: &'static Record, ticket: u32) {
    TIMERS.with(|map| {
        let key = key(until, task);
        if map.get(&key).is_some_and(|(_, armed)| *armed == ticket) {
            map.remove(&key);
        }
    });
}

extern "C" fn main(_: *mut libc::c_void) -> *mut libc::c_void {
    thread::set_name("gopark-timer");
    TIMER_TID.store(thread::id(), Ordering::Relaxed);
    let mut due = Vec::new();
    loop {
        // ORDERING: Acquire; pairs with the Release in arm().
        let seen = TIMERS.earliest_changed.load(Ordering::Acquire);
        let now = clock::now();
        let next = TIMERS.with(|map| {
            while let Some(entry) = map.first_entry() {
                if entry.key().0 > now {
                    return Some(entry.key().0);
                }
                due.push(entry.remove());
            }
            None
        });
        for (task, ticket) in due.drain(..) {
            if let Some(claimed) = park::claim(task, Cause::Timer, Some(ticket)) {
                claimed.enqueue();
            }
        }
        let left = next.map(|at| Duration::from_nanos(at.saturating_sub(clock::now())));
        if left != Some(Duration::ZERO) {
            futex::wait(&TIMERS.earliest_changed, seen, left);
        }
    }
}

static TIMER_TID: AtomicU32 = AtomicU32::new(thread::ENDED);

/// Kernel id of the timer thread, 0 if that has just been made.
pub(crate) fn thread_id() -> u32 {
    TIMER_TID.load(Ordering::Relaxed)
}

/// Parks the running task for at least `duration`; wait reason `sleep`.
///
/// On a thread that is not a task it blocks the thread. Go: `time.Sleep`.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// gopark::go(|| gopark::sleep(Duration::from_millis(5))).join().unwrap();
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    let now = Instant::now();
    // A deadline beyond the clock's range is a park without end.
    let deadline = now.checked_add(duration).unwrap_or(now + Duration::from_secs(1 << 32));
    let how = Park::new(WaitReason::Sleep, Location::caller()).until(deadline);
    match park::park(how, &Alone) {
        Wake::Ready | Wake::TimedOut => {}
        Wake::Reaped => park::on_reaped(),
    }
}
