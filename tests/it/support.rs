//! What the tests of tasks, scopes and the scheduler share.

use gopark::chan::{self, Receiver, Sender};
use gopark::inspect::{Snapshot, TaskInfo, WaitReason};
use gopark::{JoinHandle, Scope, TaskId};
use gopark_tests::Patience;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Nobody is suspended by the signal: a task keeps its processor until it lets go
/// of it in a call of the runtime.
pub(crate) const COOPERATIVE: (&str, &str) = ("GOPARK_DEBUG", "asyncpreemptoff=1");
/// Besides, there is one processor only. In `no_park` a task keeps that for itself.
pub(crate) const ONE_COOPERATIVE: &[(&str, &str)] = &[("GOPARK_MAXPROCS", "1"), COOPERATIVE];

/// Runs the function in a task. The tasks that it starts start on its thread, and so
/// do theirs: nobody takes their processor away from them, as long as none of them
/// is in a blocking call or locks its thread. Those that the test starts by itself
/// may start on any thread that is idle, and there are always some.
#[track_caller]
pub(crate) fn on_one_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    assert!(is_one_cooperative(), "in a process with ONE_COOPERATIVE only");
    gopark::go(f).join().unwrap()
}

fn is_one_cooperative() -> bool {
    let set = |(key, value): &(&str, &str)| std::env::var(key).is_ok_and(|is| is == *value);
    ONE_COOPERATIVE.iter().all(set)
}

/// Lets others run until the condition holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut patience = Patience::new(LIMIT);
    while !holds() {
        assert!(!patience.is_over(), "waited in vain until {what}; there are\n{}", Snapshot::all());
        gopark::yield_now();
    }
}

/// Lets others run until there is one.
#[track_caller]
pub(crate) fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    until(what, || {
        found = look();
        found.is_some()
    });
    found.expect("the wait above ended")
}

/// Keeps the processor until the condition holds.
#[track_caller]
pub(crate) fn spin_until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut patience = Patience::new(LIMIT);
    while !holds() {
        assert!(!patience.is_over(), "waited in vain until {what}; there are\n{}", Snapshot::all());
        std::hint::spin_loop();
    }
}

/// What observers see of the task or thread.
pub(crate) fn info(id: TaskId) -> Option<TaskInfo> {
    Snapshot::all().tasks.into_iter().find(|task| task.id == id)
}

/// Waits until the task is parked for this reason.
#[track_caller]
pub(crate) fn parked(id: TaskId, reason: WaitReason) -> TaskInfo {
    until_some("a task is parked", || {
        info(id).filter(|task| task.wait.is_some_and(|wait| wait.reason == reason))
    })
}

/// Holds back whoever wants to pass until it is opened.
#[derive(Clone)]
pub(crate) struct Gate {
    close: Sender<()>,
    wait: Receiver<()>,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        let (close, wait) = chan::rendezvous();
        Gate { close, wait }
    }

    /// Parks, with the reason `chan receive`, until the gate is open.
    #[track_caller]
    pub(crate) fn pass(&self) {
        self.wait.recv().expect_err("nobody sends through a gate");
    }

    pub(crate) fn open(&self) {
        self.close.close();
    }
}

/// Counts events, often drops.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<AtomicUsize>);

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally::default()
    }

    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A value whose drop counts.
    pub(crate) fn mark(&self) -> Mark {
        Mark { tally: self.clone(), alive: ALIVE }
    }
}

const ALIVE: u32 = 0xA11E_A11E;

/// Counts its drop.
pub(crate) struct Mark {
    tally: Tally,
    alive: u32,
}

impl Mark {
    /// Fails if the value was dropped or never moved in.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert_eq!(self.alive, ALIVE, "not a living value");
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.check();
        self.alive = 0;
        self.tally.add();
    }
}

/// Parks until somebody reaps the task, with the reason `chan receive (nil
/// chan)`, at the call.
#[track_caller]
pub(crate) fn for_ever() {
    let _ = chan::never::<()>().recv();
}

/// A moment on the clock that dates parks: the time as of the last timer interrupt. That
/// is some milliseconds old, more where the processors are virtual and stand still.
#[derive(Clone, Copy)]
pub(crate) struct Tick(Duration);

impl Tick {
    pub(crate) fn now() -> Tick {
        Tick(time_on(libc::CLOCK_MONOTONIC_COARSE))
    }

    /// No less than the age of a park that began later.
    pub(crate) fn elapsed(self) -> Duration {
        time_on(libc::CLOCK_MONOTONIC) - self.0
    }
}

#[expect(unsafe_code, reason = "std has one clock only")]
fn time_on(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for one timespec.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The kernel's name for the calling thread. No thread-local is involved, so it
/// may be asked on both sides of a park even where tasks migrate.
pub(crate) fn thread_id() -> u64 {
    let link = std::fs::read_link("/proc/thread-self").expect("the system has /proc");
    let id = link.file_name().expect("pid/task/tid").to_str().expect("digits");
    id.parse().expect("digits")
}

/// Starts a task in the scope.
#[track_caller]
pub(crate) fn go_in<F, T>(scope: &Scope, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let _entered = scope.enter();
    gopark::go(f)
}

/// Does not compile if the type implements the trait: `_` is then ambiguous.
macro_rules! is_not {
    ($type:ty, $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn check() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Other;
            impl<T: ?Sized + $trait> Ambiguous<Other> for T {}
            <$type as Ambiguous<_>>::check();
        };
    };
}
pub(crate) use is_not;
