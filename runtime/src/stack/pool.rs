//! Slots without a task: per processor, global, given back to the kernel.
//!
//! ```text
//!   a task ends            the list is long              unused for a second
//!  ─────────────▶ LOCAL ───────────────────▶ GLOBAL ────────────────────────▶ COLD
//!                (warm)                      (warm)      (`trim.rs`: its pages
//!  ◀─────────────      ◀───────────────────              are given back)
//!   a task starts          the list is empty     ◀── then COLD, then FRESH
//! ```
//!
//! A stack that was just left is the next one used on its processor: in the
//! cache, with its pages, without a system call and without an atomic. What a
//! processor has too much of goes to the global list of its class, in batches.
//!
//! A free slot holds the link to the next one in its topmost word, which is in
//! a page that the next user touches anyway. Cold slots are numbers in a vector,
//! so that listing them touches nothing.
//!
//! # Who was counted finds a slot (K4)
//! *Permits* are slots that no task was promised. `go` takes one, the end of a
//! task brings one. A processor keeps permits as it keeps stacks; what is not
//! with a processor is global. With `T` slots in all, `U` of them in use, `N`
//! tasks counted and not started, `Sᵢ` stacks and `Hᵢ` permits with processor
//! `i`, and `G` stacks and `g` permits global:
//!
//! ```text
//!   T = U + ΣSᵢ + G         every slot is somewhere
//!   T = U + N + ΣHᵢ + g     every slot is promised or a permit
//!   G = N + Σ(Hᵢ − Sᵢ) + g
//! ```
//!
//! A processor never has more stacks than permits: stacks come to it with as
//! many permits, and it asks the global pool before it gives away a permit that
//! one of its stacks needs. So `Hᵢ − Sᵢ`, which is all that it has to write down
//! (`spare`), is not negative, `G ≥ N`, and a task that starts finds a stack in
//! the global pool whatever the other processors keep.
#![expect(clippy::disallowed_types, reason = "stacks are made outside of sections")]

use super::arena::{self, Fresh};
use super::class::Class;
use super::{Stack, adapt, exact};
use crate::sys::lock::RawLock;
use crate::sys::section;
use core::cell::UnsafeCell;
use core::{mem, ptr};
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stacks that a processor keeps for itself, by class. Go: 64 dead goroutines.
const KEEP: [u32; Class::COUNT] = [64, 64, 64, 64, 4, 1, 1];

/// What moves between a processor and the global pool at once.
const fn batch(class: Class) -> u32 {
    KEEP[class.index()].div_ceil(2)
}

/// Free stacks of one class, linked through their topmost words.
#[derive(Clone, Copy)]
struct List {
    head: *mut u8,
    len: usize,
}

/// In a link: the slot's pages were cut to what is worth keeping. Tops are
/// page-aligned, so the bit is free.
const CUT: usize = 1;

impl List {
    const EMPTY: List = List { head: ptr::null_mut(), len: 0 };

    fn push(&mut self, stack: Stack, cut: bool) {
        let link = self.head.map_addr(|head| head | if cut { CUT } else { 0 });
        // SAFETY: the list owns the slot now (K1); its topmost word is writable.
        unsafe { stack.chain().write(link) };
        self.head = stack.top();
        self.len += 1;
    }

    /// The newest, and whether it was cut.
    fn pop(&mut self, class: Class) -> Option<(Stack, bool)> {
        if self.head.is_null() {
            return None;
        }
        let stack = Stack { top: self.head, class };
        // SAFETY: the slot is in the list, so its topmost word is the link.
        let link = unsafe { stack.chain().read() };
        self.head = link.map_addr(|link| link & !CUT);
        self.len -= 1;
        Some((stack, link.addr() & CUT != 0))
    }
}

/// What a processor has of one class. Only its holder writes; observers read.
struct Shelf {
    head: AtomicPtr<u8>,
    len: AtomicU32,
    /// Permits beyond one for each stack of the list.
    spare: AtomicU32,
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf {
            head: AtomicPtr::new(ptr::null_mut()),
            len: AtomicU32::new(0),
            spare: AtomicU32::new(0),
        }
    }

    #[inline]
    fn list(&self) -> List {
        List {
            head: self.head.load(Ordering::Relaxed),
            len: self.len.load(Ordering::Relaxed) as usize,
        }
    }

    #[inline]
    fn set(&self, list: List) {
        self.head.store(list.head, Ordering::Relaxed);
        self.len.store(list.len as u32, Ordering::Relaxed);
    }
}

/// The stacks of one processor; its holder uses it.
pub(crate) struct Local {
    shelves: [Shelf; Class::COUNT],
    probe: adapt::Probe,
    /// Calls of `grow` so far.
    growths: AtomicU64,
    /// Those that began here less those that ended here.
    segments: AtomicU64,
}

impl Local {
    pub(crate) const fn new() -> Self {
        Local {
            shelves: [const { Shelf::new() }; Class::COUNT],
            probe: adapt::Probe::new(),
            growths: AtomicU64::new(0),
            segments: AtomicU64::new(0),
        }
    }

    /// Counts a task that will need a stack. `None`: [`grow`] first.
    #[inline]
    pub(crate) fn count(&self, class: Class) -> Option<()> {
        let spare = &self.shelves[class.index()].spare;
        let left = match spare.load(Ordering::Relaxed) {
            0 => POOLS[class.index()].permits(batch(class))?,
            some => some,
        };
        spare.store(left - 1, Ordering::Relaxed);
        Some(())
    }

    /// The task that was counted will not start after all.
    pub(crate) fn uncount(&self, class: Class) {
        let spare = &self.shelves[class.index()].spare;
        spare.store(spare.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// A stack for a task that was counted and starts.
    #[inline]
    pub(crate) fn take(&self, class: Class) -> Stack {
        let shelf = &self.shelves[class.index()];
        let mut list = shelf.list();
        let Some((stack, _)) = list.pop(class) else { return self.refill(class) };
        shelf.set(list);
        // Its permit was given to the task when that was counted, perhaps by
        // another processor; the one that lay here for it is free now.
        shelf.spare.store(shelf.spare.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.probe.taken(stack);
        exact::handed_out(stack);
        stack
    }

    /// A stack for other ends than a task. One that lies here brings the permit
    /// that lies here for it. It is no probe: what is put on a segment says
    /// nothing of tasks. `None`: [`grow`] first.
    #[inline]
    fn borrow(&self, class: Class) -> Option<Stack> {
        let shelf = &self.shelves[class.index()];
        let mut list = shelf.list();
        let Some((stack, _)) = list.pop(class) else {
            self.count(class)?;
            return Some(self.take(class));
        };
        shelf.set(list);
        exact::handed_out(stack);
        Some(stack)
    }

    #[cold]
    fn refill(&self, class: Class) -> Stack {
        let shelf = &self.shelves[class.index()];
        let spare = shelf.spare.load(Ordering::Relaxed);
        // Each stack that stays here needs a permit.
        let (stack, list) = POOLS[class.index()].stacks(class, spare.min(batch(class) - 1));
        shelf.spare.store(spare - list.len as u32, Ordering::Relaxed);
        shelf.set(list);
        self.probe.taken(stack);
        exact::handed_out(stack);
        stack
    }

    /// Takes back the stack of a task that ended, and its permit.
    #[inline]
    pub(crate) fn put(&self, stack: Stack) {
        self.probe.left(stack);
        let class = stack.class();
        let shelf = &self.shelves[class.index()];
        let mut list = shelf.list();
        list.push(stack, false);
        if list.len as u32 > KEEP[class.index()]
            || shelf.spare.load(Ordering::Relaxed) > 2 * KEEP[class.index()]
        {
            self.spill(class, &mut list);
        }
        shelf.set(list);
    }

    #[cold]
    fn spill(&self, class: Class, list: &mut List) {
        let spare = &self.shelves[class.index()].spare;
        let mut more = 0;
        if spare.load(Ordering::Relaxed) > 2 * KEEP[class.index()] {
            more = batch(class);
            spare.store(spare.load(Ordering::Relaxed) - more, Ordering::Relaxed);
        }
        let keep = (list.len as u32).min(KEEP[class.index()] - batch(class) + 1);
        POOLS[class.index()].take_back(class, list, keep, more);
    }

    /// Gives all but the newest `keep` stacks of each class to the global pool,
    /// and all spare permits. The caller holds the processor, or nobody does.
    pub(crate) fn flush(&self, keep: u32) {
        for class in Class::all() {
            let shelf = &self.shelves[class.index()];
            let mut list = shelf.list();
            let spare = shelf.spare.swap(0, Ordering::Relaxed);
            if list.len > keep as usize || spare > 0 {
                POOLS[class.index()].take_back(class, &mut list, keep, spare);
                shelf.set(list);
            }
        }
    }

    #[inline]
    pub(super) fn segment_began(&self) {
        self.growths.store(self.growths.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let segments = self.segments.load(Ordering::Relaxed).wrapping_add(1);
        self.segments.store(segments, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn segment_ended(&self) {
        let segments = self.segments.load(Ordering::Relaxed).wrapping_sub(1);
        self.segments.store(segments, Ordering::Relaxed);
    }

    pub(super) fn growths(&self) -> (u64, u64) {
        (self.growths.load(Ordering::Relaxed), self.segments.load(Ordering::Relaxed))
    }

    /// Stacks and permits of the class.
    pub(super) fn counts(&self, class: Class) -> (usize, usize) {
        let shelf = &self.shelves[class.index()];
        let stacks = shelf.len.load(Ordering::Relaxed);
        (stacks as usize, (stacks + shelf.spare.load(Ordering::Relaxed)) as usize)
    }
}

/// The two vectors have room for all that can ever be in them: every slot, every
/// arena.
struct Shared {
    /// Slots in all.
    slots: usize,
    arenas: usize,
    permits: usize,
    warm: List,
    /// The fewest warm stacks since the last [`Pool::end_period`].
    fewest: usize,
    cold: Vec<*mut u8>,
    /// Arenas with slots that were never used, the oldest first.
    fresh: Vec<Fresh>,
}

/// The global part of one class.
pub(super) struct Pool {
    lock: RawLock,
    /// Held while an arena is added; not by who is in a section (N1).
    growing: Mutex<()>,
    shared: UnsafeCell<Shared>,
}

// SAFETY: `shared` is touched only under `lock`; the pointers in it are slots
// that it owns (K1).
unsafe impl Sync for Pool {}

pub(super) static POOLS: [Pool; Class::COUNT] = [const { Pool::new() }; Class::COUNT];

/// What a pool has, for observers.
pub(super) struct Counts {
    pub(super) slots: usize,
    pub(super) permits: usize,
    pub(super) warm: usize,
    pub(super) cold: usize,
    pub(super) fresh: Vec<Fresh>,
}

impl Pool {
    const fn new() -> Pool {
        Pool {
            lock: RawLock::new(),
            growing: Mutex::new(()),
            shared: UnsafeCell::new(Shared {
                slots: 0,
                arenas: 0,
                permits: 0,
                warm: List::EMPTY,
                fewest: 0,
                cold: Vec::new(),
                fresh: Vec::new(),
            }),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Shared) -> R) -> R {
        // SAFETY: under the lock that guards it.
        self.lock.with(|| f(unsafe { &mut *self.shared.get() }))
    }

    /// Up to `most` permits, at least one.
    #[cold]
    fn permits(&self, most: u32) -> Option<u32> {
        self.with(|shared| {
            let taken = shared.permits.min(most as usize);
            shared.permits -= taken;
            (taken != 0).then_some(taken as u32)
        })
    }

    /// A stack for a task that was counted, and up to `more` warm ones.
    fn stacks(&self, class: Class, more: u32) -> (Stack, List) {
        let (stack, fresh, list) = self.with(|shared| {
            let (stack, fresh) = shared.take(class);
            let mut list = List::EMPTY;
            while list.len < more as usize {
                let Some((stack, cut)) = shared.warm.pop(class) else { break };
                list.push(stack, cut);
            }
            shared.fewest = shared.fewest.min(shared.warm.len);
            (stack, fresh, list)
        });
        if fresh {
            arena::guard(stack);
        }
        (stack, list)
    }

    /// A permit and a stack for it.
    fn borrow(&self, class: Class) -> Option<Stack> {
        let (stack, fresh) = self.with(|shared| {
            shared.permits = shared.permits.checked_sub(1)?;
            let taken = shared.take(class);
            shared.fewest = shared.fewest.min(shared.warm.len);
            Some(taken)
        })?;
        if fresh {
            arena::guard(stack);
        }
        exact::handed_out(stack);
        Some(stack)
    }

    /// Reserves one more arena, unless there are permits again. Not in a section.
    #[cold]
    fn grow(&self, class: Class) -> io::Result<()> {
        section::check_outside();
        // One arena is enough for all who find nothing at a time.
        let _turn = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let (permits, arenas, slots) = self.with(|s| (s.permits, s.arenas, s.slots));
        if permits != 0 {
            return Ok(());
        }
        let arena = arena::reserve(class, arenas)?;
        // Room for every slot and every arena, so that nothing is allocated under
        // the lock.
        let mut cold = Vec::with_capacity(slots + arena.left());
        let mut fresh = Vec::with_capacity(arenas + 1);
        self.with(|shared| {
            cold.append(&mut shared.cold);
            fresh.append(&mut shared.fresh);
            fresh.push(arena);
            mem::swap(&mut cold, &mut shared.cold);
            mem::swap(&mut fresh, &mut shared.fresh);
            shared.arenas += 1;
            shared.slots += arena.left();
            shared.permits += arena.left();
        });
        Ok(())
    }

    /// Takes stacks of `list` until `keep` are left, with their permits, and
    /// `more` permits.
    fn take_back(&self, class: Class, list: &mut List, keep: u32, more: u32) {
        self.with(|shared| {
            shared.permits += more as usize;
            while list.len > keep as usize {
                let Some((stack, cut)) = list.pop(class) else { break };
                shared.warm.push(stack, cut);
                shared.permits += 1;
            }
        });
    }

    /// Starts a new period of observation; how many warm stacks were never
    /// needed in the last one.
    pub(super) fn end_period(&self) -> usize {
        self.with(|shared| core::mem::replace(&mut shared.fewest, shared.warm.len))
    }

    /// Takes warm stacks out to be given back, at most as many as permits are
    /// there, which go with them (K4).
    pub(super) fn take_warm(&self, class: Class, most: usize, into: &mut Vec<Stack>) {
        self.with(|shared| {
            while into.len() < most && shared.permits > 0 {
                let Some((stack, _)) = shared.warm.pop(class) else { break };
                shared.permits -= 1;
                into.push(stack);
            }
            shared.fewest = shared.fewest.min(shared.warm.len);
        });
    }

    /// Brings them back without pages.
    pub(super) fn put_cold(&self, stacks: &[Stack]) {
        self.with(|shared| {
            shared.permits += stacks.len();
            shared.cold.extend(stacks.iter().map(|stack| stack.top()));
        });
    }

    /// Takes warm stacks out that lie on top of those that were cut, as
    /// [`take_warm`](Self::take_warm) does.
    pub(super) fn take_uncut(&self, class: Class, most: usize, into: &mut Vec<Stack>) {
        self.with(|shared| {
            while into.len() < most && shared.permits > 0 {
                match shared.warm.pop(class) {
                    Some((stack, false)) => into.push(stack),
                    Some((stack, true)) => return shared.warm.push(stack, true),
                    None => return,
                }
                shared.permits -= 1;
            }
        });
    }

    /// Brings them back cut.
    pub(super) fn put_cut(&self, stacks: &[Stack]) {
        self.with(|shared| {
            shared.permits += stacks.len();
            stacks.iter().for_each(|stack| shared.warm.push(*stack, true));
        });
    }

    /// Whether there are warm stacks.
    pub(super) fn is_warm(&self) -> bool {
        self.with(|shared| shared.warm.len != 0)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut room = Vec::new();
        loop {
            let arenas = self.with(|shared| shared.arenas);
            room.reserve(arenas);
            let counts = self.with(|shared| {
                if shared.fresh.len() > room.capacity() {
                    return None;
                }
                room.extend_from_slice(&shared.fresh);
                Some(Counts {
                    slots: shared.slots,
                    permits: shared.permits,
                    warm: shared.warm.len,
                    cold: shared.cold.len(),
                    fresh: mem::take(&mut room),
                })
            });
            if let Some(counts) = counts {
                return counts;
            }
        }
    }
}

impl Shared {
    /// Any stack, the warmest first, and whether its guard is still missing.
    fn take(&mut self, class: Class) -> (Stack, bool) {
        if let Some((stack, _)) = self.warm.pop(class) {
            return (stack, false);
        }
        if let Some(top) = self.cold.pop() {
            return (Stack { top, class }, false);
        }
        while let Some(oldest) = self.fresh.first_mut() {
            if let Some(stack) = oldest.take(class) {
                return (stack, true);
            }
            self.fresh.remove(0);
        }
        crate::sys::fatal(format_args!("a task was counted, but there is no stack for it"))
    }
}

/// Makes more stacks of the class, unless there are some by now that nobody was
/// promised. Not in a section (N1).
///
/// # Errors
/// If the system refuses the address space for it.
#[cold]
pub(crate) fn grow(class: Class) -> io::Result<()> {
    POOLS[class.index()].grow(class)
}

/// [`Local::count`] for those without a processor.
pub(crate) fn count(class: Class) -> Option<()> {
    POOLS[class.index()].permits(1).map(drop)
}

/// [`Local::uncount`] for those without a processor.
pub(crate) fn uncount(class: Class) {
    let mut none = List::EMPTY;
    POOLS[class.index()].take_back(class, &mut none, 0, 1);
}

/// A stack for other ends than a task. `local` is that of the caller's processor.
/// `None`: [`grow`] first.
#[inline]
pub(crate) fn borrow(local: Option<&Local>, class: Class) -> Option<Stack> {
    match local {
        Some(local) => local.borrow(class),
        None => POOLS[class.index()].borrow(class),
    }
}

/// Ends [`borrow`].
#[inline]
pub(crate) fn give_back(local: Option<&Local>, stack: Stack) {
    match local {
        Some(local) => local.put(stack),
        None => {
            let mut one = List::EMPTY;
            one.push(stack, false);
            POOLS[stack.class().index()].take_back(stack.class(), &mut one, 0, 0);
        }
    }
}
