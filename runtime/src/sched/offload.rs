//! Blocking calls on threads of their own: [`offload`].
//!
//! The task parks, and a *helper*, a thread that runs no tasks, makes the call.
//! Helpers are made when all are busy, at most [`MOST`], and end when they have
//! had nothing to do for [`PATIENCE`].
//!
//! - **O1** The order and what belongs to it are on the frame of the task, whose
//!   park nobody but the helper ends: no timer, and the reaper leaves it alone.
//!   The helper's last access comes before its claim.
//! - **O2** The task writes an order before its park commits, the helper between
//!   taking it from the queue and the claim, the task again after the park. The
//!   queue's lock and the claim put these in an order.

use super::blocking::blocking;
use super::park::{self, Commit, Park, Wake};
use crate::inspect::WaitReason;
use crate::sys::lock::RawLock;
use crate::sys::signal::AlternateStack;
use crate::sys::{clock, futex, thread};
use crate::task::scope::{Scope, ScopeInner};
use crate::task::{self, TaskRef, adopt};
use core::cell::{Cell, UnsafeCell};
use core::panic::Location;
use core::ptr;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Helpers at the same time.
const MOST: usize = 512;
/// How long a helper waits for the next order.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs `f` on a thread of the runtime's pool while the calling task is parked,
/// and returns what `f` returned.
///
/// For calls that block long: the [bound](crate#bound-tasks) siblings of the task
/// go on meanwhile, which with [`blocking`] they do not. It costs
/// two switches of threads, some ten microseconds. `f` runs elsewhere, so it must
/// be `Send`; it may borrow from the caller, who does not go on before it is
/// done. There `f` is an ordinary thread in the task's [scope](crate::Scope): it
/// may use channels and locks, which then block that thread. At most 512 calls
/// run at the same time; others wait for one of those to end. If the system
/// refuses a thread, `f` runs as in `blocking`.
///
/// Parks the calling task; wait reason `offload`. On a thread that is not a task
/// this only calls `f`. Go has no such thing: it moves the other goroutines away.
///
/// A leak check does not take such a task for durably blocked, and cannot end it
/// before `f` ends: it is reported at the deadline and given up when it is reaped.
///
/// # Panics
/// A panic of `f` comes out here. Inside of [`no_park`](crate::no_park).
///
/// ```
/// let path = String::from("/proc/self/comm");
/// let name = gopark::go(move || gopark::offload(|| std::fs::read_to_string(&path)));
/// assert!(!name.join().unwrap().unwrap_or("none".into()).is_empty());
/// ```
#[track_caller]
pub fn offload<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let Some(task) = task::running() else { return f() };
    task::check_reap();
    if !POOL.promise() {
        return blocking(f);
    }
    let job = Job { f: Cell::new(Some(f)), outcome: Cell::new(None) };
    let order = Order {
        next: Cell::new(ptr::null()),
        run: run::<F, T>,
        job: ptr::from_ref(&job).cast(),
        task,
        scope: task.record().scope(),
    };
    let how = Park::new(WaitReason::Offload, Location::caller()).uninterruptible();
    if park::park(how, &order) != Wake::Ready {
        // It did not park (`no_park`): this unwinds.
        park::on_reaped();
    }
    match job.outcome.into_inner() {
        Some(Ok(value)) => value,
        Some(Err(payload)) => resume_unwind(payload),
        None => blocking(job.f.into_inner().expect("nobody has run it")),
    }
}

/// What a helper is to do. On the frame of the task (O1).
struct Order {
    /// Under the pool's lock.
    next: Cell<*const Order>,
    run: unsafe fn(*const ()),
    job: *const (),
    task: TaskRef,
    scope: &'static ScopeInner,
}

struct Job<F, T> {
    f: Cell<Option<F>>,
    outcome: Cell<Option<Result<T, Box<dyn Any + Send>>>>,
}

/// # Safety
/// `job` is a `Job<F, T>` that is the caller's, until the claim (O1, O2).
unsafe fn run<F: FnOnce() -> T, T>(job: *const ()) {
    // SAFETY: offload() made this pair of job and function; it is ours between
    // taking the order and the claim (O1, O2).
    let job = unsafe { &*job.cast::<Job<F, T>>() };
    let f = job.f.take().expect("an order is run once");
    // What `f` leaves broken when it unwinds is the caller's, who unwinds too.
    job.outcome.set(Some(catch_unwind(AssertUnwindSafe(f))));
}

impl Commit for Order {
    // Nobody ends the park before a helper has the order.
    const HELD: bool = false;

    fn commit(&self) -> bool {
        POOL.push(self);
        true
    }

    fn cancel(&self) {
        POOL.with(|s| s.due -= 1);
    }
}

struct Pool {
    lock: RawLock,
    state: UnsafeCell<State>,
    /// Counts orders; the futex of idle helpers.
    pushed: AtomicU32,
    /// Kernel ids of the helpers, `thread::ENDED` where there is none; 0 for one
    /// that has just been made.
    tids: [AtomicU32; MOST],
}

struct State {
    first: *const Order,
    last: *const Order,
    /// Orders that no helper has taken yet, those not yet queued included.
    due: usize,
    /// Helpers that have no order, those not yet running included.
    idle: usize,
}

// SAFETY: `state` is touched only under `lock`, and so are the links of the
// orders; the rest is atomic.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    lock: RawLock::new(),
    state: UnsafeCell::new(State { first: ptr::null(), last: ptr::null(), due: 0, idle: 0 }),
    pushed: AtomicU32::new(0),
    tids: [const { AtomicU32::new(thread::ENDED) }; MOST],
};

impl Pool {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: under the lock that guards it.
        self.lock.with(|| f(unsafe { &mut *self.state.get() }))
    }

    /// Sees to a helper for an order to come. `false`: there is none.
    fn promise(&self) -> bool {
        let new = self.with(|s| {
            s.due += 1;
            if s.due <= s.idle {
                return None;
            }
            let free = self.tids.iter().find(|t| t.load(Ordering::Relaxed) == thread::ENDED)?;
            free.store(0, Ordering::Relaxed);
            s.idle += 1;
            Some(free)
        });
        let Some(tid) = new else { return true };
        let arg = ptr::from_ref(tid).cast_mut().cast();
        // SAFETY: `main` takes one of the numbers in the static pool and does not
        // unwind.
        if unsafe { thread::spawn(main, arg) }.is_ok() {
            return true;
        }
        self.with(|s| {
            tid.store(thread::ENDED, Ordering::Relaxed);
            s.idle -= 1;
            s.due -= 1;
        });
        false
    }

    fn push(&self, order: &Order) {
        let order = ptr::from_ref(order);
        self.with(|s| {
            // SAFETY: null, or an order that is queued, so its task is parked (O1).
            match unsafe { s.last.as_ref() } {
                Some(last) => last.next.set(order),
                None => s.first = order,
            }
            s.last = order;
        });
        // From here on the order may be gone. After the push: a helper that
        // found nothing has read an older count before.
        self.pushed.fetch_add(1, Ordering::Relaxed);
        futex::wake(&self.pushed, 1);
    }

    /// The next order.
    fn take(&self) -> Option<*const Order> {
        self.with(|s| {
            // SAFETY: as in push().
            let order = unsafe { s.first.as_ref() }?;
            s.first = order.next.get();
            if s.first.is_null() {
                s.last = ptr::null();
            }
            s.due -= 1;
            s.idle -= 1;
            Some(ptr::from_ref(order))
        })
    }

    /// A helper that has waited long enough ends, unless there is an order for it.
    fn end(&self, tid: &AtomicU32) -> bool {
        self.with(|s| {
            let over = s.due < s.idle;
            if over {
                s.idle -= 1;
                tid.store(thread::ENDED, Ordering::Relaxed);
            }
            over
        })
    }
}

/// Kernel ids of the helpers; 0 for one that has just been made.
pub(crate) fn thread_ids() -> impl Iterator<Item = u32> {
    POOL.tids.iter().map(|t| t.load(Ordering::Relaxed)).filter(|tid| *tid != thread::ENDED)
}

extern "C" fn main(arg: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: promise() passed one of the static numbers.
    let tid: &'static AtomicU32 = unsafe { &*arg.cast::<AtomicU32>().cast_const() };
    tid.store(thread::id(), Ordering::Relaxed);
    thread::set_name(format_args!("gopark-offload"));
    let _alternate_stack = AlternateStack::reserve().inspect(AlternateStack::install);
    let mut idle_since = clock::now();
    loop {
        // Read before the look at the queue.
        let seen = POOL.pushed.load(Ordering::Relaxed);
        if let Some(order) = POOL.take() {
            serve(order);
            idle_since = clock::now();
            continue;
        }
        let left = PATIENCE.saturating_sub(Duration::from_nanos(clock::now() - idle_since));
        if !left.is_zero() {
            futex::wait(&POOL.pushed, seen, Some(left));
        } else if POOL.end(tid) {
            return ptr::null_mut();
        } else {
            // A task is about to queue its order.
            std::thread::yield_now();
        }
    }
}

fn serve(order: *const Order) {
    // SAFETY: taken from the queue, so it is ours until the claim (O1, O2).
    let order = unsafe { &*order };
    let task = order.task;
    {
        let scope = (!order.scope.is_root()).then(|| Scope::handle(order.scope));
        let _in = scope.as_ref().map(Scope::enter);
        // SAFETY: the job is that of the order.
        unsafe { (order.run)(order.job) };
    }
    // A thread that is known and idle would count as one that may wake others.
    adopt::forget();
    // Before the task goes on, whose next call need not make a thread.
    POOL.with(|s| s.idle += 1);
    // From here on the order is gone.
    let claimed = task.claim().expect("nobody else ends this park");
    claimed.enqueue();
}
