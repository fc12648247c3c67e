//! The record of a task: Go's `g`.
//!
//! Records are made in slabs and never freed (**R1**), so a pointer to one
//! stays valid after its task has ended; the ticket and the id tell whether it
//! is still the same task. Three cache lines: the first is touched to run a
//! task, the second to park or to look at it, the third holds its closure.
//!
//! | field | who writes it, when | who reads it |
//! |---|---|---|
//! | `state` | see `state.rs` | everybody |
//! | `sp` | `switch`, leaving the task | the worker that starts it next (**R2**: only between `start` and the switch away); observers |
//! | `next` | whoever has the record in a queue or list; the task, before it parks (`subject.rs`) | the same; observers that hold the task |
//! | `worker` | the worker that starts it first | whoever readies it |
//! | `place` | the spawner; the worker that starts it first; `grow`, on the task | the worker that buries it; observers |
//! | `body`, `join`, `waiter` | see `packet.rs` and `join.rs` | the task and its handle |
//! | `flags` | atomic bit operations; the life's number in the upper bits, by the spawner | everybody |
//! | `id` … `home` | the spawner, before `birth` | observers, checked by the stamp or the life (**R3**) |
//! | `scope` | the task itself, entering and leaving scopes | the task |
//! | `extra` | see `extra.rs`: the spawner; taken at the end under the registry's lock | observers under that lock; the task |
//! | `tid` | an adopted thread, when it is adopted; of a task, itself, and its worker after the switch that parks it | observers |
//! | `reason`, `site`, `since`, `until` | the task, before it parks; `site` and `since` before a blocking call, too; `since`, if waits are counted, who has claimed it | observers, checked by the stamp (**R3**); `since` the task, after its park |
//!
//! **R3**: what observers read are atomics, read between two equal stamps of
//! the state word, or between two equal numbers of the life; a writer changes
//! the word, or the number, before it changes the fields. The life is enough for a task
//! that was ready or running at the beginning: it may change faster than it can be read,
//! and of the fields that it writes meanwhile none is of such a state.

use super::TaskRef;
use super::extra::Extra;
use super::join::JoinWord;
use super::packet::Body;
use super::reason::WaitReason;
use super::scope::ScopeInner;
use super::state::{Reading, StateWord};
use crate::names;
use crate::sched::worker::Worker;
use crate::stack::Place;
use crate::stack::class::Class;
use crate::time::Room;
use core::cell::Cell;
use core::num::NonZeroU64;
use core::panic::Location;
use core::ptr;
use std::fmt;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// How often an observer tries to find a record in one state or in one life.
const ROUNDS: u32 = 1024;

/// The number of a task or of an adopted thread. Numbers grow, start at 1, and
/// are never used twice; each processor takes sixteen at a time, as in Go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// The number itself.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn new(n: u64) -> Option<TaskId> {
        NonZeroU64::new(n).map(TaskId)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

/// Bits of `Record::flags`.
pub(crate) mod flag {
    /// An OS thread that was adopted, not a task of ours.
    pub(crate) const THREAD: u32 = 1;
    /// Not reported as a leak.
    pub(crate) const DAEMON: u32 = 1 << 1;
    /// To be unwound at its next park.
    pub(crate) const REAP: u32 = 1 << 2;
    /// Given up by the reaper: parks as if nobody had marked it.
    pub(crate) const ABANDONED: u32 = 1 << 3;
    /// Its present park cannot be ended by the reaper.
    pub(crate) const UNINTERRUPTIBLE: u32 = 1 << 4;
    /// Belongs to a test harness: never a possible waker of other scopes.
    pub(crate) const HARNESS: u32 = 1 << 5;
    /// Its thread had a panic count when it parked, or tried to.
    pub(crate) const UNWINDING: u32 = 1 << 6;
    /// Has had its slice: gives way at its next safepoint (`sched/preempt.rs`).
    pub(crate) const PREEMPT: u32 = 1 << 7;
    /// Its waits have a limit (`time/timeout.rs`).
    pub(crate) const DEADLINE: u32 = 1 << 8;
    /// Has not been released yet, and is when it is claimed (`bell.rs`).
    pub(crate) const BELL: u32 = 1 << 9;
    /// Has been noted as one that starts tasks (`lineage.rs`).
    pub(crate) const PARENT: u32 = 1 << 10;
    /// One of the runtime's own: no observer sees it, no leak check counts it.
    pub(crate) const SYSTEM: u32 = 1 << 11;
    /// All of them; the number of the life stands above.
    pub(super) const BITS: u32 = 12;
}

/// Which task of the many that a record serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Life(u32);

#[repr(C, align(64))]
pub(crate) struct Record {
    pub(crate) state: StateWord,
    /// Written by `switch`, whose store is that of a Relaxed store.
    pub(crate) sp: AtomicPtr<u8>,
    pub(crate) next: Cell<*const Record>,
    pub(crate) worker: AtomicPtr<Worker>,
    /// See [`Place`].
    place: AtomicUsize,
    scope: AtomicPtr<ScopeInner>,
    id: AtomicU64,
    flags: AtomicU32,
    /// Depth of `no_park` sections.
    pub(crate) no_park: Cell<u16>,
    /// Unwinds that the reaper has started in this task.
    pub(crate) reaps: Cell<u8>,
    reason: AtomicU8,

    meta: AtomicPtr<Meta>,
    parent: AtomicU64,
    created_at: AtomicPtr<Location<'static>>,
    creator: AtomicPtr<Meta>,
    pub(super) extra: AtomicPtr<Extra>,
    site: AtomicPtr<Location<'static>>,
    since: AtomicU64,
    /// When the timer of the present park fires; `u64::MAX` without one.
    until: AtomicU64,

    pub(crate) join: JoinWord,
    /// Kernel id of an adopted thread; of a task, see [`Record::thread_locks`] and
    /// [`Record::room`].
    pub(crate) tid: AtomicU32,
    pub(crate) waiter: Cell<Option<TaskRef>>,
    /// The scope that the task was born in, which counts it.
    home: AtomicPtr<ScopeInner>,
    pub(crate) body: Body,
}

// SAFETY: the cells have one accessor at a time, as the table says: the holder
// of the queue or list, or the worker that started the task (R2).
unsafe impl Sync for Record {}
// SAFETY: as above.
unsafe impl Send for Record {}

const _: () = assert!(size_of::<Record>() == 192, "three cache lines");

/// What can be done with a task's body without knowing its types: one static
/// per closure type.
pub(crate) struct Meta {
    /// The closure's type name. A function, as `type_name` is not `const`.
    pub(crate) entry: fn() -> &'static str,
    pub(crate) run: fn(&'static Record) -> bool,
    pub(crate) dispose: unsafe fn(&'static Record),
    pub(crate) take: unsafe fn(&'static Record, *mut ()),
}

/// The description of an adopted thread, which has no body.
pub(crate) static THREAD: Meta =
    Meta { entry: || "thread", run: |_| false, dispose: no_dispose, take: no_take };

/// # Safety
/// None is needed.
unsafe fn no_dispose(_: &'static Record) {}
/// # Safety
/// As above.
unsafe fn no_take(_: &'static Record, _: *mut ()) {}

/// What the spawner writes into a record.
pub(crate) struct Birth {
    pub(crate) id: u64,
    pub(crate) parent: Option<&'static Record>,
    pub(crate) created_at: &'static Location<'static>,
    pub(crate) meta: &'static Meta,
    pub(crate) scope: &'static ScopeInner,
    pub(crate) class: Class,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) flags: u32,
}

impl Record {
    pub(crate) fn new() -> Record {
        Record {
            state: StateWord::new(),
            sp: AtomicPtr::new(ptr::null_mut()),
            next: Cell::new(ptr::null()),
            worker: AtomicPtr::new(ptr::null_mut()),
            place: AtomicUsize::new(0),
            scope: AtomicPtr::new(ptr::null_mut()),
            meta: AtomicPtr::new(ptr::null_mut()),
            flags: AtomicU32::new(0),
            no_park: Cell::new(0),
            reaps: Cell::new(0),
            reason: AtomicU8::new(0),
            id: AtomicU64::new(0),
            parent: AtomicU64::new(0),
            created_at: AtomicPtr::new(ptr::null_mut()),
            creator: AtomicPtr::new(ptr::null_mut()),
            extra: AtomicPtr::new(ptr::null_mut()),
            site: AtomicPtr::new(ptr::null_mut()),
            since: AtomicU64::new(0),
            until: AtomicU64::new(u64::MAX),
            join: JoinWord::new(),
            tid: AtomicU32::new(0),
            waiter: Cell::new(None),
            home: AtomicPtr::new(ptr::null_mut()),
            body: Body::new(),
        }
    }

    /// Asks the cache for the two lines that a start touches. Any address may be
    /// given.
    #[inline]
    pub(crate) fn prefetch(record: *const Record) {
        crate::arch::prefetch(record.cast());
        crate::arch::prefetch(record.wrapping_byte_add(128).cast());
    }

    /// Asks the cache for what an observer reads.
    #[inline]
    pub(crate) fn prefetch_all(record: *const Record) {
        for line in [0, 64, 128] {
            crate::arch::prefetch(record.wrapping_byte_add(line).cast());
        }
    }

    /// Writes a new life into a record that the caller owns. `birth` or `adopt`
    /// on the state word follows.
    #[inline]
    pub(crate) fn fill(&self, b: Birth) {
        let life = (self.flags.load(Ordering::Relaxed) >> flag::BITS).wrapping_add(1);
        // ORDERING: Release; pairs with the Acquire in life(): who sees the new
        // life sees that the former task is dead.
        self.flags.store(life << flag::BITS | b.flags, Ordering::Release);
        // ORDERING: Release; pairs with the Acquire fences in observe() and
        // registry::each_of(): an observer that sees one of the stores below also sees that
        // the former task is dead and the new life has begun (R3).
        fence(Ordering::Release);
        let (parent, creator) = match b.parent {
            Some(p) => (p.id.load(Ordering::Relaxed), p.meta.load(Ordering::Relaxed)),
            None => (0, ptr::null_mut()),
        };
        self.sp.store(ptr::null_mut(), Ordering::Relaxed);
        self.set_place(Place::none(b.class));
        self.worker.store(ptr::null_mut(), Ordering::Relaxed);
        self.join.reset();
        self.no_park.set(0);
        self.reaps.set(0);
        self.tid.store(0, Ordering::Relaxed);
        self.id.store(b.id, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        self.created_at.store(ptr::from_ref(b.created_at).cast_mut(), Ordering::Relaxed);
        self.meta.store(ptr::from_ref(b.meta).cast_mut(), Ordering::Relaxed);
        self.creator.store(creator, Ordering::Relaxed);
        self.scope.store(ptr::from_ref(b.scope).cast_mut(), Ordering::Relaxed);
        self.home.store(ptr::from_ref(b.scope).cast_mut(), Ordering::Relaxed);
        self.until.store(u64::MAX, Ordering::Relaxed);
        self.site.store(ptr::null_mut(), Ordering::Relaxed);
        if let Some(extra) = b.extra {
            // ORDERING: Release; pairs with the Acquire in clone_extra().
            self.extra.store(Box::into_raw(extra), Ordering::Release);
        }
    }

    /// How often the task has locked its thread; not of an adopted thread.
    pub(crate) fn thread_locks(&self) -> u32 {
        self.tid.load(Ordering::Relaxed) >> Room::BITS
    }

    /// The task itself.
    pub(crate) fn set_thread_locks(&self, count: u32) {
        assert!(count >> (u32::BITS - Room::BITS) == 0, "as many locks as a program can hold");
        self.tid.store(count << Room::BITS | self.room().bits(), Ordering::Relaxed);
    }

    /// Where the task has room for the timer of its next park; not of an adopted
    /// thread.
    #[inline]
    pub(crate) fn room(&self) -> Room {
        Room::from_bits(self.tid.load(Ordering::Relaxed) & ((1 << Room::BITS) - 1))
    }

    /// The task itself, and its worker when it has left.
    #[inline]
    pub(crate) fn set_room(&self, room: Room) {
        let locks = self.tid.load(Ordering::Relaxed) >> Room::BITS;
        self.tid.store(locks << Room::BITS | room.bits(), Ordering::Relaxed);
    }

    /// Writes why, where and since when the task is about to park.
    #[inline]
    pub(crate) fn describe_wait(
        &self,
        reason: WaitReason,
        site: &'static Location<'static>,
        since: u64,
        until: u64,
    ) {
        // ORDERING: Release; pairs with the Acquire fence in observe(): who sees
        // one of these stores also sees that the task has run since its last park.
        fence(Ordering::Release);
        self.reason.store(reason as u8, Ordering::Relaxed);
        self.site.store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

    /// Who has claimed the task writes when, before it can be started.
    pub(crate) fn describe_claim(&self, since: u64) {
        // ORDERING: Release; as in describe_wait().
        fence(Ordering::Release);
        self.since.store(since, Ordering::Relaxed);
    }

    /// Writes where and since when the task is about to block its thread.
    #[inline]
    pub(crate) fn describe_call(&self, site: Option<&'static Location<'static>>, since: u64) {
        // ORDERING: Release; as in describe_wait().
        fence(Ordering::Release);
        let site = site.map_or(ptr::null(), ptr::from_ref);
        self.site.store(site.cast_mut(), Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
    }

    /// Is it parked where only another task or thread can end it? With the reading that
    /// [`observe`](Self::observe) gives.
    pub(crate) fn is_blocked(&self, reading: Reading) -> bool {
        reading.parked() && self.reason().durable() && self.until() == u64::MAX
    }

    /// Number and stamp, and whether it [is blocked](Self::is_blocked).
    pub(crate) fn blocked(&self) -> Option<(TaskId, u64, bool)> {
        let look = |record: &Record, reading| (record.id(), record.is_blocked(reading));
        let (stamp, (id, blocked)) = self.observe(look)?;
        Some((id, stamp, blocked))
    }

    /// Reads what `f` wants of one state, the one that it is given, and gives the stamp of
    /// that (R3). `None`: the task has ended, and the record serves one after another, each
    /// for a moment.
    pub(crate) fn observe<R>(&self, f: impl Fn(&Record, Reading) -> R) -> Option<(u64, R)> {
        for round in 0..ROUNDS {
            let life = self.life();
            let read = self.state.read();
            // Who is in another state whenever it is looked at has run in between.
            let before = if round < ROUNDS / 2 { read } else { read.under_way() };
            let seen = f(self, before);
            // ORDERING: Acquire; pairs with the Release fences in fill() and
            // describe_wait() and the Release stores of the state word: if f saw a
            // newer field, the next reading sees the newer word, or the newer life.
            fence(Ordering::Acquire);
            let same = match before.runs() {
                true => self.life() == life,
                false => self.state.read().stamp() == before.stamp(),
            };
            if same {
                return Some((before.stamp(), seen));
            }
            core::hint::spin_loop();
        }
        None
    }

    #[inline]
    pub(crate) fn id(&self) -> TaskId {
        TaskId::new(self.id.load(Ordering::Relaxed)).expect("a record in use has an id")
    }

    /// The number as it is kept.
    #[inline]
    pub(crate) fn id_number(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The number of the task that the record serves, or served last.
    pub(crate) fn try_id(&self) -> Option<TaskId> {
        TaskId::new(self.id.load(Ordering::Relaxed))
    }

    pub(crate) fn parent(&self) -> Option<TaskId> {
        TaskId::new(self.parent.load(Ordering::Relaxed))
    }

    /// Of an adopted thread, before others can see it.
    pub(crate) fn set_parent(&self, parent: TaskId) {
        self.parent.store(parent.get(), Ordering::Relaxed);
    }

    pub(crate) fn created_at(&self) -> &'static Location<'static> {
        // SAFETY: only pointers from `&'static Location` are ever stored, and
        // one is stored before the record is first published (R1).
        unsafe { &*self.created_at.load(Ordering::Relaxed) }
    }

    #[inline]
    pub(crate) fn meta(&self) -> &'static Meta {
        // SAFETY: only pointers from `&'static Meta` are stored, before publication.
        unsafe { &*self.meta.load(Ordering::Relaxed) }
    }

    pub(crate) fn entry(&self) -> &'static str {
        (self.meta().entry)()
    }

    /// The entry of the task that made this one.
    pub(crate) fn creator_entry(&self) -> Option<&'static str> {
        // SAFETY: null or from a `&'static Meta`.
        unsafe { self.creator.load(Ordering::Relaxed).as_ref().map(|m| (m.entry)()) }
    }

    /// The function that made it. A closure's type name starts with the function that it
    /// is written in.
    pub(crate) fn creator(&self) -> &'static str {
        match names::around_closure(self.entry()) {
            Some(function) => function,
            None => self.creator_entry().unwrap_or("unknown"),
        }
    }

    #[inline]
    pub(crate) fn scope(&self) -> &'static ScopeInner {
        // SAFETY: only pointers from `&'static ScopeInner` are stored, before publication.
        unsafe { &*self.scope.load(Ordering::Relaxed) }
    }

    #[inline]
    pub(crate) fn home(&self) -> &'static ScopeInner {
        // SAFETY: only pointers from `&'static ScopeInner` are stored, before publication.
        unsafe { &*self.home.load(Ordering::Relaxed) }
    }

    pub(crate) fn set_home(&self, home: &'static ScopeInner) {
        self.home.store(ptr::from_ref(home).cast_mut(), Ordering::Relaxed);
    }

    /// The task's stack, as far as it has one.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        Place::from_bits(self.place.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_place(&self, place: Place) {
        self.place.store(place.bits(), Ordering::Relaxed);
    }

    /// Which life the record is in.
    pub(crate) fn life(&self) -> Life {
        // ORDERING: Acquire; pairs with the Release in fill().
        Life(self.flags.load(Ordering::Acquire) >> flag::BITS)
    }

    /// Sets flags of a task that may have ended: only in the life that is meant.
    pub(crate) fn set_in(&self, life: Life, bits: u32) {
        let _ = self.flags.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |flags| {
            (flags >> flag::BITS == life.0).then_some(flags | bits)
        });
    }

    pub(crate) fn set_scope(&self, scope: &'static ScopeInner) {
        self.scope.store(ptr::from_ref(scope).cast_mut(), Ordering::Relaxed);
    }

    /// The number of [`reason`](Self::reason), which costs no look at a table.
    #[inline]
    pub(crate) fn reason_number(&self) -> usize {
        self.reason.load(Ordering::Relaxed).into()
    }

    pub(crate) fn reason(&self) -> WaitReason {
        WaitReason::from_u8(self.reason.load(Ordering::Relaxed))
    }

    /// Where the task waits or blocks, or did last; `None` if it never did.
    pub(crate) fn site(&self) -> Option<&'static Location<'static>> {
        // SAFETY: null or from a `&'static Location`.
        unsafe { self.site.load(Ordering::Relaxed).as_ref() }
    }

    pub(crate) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & bits != 0
    }

    #[inline]
    pub(crate) fn set(&self, bits: u32) {
        self.flags.fetch_or(bits, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self, bits: u32) {
        self.flags.fetch_and(!bits, Ordering::Relaxed);
    }
}
