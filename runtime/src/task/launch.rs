//! How a task comes to life. Go: `newproc`.
//!
//! ```text
//!   prepare: a stack is counted, ──▶ release: it is alive, and a worker runs it
//!            a record is filled  ──▶ discard: its closure is dropped, the record free
//! ```
//!
//! Between the two the record is known to nobody but its maker: it comes from a free list,
//! and whoever takes it from there owns it (P2 of `packet.rs`). It counts in no scope, and
//! no observer shows it. [`launch`] does both at once. A task without a handle waits there
//! until its timer fires, or until its partner rings (`bell.rs`).
//!
//! # What the order of a birth is good for
//! [`release`] counts the task in its scope before anybody can run it (C1 of `scope.rs`).
//! `StateWord::birth` publishes what `prepare` has filled in, and comes before the task is
//! enqueued: its Release pairs with the Acquire of the worker that starts the task, and of
//! observers (R3 of `record.rs`). Whether its scope is being reaped is asked after it, so
//! that no task escapes the reaper's first look (`models/noticing.rs`). A task that is bound
//! from the start is so by a Release that pairs with the Acquire in `enqueue::put()`.

use super::extra::Extra;
use super::handle::{self, JoinHandle};
use super::join::Detach;
use super::packet;
use super::record::{Birth, Record, TaskId, flag};
use super::scope::ScopeInner;
use super::{TaskRef, entry, lineage, scope};
use crate::sched::counts::ELSEWHERE;
use crate::sched::worker::{self, Worker};
use crate::sched::{self, SCHED, enqueue, observe};
use crate::stack::class::Class;
use crate::stack::pool;
use core::panic::Location;
use std::io;
use std::sync::atomic::Ordering;

/// What is special about a task.
#[derive(Default)]
pub(super) struct Wish {
    pub(super) extra: Option<Box<Extra>>,
    pub(super) flags: u32,
    pub(super) own_thread: bool,
    pub(super) limit: Option<Class>,
    /// Another one than the parent's.
    pub(super) scope: Option<&'static ScopeInner>,
    /// Bound to the worker that runs the parent, from the start.
    pub(super) beside: bool,
}

impl Wish {
    #[cfg(feature = "debug")]
    pub(super) fn system() -> Wish {
        let flags = flag::DAEMON | flag::SYSTEM;
        Wish { flags, scope: Some(scope::root()), ..Wish::default() }
    }
}

/// Go: `newproc`. Fills a record and puts it where it will be run. Observers see a task
/// that runs an `As`.
///
/// # Safety
/// What `f` borrows lasts until it has ended, or was dropped.
pub(super) unsafe fn launch<As, F, T>(
    parent: Option<TaskRef>,
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    // SAFETY: by contract.
    let (record, id) = unsafe { prepare::<As, _, _>(parent, f, wish, created_at) }?;
    release(record, || ());
    let id = TaskId::new(id).expect("numbers start at 1");
    // SAFETY: prepared for it just now, and its closure returns a `T`.
    Ok(unsafe { JoinHandle::new(record, id) })
}

/// Makes a task that is not alive yet: nobody sees it, and it counts nowhere but
/// among the stacks. [`release`] starts it, [`discard`] gives it up.
///
/// # Safety
/// What `f` borrows lasts until it has ended, or was dropped.
#[inline]
unsafe fn prepare<As, F, T>(
    parent: Option<TaskRef>,
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<(&'static Record, u64)>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    if let Some(parent) = parent {
        lineage::has_child(parent.record());
    }
    let class = Class::chosen(wish.limit);
    count(class)?;
    let own = match wish.own_thread {
        true => Some(own_worker().inspect_err(|_| uncount(class))?),
        false => worker::current().filter(|_| wish.beside),
    };
    let inherited = || parent.map_or_else(scope::root, |p| p.record().scope());
    let scope = wish.scope.unwrap_or_else(inherited);
    let extra = lineage::with_stack(scope, wish.extra);
    let (record, id) = take_record();
    // SAFETY: a record from a free list is ours, and its last task is gone; the
    // rest by contract.
    let meta = unsafe { record.body.put::<As, _, _>(f) };
    record.fill(Birth {
        id,
        parent: parent.map(TaskRef::record),
        created_at,
        meta,
        scope,
        class,
        extra,
        flags: wish.flags,
    });
    if let Some(worker) = own {
        // ORDERING: Release; pairs with the Acquire in enqueue::put().
        record.worker.store(core::ptr::from_ref(worker).cast_mut(), Ordering::Release);
    }
    Ok((record, id))
}

/// Brings a task to life and puts it where it will be run. Something keeps its
/// scope until then: the caller belongs to it, or a timer of it is set. When observers
/// can see the task, and before it can run, `born` is called, in a section.
#[inline]
pub(crate) fn release(record: &'static Record, born: impl FnOnce()) {
    let scope = record.home();
    worker::with_processor(|here| {
        scope.count_birth(here.map(|p| p.id));
        record.state.birth();
        // After the birth: either this sees that the scope takes no new life, or the
        // reaper, who looks at all tasks after he has said so, sees this one.
        if scope.is_reaping() {
            record.set(flag::REAP);
        }
        born();
        match here {
            Some(p) => p.counts.created.add(1),
            None => ELSEWHERE.one_created(),
        }
        observe::born(record);
        // From here on any worker may run it.
        enqueue::enqueue_unclaimed(record);
    });
}

/// A task without a handle, to be released later.
pub(crate) fn prepare_detached<F>(
    f: F,
    created_at: &'static Location<'static>,
) -> io::Result<&'static Record>
where
    F: FnOnce() + Send + 'static,
{
    prepare_as(f, Wish::default(), created_at)
}

/// A task without a handle that a partner releases by a claim, as if it were parked.
///
/// # Panics
/// If the system refuses the address space for its stack.
pub(crate) fn prepare_bell<F>(f: F, created_at: &'static Location<'static>) -> TaskRef
where
    F: FnOnce() + Send + 'static,
{
    let wish = Wish { flags: flag::BELL, ..Wish::default() };
    let Ok(record) = prepare_as(f, wish, created_at).map_err(refused);
    TaskRef::from(record)
}

fn prepare_as<F>(
    f: F,
    wish: Wish,
    created_at: &'static Location<'static>,
) -> io::Result<&'static Record>
where
    F: FnOnce() + Send + 'static,
{
    let parent = Some(super::current());
    // SAFETY: the closure borrows nothing that ends.
    let (record, _) = unsafe { prepare::<F, _, _>(parent, f, wish, created_at) }?;
    let Detach::Nothing = record.join.detach() else { unreachable!("it has not run") };
    Ok(record)
}

/// Drops the closure of a task that is not to be released, and frees the record.
pub(crate) fn discard(record: &'static Record) {
    let class = record.place().class();
    // As the reaper does with a task that has not started.
    record.set(flag::REAP);
    if (record.meta().run)(record) && record.join.ready() {
        packet::dispose_here(record);
    }
    entry::drop_extra(record);
    handle::free(record);
    uncount(class);
}

/// For those who can be given no error.
#[cold]
#[track_caller]
pub(super) fn refused(error: io::Error) -> std::convert::Infallible {
    panic!("{error}")
}

/// Counts a task of the class.
#[inline]
fn count(class: Class) -> io::Result<()> {
    SCHED.take_or_grow(class, || {
        worker::with_processor(|here| match here {
            Some(p) => p.stacks.count(class),
            None => pool::count(class),
        })
    })
}

#[cold]
fn uncount(class: Class) {
    worker::with_processor(|here| match here {
        Some(p) => p.stacks.uncount(class),
        None => pool::uncount(class),
    });
}

/// A record and a number for a new task.
#[inline]
fn take_record() -> (&'static Record, u64) {
    loop {
        let taken = worker::with_processor(|here| match here {
            Some(p) => p.take_record().map(|record| (record, p.new_id())),
            None => SCHED.take_free_one().map(|record| (record, SCHED.take_ids(1))),
        });
        if let Some(taken) = taken {
            return taken;
        }
        SCHED.make_records();
    }
}

/// A worker for one task.
fn own_worker() -> io::Result<&'static Worker> {
    sched::start_default();
    let worker = SCHED.try_new_worker(true)?;
    worker.try_launch().inspect_err(|_| SCHED.worker_gone(worker))?;
    Ok(worker)
}
