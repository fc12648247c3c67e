//! What a task is in the middle of: its frames.
//!
//! [`add_frames`] finds the addresses of each task that stands still (`sched/look.rs`) or
//! answers a signal in time; names are looked up when somebody wants to see them. Equal
//! stacks are kept once.
#![expect(clippy::disallowed_types, reason = "frames are looked for outside of sections")]

use super::hide::hide;
use super::shapes::Shapes;
use super::symbols;
use super::unwind::{Found, Walker};
use super::{Kind, Snapshot, Status, TaskInfo, snapshot};
use crate::arch::{self, Registers};
use crate::sched::worker::{self, Worker};
use crate::sched::{SCHED, look};
use crate::stack::{Part, Pieces};
use crate::sys::{barrier, clock, prof, section};
use crate::task::adopt;
use crate::task::record::{Record, TaskId};
use crate::task::state::Reading;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A function that a task is in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Frame {
    /// Its path, demangled, as [`type_name`](std::any::type_name) would spell it, whichever
    /// symbols the program has (`-C symbol-mangling-version`); of a function that was inlined
    /// only the last part, where the profile has `debug = "line-tables-only"`; the address in
    /// hexadecimal if nothing is known of it.
    pub function: String,
    /// The source file, if the program has line tables.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// How many bytes behind the start of the function's code it goes on.
    pub offset: usize,
    /// An address inside of the instruction that it is at.
    pub address: usize,
    /// Part of the runtime: not shown unless asked for.
    pub runtime: bool,
}

/// The frames of a task at one moment, or of the one that made it. Cheap to clone.
#[derive(Clone)]
pub struct Trace(Arc<Stack>);

struct Stack {
    addresses: Vec<usize>,
    /// Where some are missing, and how many.
    elided: Option<(usize, usize)>,
    whole: bool,
    /// It led to the birth of a task or thread.
    of_birth: bool,
    frames: OnceLock<Vec<Frame>>,
}

impl Trace {
    /// The stack on which a task was made; that of a thread, if it is known.
    pub(crate) fn of_birth(addresses: &[usize]) -> Trace {
        Trace(Arc::new(Stack {
            addresses: addresses.to_vec(),
            elided: None,
            whole: false,
            of_birth: true,
            frames: OnceLock::new(),
        }))
    }

    /// All frames, the runtime's too, the innermost first. Functions that were inlined are
    /// among them.
    ///
    /// The first call looks the names up, which takes milliseconds if they were not asked
    /// for before.
    pub fn all(&self) -> &[Frame] {
        self.0.frames.get_or_init(|| {
            let found = self.0.addresses.iter().map(|&address| symbols::look_up(address));
            let mut frames: Vec<Frame> = found.flat_map(|frames| frames.to_vec()).collect();
            hide(&mut frames, symbols::own_folder());
            if self.0.of_birth {
                // What our functions have called to look at the stack.
                let inner = frames.iter().position(|frame| frame.runtime).unwrap_or(0);
                frames[..inner].iter_mut().for_each(|frame| frame.runtime = true);
            }
            frames
        })
    }

    /// The frames that are not the runtime's, the innermost first.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.all().iter().filter(|frame| !frame.runtime)
    }

    /// An address in each function, the innermost first; inlined functions have none of
    /// their own.
    pub fn addresses(&self) -> &[usize] {
        &self.0.addresses
    }

    /// How many frames are missing in the middle of a stack that is too deep to be kept
    /// whole; 0 for most.
    pub fn elided(&self) -> usize {
        self.0.elided.map_or(0, |(_, count)| count)
    }

    /// Whether the outermost frame is the first of the task.
    pub fn is_whole(&self) -> bool {
        self.0.whole
    }

    /// Of a walk that has found these addresses; behind so many of them so many are missing.
    pub(super) fn of(addresses: Vec<usize>, elided: Option<(usize, usize)>, whole: bool) -> Trace {
        let frames = OnceLock::new();
        Trace(Arc::new(Stack { addresses, elided, whole, of_birth: false, frames }))
    }

    /// The address behind which some are missing.
    pub(super) fn gap(&self) -> Option<(usize, usize)> {
        let (at, count) = self.0.elided?;
        Some((self.0.addresses[at - 1], count))
    }

    /// Equal for clones of one trace, and for no others as long as one is kept.
    pub(super) fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Hash for Trace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.addresses.hash(state);
    }
}

/// Equal stacks.
impl PartialEq for Trace {
    fn eq(&self, other: &Trace) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        Arc::ptr_eq(&self.0, &other.0) || (a.addresses == b.addresses && a.elided == b.elided)
    }
}

impl Eq for Trace {}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.addresses.iter().map(|it| format!("{it:#x}"))).finish()
    }
}

impl TaskInfo {
    /// The frames that are not the runtime's, the innermost first: what
    /// [`trace`](TaskInfo::trace) has, or nothing without one.
    ///
    /// ```
    /// use gopark::inspect::Snapshot;
    ///
    /// fn waits() {
    ///     let _ = gopark::chan::never::<u8>().recv();
    /// }
    /// let task = gopark::go(waits).id();
    /// // It runs some time; look until it is parked.
    /// let info = loop {
    ///     let all = Snapshot::all().with_frames();
    ///     let info = all.tasks.into_iter().find(|it| it.id == task && it.wait.is_some());
    ///     if let Some(info) = info {
    ///         break info;
    ///     }
    ///     std::thread::yield_now();
    /// };
    /// assert!(info.frames().next().unwrap().function.ends_with("waits"));
    /// ```
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.trace.iter().flat_map(Trace::frames)
    }
}

impl Snapshot {
    /// Adds the [frames](TaskInfo::frames) of every task: see [`add_frames`].
    ///
    /// ```
    /// let all = gopark::inspect::Snapshot::all().with_frames();
    /// assert!(all.tasks.iter().all(|task| task.trace.is_some() || task.wait.is_none()));
    /// ```
    #[must_use]
    pub fn with_frames(mut self) -> Snapshot {
        add_frames(&mut self.tasks);
        self
    }
}

/// How long all tasks that run have together to say where they are.
const ANSWER: Duration = Duration::from_millis(100);
/// What has changed since it was seen is looked at again so often.
const LOOKS: usize = 3;

/// Finds the frames of each task in the state that it was seen in. One that has moved on
/// since then is read again. A task or thread that ended meanwhile, a task that has not
/// started, and one that runs and does not answer, have none: all that run have a tenth
/// of a second together.
///
/// Stops nobody, except the task that is just looked at, for microseconds. A parked task takes
/// a part of a microsecond; a ready one, whose stack is copied, some. Blocks the calling thread
/// for a tenth of a second at most, unless another one does the same.
///
/// # Signals
/// Those that run are asked by SIGURG, adopted threads too, also in a system call of the
/// program's. The kernel makes most such calls go on; a few, such as `poll`, `epoll_wait`
/// and `nanosleep`, end with `EINTR` at every signal with a handler. std's functions bear
/// that, C code may not. A thread that blocks SIGURG does not answer, and with
/// `GOPARK_DEBUG=asyncpreemptoff=1` nobody is asked.
///
/// ```
/// use gopark::inspect::{Snapshot, add_frames};
///
/// let mut tasks = Snapshot::all().tasks;
/// tasks.retain(|task| task.durably_blocked());
/// add_frames(&mut tasks);
/// ```
#[inline(never)]
pub fn add_frames(tasks: &mut [TaskInfo]) {
    if tasks.is_empty() {
        return;
    }
    let (at, stack) = look::here();
    with_looker(|looker| {
        looker.own(tasks, &at, stack);
        looker.others(tasks, &mut Known::default());
    });
}

/// Calls `f` with every task and adopted thread, and with its frames as [`add_frames`] finds
/// them, in no order. Only few of them are there at a time, and those that run at the end.
#[inline(never)]
pub(super) fn each_with_frames(mut f: impl FnMut(&TaskInfo)) {
    let (at, stack) = look::here();
    with_looker(|looker| {
        let mut known = Known::default();
        let mut moving = Vec::new();
        snapshot::each_slab(|tasks| {
            let all = (0..tasks.len()).collect();
            let workers = SCHED.workers();
            for n in looker.standing(&workers, tasks, all, &mut known).into_iter().rev() {
                moving.push(tasks.swap_remove(n));
            }
            tasks.iter().for_each(&mut f);
        });
        looker.own(&mut moving, &at, stack);
        looker.others(&mut moving, &mut known);
        moving.iter().for_each(f);
    });
}

static LOOKER: Mutex<Option<Looker>> = Mutex::new(None);

fn with_looker(f: impl FnOnce(&mut Looker)) {
    section::check_outside();
    let mut looker = LOOKER.lock().unwrap_or_else(PoisonError::into_inner);
    let looker = looker.get_or_insert_with(Looker::new);
    looker.refresh();
    f(looker);
}

pub(super) struct Looker {
    walker: Walker,
    shapes: Shapes,
    /// What the calling tasks were in, who are looked at again and again.
    own: Known,
    found: Found,
    /// For a moment; here, so that it need not be made for every task.
    addresses: Vec<usize>,
}

/// Equal stacks, found in one look.
type Known = FxHashMap<Vec<usize>, Trace>;

/// What was found of a stack.
enum Seen {
    /// It is like one that is known.
    Known(Trace),
    /// It was walked from there, and is of this one part.
    New(Registers, Part),
    /// It was walked.
    Segments,
}

/// So many tasks further on there is one whose stack the cache is asked for.
const SOON: usize = 6;

/// So many words of a stack are copied at first.
const FIRST: usize = 2048;

impl Looker {
    pub(super) fn new() -> Looker {
        Looker {
            walker: Walker::new(),
            shapes: Shapes::new(),
            own: Known::default(),
            found: Found::new(),
            addresses: Vec::new(),
        }
    }

    /// Before a look: libraries may have come and gone.
    pub(super) fn refresh(&mut self) {
        if self.walker.refresh() {
            symbols::forget();
            self.shapes.forget();
            self.own.clear();
        }
    }

    /// The frames of the calling task or thread, which is at `at`: equal ones are one trace,
    /// for ever.
    pub(super) fn here(&mut self, at: &Registers, stack: Pieces) -> Option<Trace> {
        let seen = self.see(at, stack);
        let mut own = std::mem::take(&mut self.own);
        let trace = self.trace(seen, &mut own);
        self.own = own;
        trace
    }

    /// The calling task, or thread.
    fn own(&mut self, tasks: &mut [TaskInfo], at: &Registers, stack: Pieces) {
        let Some(me) = worker::current_task().or_else(adopt::existing) else { return };
        let id = me.id();
        if let Some(task) = tasks.iter_mut().find(|task| task.id == id) {
            self.walk(at, stack);
            task.trace = self.keep(&mut Known::default());
        }
    }

    fn walk(&mut self, at: &Registers, stack: Pieces) {
        // SAFETY: the walker asks for words of the parts of this stack, which are mapped and
        // which nobody changes, because its task stands still (V1) or is the calling one.
        let read = |at| unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
        self.walker.walk(at, stack, read, &mut self.found);
    }

    /// The same, unless the stack is like one that was walked before.
    fn see(&mut self, at: &Registers, stack: Pieces) -> Seen {
        let mut parts = stack;
        let first = parts.next().filter(|part| parts.next().is_none() && part.has(at.sp));
        let Some(part) = first else {
            self.walk(at, stack);
            return Seen::Segments;
        };
        // SAFETY: as in walk(); the shapes ask for words of the one part.
        let read = |at| unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
        self.see_part(at, part, read)
    }

    /// A stack of one part.
    fn see_part(&mut self, at: &Registers, part: Part, read: impl Fn(usize) -> usize) -> Seen {
        if let Some(trace) = self.shapes.find(at, &part, &read) {
            return Seen::Known(trace);
        }
        self.shapes.begin();
        let note = |at| {
            let value = read(at);
            self.shapes.note(at, value);
            value
        };
        self.walker.walk(at, std::iter::once(part), note, &mut self.found);
        Seen::New(*at, part)
    }

    /// The frames of what was seen.
    fn trace(&mut self, seen: Seen, known: &mut Known) -> Option<Trace> {
        let (at, part) = match seen {
            Seen::Known(trace) => return Some(trace),
            Seen::Segments => return self.keep(known),
            Seen::New(at, part) => (at, part),
        };
        let trace = self.keep(known)?;
        self.shapes.keep(&mut self.walker, &at, &part, &self.found, &trace);
        Some(trace)
    }

    fn keep(&mut self, known: &mut Known) -> Option<Trace> {
        let (inner, outer) = self.found.ends();
        let elided = self.found.elided();
        let gap = (elided != 0).then_some((inner.len(), elided));
        let addresses = &mut self.addresses;
        addresses.clear();
        addresses.extend(inner);
        addresses.extend(outer);
        if addresses.is_empty() {
            return None;
        }
        if let Some(trace) = known.get(addresses.as_slice())
            && trace.0.elided == gap
        {
            return Some(trace.clone());
        }
        let trace = Trace::of(addresses.clone(), gap, self.found.whole);
        known.insert(addresses.clone(), trace.clone());
        Some(trace)
    }

    fn others(&mut self, tasks: &mut [TaskInfo], known: &mut Known) {
        let mut left: Vec<usize> = Vec::with_capacity(tasks.len());
        left.extend((0..tasks.len()).filter(|&n| tasks[n].trace.is_none()));
        let end = clock::after(ANSWER);
        for _ in 0..LOOKS {
            let workers = SCHED.workers();
            left = self.standing(&workers, tasks, left, known);
            self.threads(tasks, &mut left, end, known);
            let mut running: HashMap<TaskId, usize> = HashMap::new();
            running.extend(left.iter().map(|&n| (tasks[n].id, n)));
            for &w in &workers {
                let Some(id) = w.running_elsewhere().map(Record::id) else { continue };
                let Some(&n) = running.get(&id) else { continue };
                let asked = look::Asked::Worker(w);
                if look::asked(asked, id, end, |at, stack| self.walk(at, stack)).is_some() {
                    if !matches!(tasks[n].status, Status::Running | Status::Syscall) {
                        reread(&mut tasks[n]);
                    }
                    tasks[n].trace = self.keep(known);
                    running.remove(&id);
                }
            }
            left.retain(|&n| running.contains_key(&tasks[n].id));
            let again = |n: &usize| tasks[*n].kind == Kind::Thread || tasks[*n].stack.is_some();
            if !left.iter().any(again) || clock::now() >= end {
                return;
            }
        }
    }

    /// Those of them that stand still. Gives back the others, in the same order.
    fn standing(
        &mut self,
        workers: &[&'static Worker],
        tasks: &mut [TaskInfo],
        of: Vec<usize>,
        known: &mut Known,
    ) -> Vec<usize> {
        let mut left = Vec::new();
        for (n, &task) in of.iter().enumerate() {
            self.ask_cache(of.get(n + SOON).map(|&soon| &tasks[soon]));
            match self.still(workers, &mut tasks[task], known) {
                Some(done) => tasks[task].trace = done,
                None => left.push(task),
            }
        }
        left
    }

    /// Asks the adopted threads among those that are left. Each has a part of the time that
    /// is left, and so have the tasks that run: one that blocks the signal keeps nobody else
    /// from answering.
    fn threads(
        &mut self,
        tasks: &mut [TaskInfo],
        left: &mut Vec<usize>,
        end: u64,
        known: &mut Known,
    ) {
        let threads = left.iter().filter(|&&n| tasks[n].kind == Kind::Thread).count();
        let mut parts = threads as u64 + u64::from(threads != left.len());
        left.retain(|&n| {
            let task = &mut tasks[n];
            if task.kind != Kind::Thread {
                return true;
            }
            let now = clock::now();
            let part_ends = now + end.saturating_sub(now) / parts;
            parts -= 1;
            let record = task.origin.0;
            let asked = look::Asked::Thread(record);
            let stamp = look::asked(asked, task.id, part_ends, |at, stack| {
                self.walk(at, stack);
                record.state.read().stamp()
            });
            let Some(stamp) = stamp else { return true };
            // Of one that is parked by now the next look tells more.
            let same = task.stamp == stamp || (reread(task) && task.wait.is_none());
            if same {
                task.trace = self.keep(known);
            }
            !same
        });
    }

    /// A hundred thousand stacks are in no cache.
    fn ask_cache(&self, soon: Option<&TaskInfo>) {
        let Some(record) = soon.map(|task| task.origin.0) else { return };
        let sp = record.sp.load(Ordering::Relaxed);
        if !sp.is_null() {
            self.shapes.lines().for_each(|line| arch::prefetch(sp.wrapping_add(line)));
        }
    }

    /// The frames of one that stands still, or that there are none to be had; `None` if it
    /// does not.
    fn still(
        &mut self,
        workers: &[&'static Worker],
        task: &mut TaskInfo,
        known: &mut Known,
    ) -> Option<Option<Trace>> {
        let record = task.origin.0;
        for _ in 0..LOOKS {
            let (parked, stamp) = (task.wait.is_some(), task.stamp);
            let same = |now: Reading| match parked {
                // A verdict about the park is no end of it.
                true => now.parked() && now.ticket() == ticket(stamp),
                false => now.stamp() == stamp,
            };
            let found = look::held(record, workers, same, |at, stack| self.see(at, stack));
            if let Some(seen) = found
                && record.id() == task.id
            {
                return Some(self.trace(seen, known));
            }
            if record.id() != task.id {
                // That one has ended.
                return Some(None);
            }
            let now = record.state.read();
            match now.status() {
                Status::Idle | Status::Dead => return Some(None),
                Status::Running | Status::Syscall => break,
                // Woken, and about to go on by itself.
                Status::Runnable if task.kind == Kind::Thread => break,
                Status::Runnable if record.place().stack().is_none() => return Some(None),
                Status::Runnable if now.stamp() == task.stamp => {
                    if let Some(seen) = self.ready(record, now) {
                        return Some(self.trace(seen, known));
                    }
                }
                _ => {}
            }
            reread(task).then_some(())?;
        }
        None
    }

    /// One that has started, and is in a queue: it goes on when it likes. So its stack is
    /// copied, and that counts only if it was there all the time.
    fn ready(&mut self, record: &'static Record, now: Reading) -> Option<Seen> {
        let sp = || record.sp.load(Ordering::Relaxed);
        let from = sp().addr();
        let place = record.place();
        let stack = place.stack().filter(|stack| stack.contains(from))?;
        if place.segments() != 0 {
            return None;
        }
        // The task writes there when it goes on, and a race with that must not be read. The
        // kernel copies the words, as it does for a debugger.
        let top = stack.top().addr();
        let mut copy = vec![0; FIRST.min((top - from) / size_of::<usize>())];
        loop {
            if prof::copy_words(from, &mut copy) < copy.len() {
                return None;
            }
            // If something was copied that the task wrote when it went on, its thread has
            // changed its state before. That is seen below: where threads do not see each
            // other's stores in their order, the barrier makes it so. (A kernel without such
            // a barrier leaves it to the processor's own order; what is read of a copy that
            // was torn is a wrong trace, and only of the copy.)
            if arch::STORES_IN_ORDER {
                // ORDERING: Acquire; pairs with the Release in start(), as said above.
                fence(Ordering::Acquire);
            } else {
                barrier::heavy();
            }
            if record.state.read().stamp() != now.stamp() || sp().addr() != from {
                return None;
            }
            // SAFETY: a copy of what was saved there, all of it below the top (A1), as the task
            // has not gone on.
            let mut at = unsafe { arch::saved(copy.as_ptr().cast()) };
            at.sp = at.sp - copy.as_ptr().addr() + from;
            let bounds = (from, from + size_of_val(&copy[..]));
            let read = |at: usize| copy[(at - from) / size_of::<usize>()];
            let seen = self.see_part(&at, Part { bounds, left: None }, read);
            let known = matches!(seen, Seen::Known(_));
            let enough = self.found.whole || self.found.ends().0.len() >= self.found.most;
            let words = (8 * copy.len()).min((top - from) / size_of::<usize>());
            if known || enough || words == copy.len() {
                return Some(seen);
            }
            copy.resize(words, 0);
        }
    }
}

fn ticket(stamp: u64) -> u32 {
    (stamp >> 32) as u32
}

/// What it does now, if it is still there.
fn reread(task: &mut TaskInfo) -> bool {
    let now = Snapshot::one(task.origin.0).filter(|now| now.id == task.id);
    let found = now.is_some();
    if let Some(now) = now {
        *task = now;
    }
    found
}
