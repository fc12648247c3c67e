//! The body of a test that hangs, so that its check would never be made.
//!
//! One thread for the whole process looks at the bodies that are under way. It is
//! started by the first of them, and is asleep while there is none and while all are
//! young. A body that is blocked, in a wait that only others can end, for as long as
//! the check's `settle`, is looked at as the check looks at tasks: if every task of
//! its scope is blocked too and nothing exists that could wake one, and a second look
//! finds everything as it was, then the body will never go on. The same if there are
//! tasks that wait for each other's locks, whatever else runs: the test fails for
//! certain, and its body is only waiting.
//!
//! Then the body is unwound. It prints the report itself, on its own thread, where the
//! harness captures it, before its first destructor runs; the tasks follow. The rest
//! is [`Session::close`](crate::verify::Session::close)'s.
//!
//! A body of which that cannot be proven is left alone. When it has stood still for
//! `hang`, that is said once, on standard error, since nobody would ever see what the
//! harness has captured.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gopark::inspect::{Caller, TaskInfo, add_frames, explain, mark_harness_thread};
use gopark::{Reaped, Scope, chan};

use crate::cycle::{self, Cycle};
use crate::report::{Ending, Report, Subject};
use crate::scope::{self, View};
use crate::settings::Timing;
use crate::verdict::Look;
use crate::{Filter, reap, sys};

/// Longest time between looks at a body that may yet go on.
const LAST_PAUSE: Duration = Duration::from_millis(250);
/// A check's `settle` may be zero.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// How long the thread stays half awake when no body is under way: a test that comes
/// meanwhile need not wake it.
const LINGER: Duration = Duration::from_millis(100);

/// A scope whose body is under way.
pub(crate) struct Ward {
    pub(crate) scope: Scope,
    pub(crate) subject: Subject,
    pub(crate) filter: Filter,
    pub(crate) timing: Timing,
    caller: Caller,
    begun: Instant,
    state: Mutex<State>,
    /// Only the watcher's.
    progress: Mutex<Progress>,
}

enum State {
    Open,
    Hangs(Hang),
    Closed,
}

/// A body that was found to hang.
pub(crate) struct Hang {
    message: Arc<Message>,
    reaped: chan::Receiver<Reaped>,
}

/// A report that is printed once.
struct Message {
    report: Report,
    said: AtomicBool,
}

/// What the watcher knows of a body.
struct Progress {
    /// When to look again.
    due: Instant,
    pause: Duration,
    /// The wait that it is in, if only others can end that.
    wait: Option<u64>,
    /// The last look during this wait.
    look: Option<Seen>,
    /// What it has been doing without moving, and since when.
    stands: Option<(u64, Instant)>,
    /// That it hangs, or will not end, was said.
    told: bool,
}

/// A look at the scope.
struct Seen {
    look: Look<View>,
    ended: Instant,
}

struct Wards {
    open: Vec<Arc<Ward>>,
    started: bool,
    asleep: bool,
}

static WARDS: Mutex<Wards> = Mutex::new(Wards { open: Vec::new(), started: false, asleep: false });
/// A first body has begun.
static BEGUN: Condvar = Condvar::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that panics leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on the calling task or thread is watched, as the body of this scope.
pub(crate) fn watch(scope: Scope, subject: Subject, filter: Filter, timing: Timing) -> Arc<Ward> {
    let pause = timing.settle.max(FIRST_PAUSE);
    let begun = Instant::now();
    let ward = Arc::new(Ward {
        scope,
        subject,
        filter,
        timing,
        caller: Caller::here(),
        begun,
        state: Mutex::new(State::Open),
        progress: Mutex::new(Progress {
            due: begun + pause,
            pause,
            wait: None,
            look: None,
            stands: None,
            told: false,
        }),
    });
    let mut wards = lock(&WARDS);
    wards.open.push(Arc::clone(&ward));
    if !wards.started {
        wards.started = true;
        // Without the thread nothing is watched, and all else is as ever.
        let thread = thread::Builder::new().name("leakcheck".to_owned());
        let _ = sys::untold(|| thread.spawn(run));
    } else if wards.asleep {
        wards.asleep = false;
        BEGUN.notify_one();
    }
    ward
}

impl Ward {
    /// The body is over. By the body itself, which is not unwound any more.
    pub(crate) fn dismiss(self: &Arc<Ward>) -> Option<Hang> {
        let mut wards = lock(&WARDS);
        if let Some(at) = wards.open.iter().rposition(|it| Arc::ptr_eq(it, self)) {
            wards.open.remove(at);
        }
        drop(wards);
        match std::mem::replace(&mut *lock(&self.state), State::Closed) {
            State::Hangs(hang) => {
                self.caller.pardon();
                Some(hang)
            }
            State::Open | State::Closed => None,
        }
    }
}

impl Hang {
    pub(crate) fn report(&self) -> &Report {
        &self.message.report
    }

    /// Prints the report, if the body has not come to that.
    pub(crate) fn say(&self) {
        self.message.say();
    }

    /// What became of the tasks. Waits until they are ended or given up. `None`:
    /// whoever asks is itself being ended.
    pub(crate) fn reaped(self) -> Option<Reaped> {
        self.reaped.recv().ok()
    }
}

impl Message {
    fn say(&self) {
        if !self.said.swap(true, Ordering::Relaxed) {
            self.report.publish();
        }
    }
}

fn run() {
    mark_harness_thread();
    let mut wards = lock(&WARDS);
    let mut lingered = false;
    loop {
        let now = Instant::now();
        let Some(due) = wards.open.iter().map(|ward| lock(&ward.progress).due).min() else {
            wards.asleep = lingered;
            wards = match lingered {
                true => BEGUN.wait(wards).unwrap_or_else(PoisonError::into_inner),
                false => wait(wards, LINGER),
            };
            lingered = !lingered;
            continue;
        };
        wards.asleep = false;
        lingered = false;
        if due > now {
            wards = wait(wards, due - now);
            continue;
        }
        let these: Vec<_> = wards.open.iter().map(Arc::clone).collect();
        drop(wards);
        for (n, ward) in these.iter().enumerate() {
            // Of scopes that were opened one inside the other, the inner one is asked:
            // its report comes first.
            let inner = these[n + 1..].iter().any(|it| it.caller.id() == ward.caller.id());
            ward.visit(now, inner);
        }
        drop(these);
        wards = lock(&WARDS);
        // A guard that was forgotten.
        wards.open.retain(|ward| !ward.caller.is_gone());
    }
}

fn wait(wards: MutexGuard<'_, Wards>, time: Duration) -> MutexGuard<'_, Wards> {
    BEGUN.wait_timeout(wards, time).unwrap_or_else(PoisonError::into_inner).0
}

impl Ward {
    /// Looks at the body, if it is time.
    fn visit(self: &Arc<Ward>, now: Instant, covered: bool) {
        let mut progress = lock(&self.progress);
        if progress.due > now {
            return;
        }
        let settle = self.timing.settle.max(FIRST_PAUSE);
        let wait = if covered { None } else { self.caller.blocked() };
        if wait != progress.wait {
            progress.look = None;
        }
        let hopeful = if self.hangs() {
            self.urge(&mut progress);
            false
        } else if covered || wait.is_none() {
            false
        } else if wait != progress.wait && self.waited() < self.timing.settle {
            true
        } else {
            self.examine(&mut progress)
        };
        progress.pause = match hopeful {
            true => settle,
            false => (progress.pause * 2).min(LAST_PAUSE.max(settle)),
        };
        progress.wait = wait;
        let hang = self.timing.hang;
        let is_asked = !hang.is_zero() && !covered && !progress.told;
        if is_asked && self.stands_for(&mut progress, now) >= hang {
            progress.told = true;
            self.tell(&progress);
        }
        progress.due = Instant::now() + progress.pause;
    }

    fn hangs(&self) -> bool {
        matches!(*lock(&self.state), State::Hangs(_))
    }

    /// For how long the body has been in its wait. What is noted of a wait is only good
    /// to some milliseconds, and may be from before the body began.
    fn waited(&self) -> Duration {
        let wait = self.caller.info().and_then(|info| info.wait);
        wait.map_or(Duration::ZERO, |wait| wait.age.min(self.begun.elapsed()))
    }

    /// The body is blocked, and has been for a while. Whether it looks as if it were for
    /// ever.
    fn examine(self: &Arc<Ward>, progress: &mut Progress) -> bool {
        let mut look = self.look();
        let mut earlier = progress.look.take();
        if !look.view.cycles.is_empty() && !look.still {
            // What is proven without waiting for others is proven without waiting.
            earlier = Some(Seen { look, ended: Instant::now() });
            look = self.look();
        }
        if let Some(earlier) = earlier {
            let cycles = cycle::lasting(&earlier.look.view.cycles, &look.view.census.locks);
            let still = earlier.look.still
                && look.still
                && look.complete
                && earlier.look.complete
                && scope::same(&earlier.look.view, &look.view)
                && earlier.ended.elapsed() >= self.timing.settle;
            if still || !cycles.is_empty() {
                self.decide(look.view, cycles, still);
                return false;
            }
        }
        let hopeful = look.still || !look.view.cycles.is_empty();
        progress.look = Some(Seen { look, ended: Instant::now() });
        hopeful
    }

    fn look(&self) -> Look<View> {
        scope::look(&self.scope, &self.filter, Some(self.caller.id()))
    }

    /// The body, with what it waits for and where it is.
    fn info(&self) -> Option<TaskInfo> {
        let mut info = [self.caller.info()?];
        explain(&mut info);
        add_frames(&mut info);
        let [info] = info;
        Some(info)
    }

    /// The body hangs: it is unwound, and the tasks are.
    fn decide(self: &Arc<Ward>, view: View, cycles: Vec<Cycle>, still: bool) {
        let Some(info) = self.info() else { return };
        let after = self.waited();
        if cfg!(not(panic = "unwind")) {
            return;
        }
        let mut state = lock(&self.state);
        if !matches!(*state, State::Open) {
            return;
        }
        let remains = scope::remains(&self.scope, &self.filter, view, cycles, still, after);
        let body = Ending::Unwound(Box::new(info));
        let panics = self.scope.take_panics();
        let report = Report::new(self.subject.clone(), Some(remains), panics)
            .of_body(body)
            .filtered_by(&self.filter);
        let message = Arc::new(Message { report, said: AtomicBool::new(false) });
        let (done, reaped) = chan::bounded(1);
        *state = State::Hangs(Hang { message: Arc::clone(&message), reaped });
        // Before the body can see the state, and be pardoned.
        self.caller.accuse(move || message.say());
        drop(state);
        let (scope, filter, caller) = (self.scope.clone(), self.filter.clone(), self.caller);
        let reap = move || {
            mark_harness_thread();
            reap::spare(&scope, &filter);
            let reaped = scope.reap_with(&caller);
            // Nobody waits for it if the body does not end.
            let _ = done.send(reaped);
        };
        let thread = thread::Builder::new().name("leakcheck-reaper".to_owned());
        if let Err(error) = sys::untold(|| thread.spawn(reap)) {
            tell(format_args!("leakcheck: {} hangs, but: {error}", self.subject.name()));
        }
    }

    /// The body was told to unwind, and is not at its end yet.
    fn urge(&self, progress: &mut Progress) {
        self.caller.end_wait();
        if self.caller.is_abandoned() && !progress.told {
            progress.told = true;
            if let State::Hangs(hang) = &*lock(&self.state) {
                hang.say();
            }
            tell(format_args!(
                "leakcheck: {} hangs on: it has swallowed the unwind sixteen times, \
                 and is left alone",
                self.subject.name()
            ));
        }
    }

    /// For how long the body has not moved at all.
    fn stands_for(&self, progress: &mut Progress, now: Instant) -> Duration {
        let Some(how) = self.standing() else {
            progress.stands = None;
            return Duration::ZERO;
        };
        match progress.stands {
            Some((same, since)) if same == how => now - since,
            _ => {
                progress.stands = Some((how, now));
                Duration::ZERO
            }
        }
    }

    /// Where the body stands, as a number that changes when it moves. `None`: it runs.
    fn standing(&self) -> Option<u64> {
        let info = self.caller.info()?;
        if info.wait.is_some() || info.call.is_some() {
            return Some(info.stamp);
        }
        self.caller.thread().and_then(switches)
    }

    /// Says once that the body does not go on, and why it is left alone.
    fn tell(&self, progress: &Progress) {
        let Some(info) = self.info() else { return };
        let since = progress.stands.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let look = self.look();
        let remains =
            scope::remains(&self.scope, &self.filter, look.view, Vec::new(), false, since);
        let body = Ending::LeftAlone(Box::new(info), since);
        let report = Report::new(self.subject.clone(), Some(remains), Vec::new())
            .of_body(body)
            .filtered_by(&self.filter);
        tell(format_args!("{report}"));
        report.tell_machines();
    }
}

/// Past the harness, which shows what it has captured only when the test is over.
fn tell(message: std::fmt::Arguments<'_>) {
    use std::io::Write;
    // At once: names of functions are looked up on the way, and the program may end meanwhile.
    let message = format!("{message}\n\n");
    // A test must not fail because standard error is closed.
    let _ = std::io::stderr().write_all(message.as_bytes());
}

/// How often a thread that is blocked in the kernel has given its processor away.
fn switches(thread: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)
    };
    if !matches!(field("State:")?, "S" | "D") {
        return None;
    }
    let count = |name| field(name)?.parse::<u64>().ok();
    Some(count("voluntary_ctxt_switches:")? + count("nonvoluntary_ctxt_switches:")?)
}
