//! Where the scheduler tells what happens: the hooks of the execution trace.
//!
//! They stand at the changes of tasks (born, started, left, made ready) and of
//! processors (taken, given up) and nowhere else. While nobody listens each is one
//! branch on a word that does not change. Else it writes one entry to the thread's
//! tape (`tape.rs`); what the entries mean together is found out by who reads them
//! (`trace/`), so nothing here keeps state. All hooks are called in sections.
//!
//! An entry names its task and processor, so that a reader finds his way again after
//! some were lost.
//!
//! # Times
//! Of one task: *leaves* is written before others can make it ready, *ready* before
//! others can start it, *born* before both; so their times have the order of what
//! happened, as far as the processors' counters agree. To read the counter takes longer
//! than all the rest of an entry, so an entry has the time of the one before it on the
//! tape where that serves as well:
//! - **O1** `at_once` of a worker says that whatever it finds now was there at the time of
//!   its last entry, and that not much time has passed since. The entries of the scheduler
//!   set it; it is cleared before the worker looks at anything that other threads put
//!   tasks into, and before it does what takes long.
//! - A task that is started at once was made ready earlier: by this worker, and that is on
//!   the same tape; or by another, before this one's last entry.
//! - So is a task that is bound to this worker and made ready at once: *leaves* is on the
//!   same tape.

use super::processor::Processor;
use super::tape::Reader;
use super::tapes::{OUTSIDE, Time};
use super::worker::{self, After, Worker};
use crate::sys::section::Section;
use crate::task::reason::WaitReason;
use crate::task::record::{Meta, Record};
use crate::task::state::Status;
use core::panic::Location;
use core::ptr;

/// What happened.
pub(crate) enum Event {
    /// The task starts, or goes on, with the processor.
    Start { task: u64, p: Option<u32> },
    /// The task leaves its worker.
    Leave { task: u64, p: Option<u32>, how: Leave },
    /// The task can go on.
    Ready { task: u64 },
    /// There is a new task, which can start.
    Born(Box<Birth>),
    /// The worker has the processor; if a task is named, that goes on.
    Taken { p: u32, task: Option<u64> },
    /// The worker gives the processor up; if a task is named, that stays on the worker.
    Given { p: u32, task: Option<u64>, why: Given },
    /// So many processors are in use.
    Limit { count: u32 },
    /// What the program itself says, in the task.
    User { task: u64, p: Option<u32>, user: Box<User> },
}

/// Apart, as what the program says: most events are small, and many lie side by side.
pub(crate) struct Birth {
    pub(crate) task: u64,
    pub(crate) p: Option<u32>,
    pub(crate) entry: &'static str,
    pub(crate) at: &'static Location<'static>,
    pub(crate) name: String,
}

/// How a task leaves.
pub(crate) enum Leave {
    Yields,
    GivesWay,
    Parks { reason: WaitReason, site: Option<&'static Location<'static>> },
    Ends,
}

/// Why a worker has no processor any more although its task stays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It has none.
    Idle,
    /// That is in a blocking call.
    Call(Option<&'static Location<'static>>),
    /// That is suspended.
    Suspended,
}

/// See `trace/user.rs`.
pub(crate) enum User {
    TaskBegin { id: u64, parent: u64, name: String },
    TaskEnd { id: u64 },
    RegionBegin { task: u64, id: u64, name: String },
    RegionEnd { id: u64 },
    Log { task: u64, category: String, message: String },
}

mod kind {
    pub(super) const START: u8 = 1;
    pub(super) const YIELD: u8 = 2;
    pub(super) const GIVE_WAY: u8 = 3;
    pub(super) const PARK: u8 = 4;
    pub(super) const END: u8 = 5;
    pub(super) const READY: u8 = 6;
    pub(super) const BORN: u8 = 7;
    pub(super) const TAKEN: u8 = 8;
    pub(super) const GIVEN: u8 = 9;
    pub(super) const CALL: u8 = 10;
    pub(super) const SUSPENDED: u8 = 11;
    pub(super) const LIMIT: u8 = 12;
    pub(super) const TASK_BEGIN: u8 = 13;
    pub(super) const TASK_END: u8 = 14;
    pub(super) const REGION_BEGIN: u8 = 15;
    pub(super) const REGION_END: u8 = 16;
    pub(super) const LOG: u8 = 17;
}

/// A task's number and a processor's in one word.
const ID: u32 = 48;
/// No processor.
const NONE: u64 = u64::MAX >> ID;
/// A wait's reason and its site's address in one word.
const SITE: u32 = 56;

/// Somebody listens.
pub(crate) use super::tapes::is_on;

fn number(task: Option<&Record>) -> u64 {
    task.and_then(Record::try_id).map_or(0, |id| id.get())
}

fn both(task: u64, p: Option<&Processor>) -> u64 {
    task | p.map_or(NONE, |p| u64::from(p.id)) << ID
}

/// The task, with the processor that the calling thread has.
fn here(task: &Record) -> u64 {
    both(number(Some(task)), worker::current().and_then(Worker::holding))
}

fn address(site: Option<&'static Location<'static>>) -> u64 {
    site.map_or(0, |site| ptr::from_ref(site).expose_provenance() as u64)
}

/// The worker is about to look for tasks where other threads put them, or to wait (O1).
#[inline(always)]
pub(super) fn looks_elsewhere(w: &Worker) {
    w.at_once.set(false);
}

/// The worker is about to run the task.
#[inline(always)]
pub(super) fn starts(w: &Worker, task: &Record) {
    if is_on() {
        note_start(w, task);
    }
}

#[cold]
#[inline(never)]
fn note_start(w: &Worker, task: &Record) {
    let time = if w.at_once.replace(false) { Time::Before } else { Time::Now };
    w.tape.put(time, kind::START, both(number(Some(task)), w.holding()), &[], &[]);
}

/// The task has left; nobody knows yet that it can be made ready.
#[inline(always)]
pub(super) fn leaves(w: &Worker, task: &Record) {
    if is_on() {
        note_leave(w, task);
    }
}

#[cold]
#[inline(never)]
fn note_leave(w: &Worker, task: &Record) {
    let about = both(number(Some(task)), w.holding());
    let put = |kind, words: &[u64]| w.tape.put(Time::Early, kind, about, words, &[]);
    match w.after.get() {
        After::Requeue => put(kind::YIELD, &[]),
        After::GiveWay => put(kind::GIVE_WAY, &[]),
        After::Park { .. } => {
            put(kind::PARK, &[address(task.site()) | (task.reason() as u64) << SITE]);
        }
        After::Exit | After::Nothing => put(kind::END, &[]),
    }
    w.at_once.set(true);
}

/// The task was claimed; from here on it is put where it can be started.
#[inline(always)]
pub(super) fn ready(task: &Record) {
    if is_on() {
        note_ready(task);
    }
}

#[cold]
#[inline(never)]
fn note_ready(task: &Record) {
    // Of the same processor as what was written before it: so it takes one word.
    let about = here(task);
    match worker::current() {
        Some(w) if w.running().is_none() && w.is_home_of(task) => {
            let time = if w.at_once.replace(true) { Time::Before } else { Time::Now };
            w.tape.put(time, kind::READY, about, &[], &[]);
        }
        _ => anywhere(kind::READY, about, &[], &[]),
    }
}

/// The task is alive; from here on it is put where it can be started.
#[inline(always)]
pub(crate) fn born(task: &Record) {
    if is_on() {
        note_birth(task);
    }
}

#[cold]
#[inline(never)]
fn note_birth(task: &Record) {
    let about = here(task);
    let words =
        [ptr::from_ref(task.meta()).expose_provenance() as u64, address(Some(task.created_at()))];
    // SAFETY: the task cannot run, so cannot end, before this returns.
    let name = unsafe { task.own_name() }.unwrap_or_default();
    anywhere(kind::BORN, about, &words, &[shortened(name, 64)]);
}

/// The worker has got the processor.
#[inline(always)]
pub(super) fn taken(w: &Worker, p: &Processor) {
    if is_on() {
        note_taken(w, p);
    }
}

#[cold]
#[inline(never)]
fn note_taken(w: &Worker, p: &Processor) {
    w.tape.put(Time::Now, kind::TAKEN, both(number(w.running()), Some(p)), &[], &[]);
}

/// The worker gives the processor up, and has it still.
#[inline(always)]
pub(super) fn given(w: &Worker, p: &Processor) {
    if is_on() {
        note_given(w, p);
    }
}

#[cold]
#[inline(never)]
fn note_given(w: &Worker, p: &Processor) {
    let task = w.running();
    let about = both(number(task), Some(p));
    let put = |kind, words: &[u64]| w.tape.put(Time::Now, kind, about, words, &[]);
    match task.map(|task| (task, task.state.read().status())) {
        None => put(kind::GIVEN, &[]),
        Some((task, Status::Syscall)) => put(kind::CALL, &[address(task.site())]),
        Some(_) => put(kind::SUSPENDED, &[]),
    }
}

/// So many processors are in use now.
pub(super) fn limited(count: u32) {
    if is_on() {
        let _section = Section::new();
        anywhere(kind::LIMIT, u64::from(count), &[], &[]);
    }
}

/// What the program says; `task` is the running task or thread. Outside of sections.
#[cold]
pub(crate) fn user(task: &Record, user: &User) {
    let _section = Section::new();
    let about = here(task);
    match user {
        User::TaskBegin { id: of, parent, name } => {
            anywhere(kind::TASK_BEGIN, about, &[*of, *parent], &[shortened(name, TEXT)]);
        }
        User::TaskEnd { id: of } => anywhere(kind::TASK_END, about, &[*of], &[]),
        User::RegionBegin { task: of, id: region, name } => {
            anywhere(kind::REGION_BEGIN, about, &[*of, *region], &[shortened(name, TEXT)]);
        }
        User::RegionEnd { id: region } => anywhere(kind::REGION_END, about, &[*region], &[]),
        User::Log { task: of, category, message } => {
            let texts = [shortened(category, TEXT), shortened(message, TEXT)];
            anywhere(kind::LOG, about, &[*of], &texts);
        }
    }
}

/// As much of a text as the format allows.
const TEXT: usize = 1024;

fn shortened(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn anywhere(kind: u8, about: u64, words: &[u64], texts: &[&str]) {
    match worker::current() {
        Some(w) => w.tape.put(Time::Now, kind, about, words, texts),
        None => OUTSIDE.put(kind, about, words, texts),
    }
}

/// Reads an entry that one of the above has written.
#[inline]
pub(crate) fn read(entry: &mut Reader<'_>) -> Event {
    let (kind, about) = entry.begin();
    let task = about & ((1 << ID) - 1);
    let p = Some(about >> ID).filter(|&p| p != NONE).map(|p| p as u32);
    let some = Some(task).filter(|&task| task != 0);
    let given = |why| Event::Given { p: p.unwrap_or(0), task: some, why };
    let leave = |how| Event::Leave { task, p, how };
    let user = |user| Event::User { task, p, user: Box::new(user) };
    match kind {
        kind::START => Event::Start { task, p },
        kind::YIELD => leave(Leave::Yields),
        kind::GIVE_WAY => leave(Leave::GivesWay),
        kind::PARK => {
            let why = entry.word();
            let reason = WaitReason::from_u8((why >> SITE) as u8);
            leave(Leave::Parks { reason, site: location(why & ((1 << SITE) - 1)) })
        }
        kind::END => leave(Leave::Ends),
        kind::READY => Event::Ready { task },
        kind::BORN => {
            let (meta, at) = (entry.word(), entry.word());
            // SAFETY: the address of a `&'static Meta` (note_birth).
            let meta = unsafe { &*ptr::with_exposed_provenance::<Meta>(meta as usize) };
            let at = location(at).expect("a birth has a site");
            let (entry, name) = ((meta.entry)(), entry.text());
            Event::Born(Box::new(Birth { task, p, entry, at, name }))
        }
        kind::TAKEN => Event::Taken { p: p.unwrap_or(0), task: some },
        kind::GIVEN => given(Given::Idle),
        kind::CALL => given(Given::Call(location(entry.word()))),
        kind::SUSPENDED => given(Given::Suspended),
        kind::LIMIT => Event::Limit { count: about as u32 },
        kind::TASK_BEGIN => {
            let (id, parent) = (entry.word(), entry.word());
            user(User::TaskBegin { id, parent, name: entry.text() })
        }
        kind::TASK_END => user(User::TaskEnd { id: entry.word() }),
        kind::REGION_BEGIN => {
            let (task, id) = (entry.word(), entry.word());
            user(User::RegionBegin { task, id, name: entry.text() })
        }
        kind::REGION_END => user(User::RegionEnd { id: entry.word() }),
        kind::LOG => {
            let task = entry.word();
            user(User::Log { task, category: entry.text(), message: entry.text() })
        }
        _ => unreachable!("an entry of kind {kind}"),
    }
}

fn location(address: u64) -> Option<&'static Location<'static>> {
    let site = ptr::with_exposed_provenance::<Location<'static>>(address as usize);
    // SAFETY: null, or the address of a `&'static Location` (address()).
    unsafe { site.as_ref() }
}
