//! Address space for stacks, reserved in steps.
//!
//! An arena holds slots of one class. The first of a class is small, each later
//! one twice as large, so that a program with ten tasks reserves little and one
//! with a million has few mappings. A refused reservation is tried again with
//! half as much, down to a single slot.
//!
//! # Guards
//! `MADV_GUARD_INSTALL` marks the pages of the guard in the page table: they
//! fault, and no mapping is split, so a million stacks are one mapping. It is
//! done when a slot is used for the first time, because it takes a page table,
//! which a slot that nobody uses should not cost.
//!
//! An older kernel has only `mprotect`, which makes two mappings of each slot,
//! and the kernel ends that at `vm.max_map_count`. There the guards are
//! installed when the arena is reserved, in small steps, because that is where
//! `go` can still return an error.

use super::class::Class;
use super::{Stack, refusal};
use crate::sys::lock::RawLock;
use crate::sys::mem;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Bytes below every stack that fault. 64 KiB, because code compiled without
/// stack probes may step over a single page.
pub(crate) const GUARD: usize = 64 << 10;

/// Bytes of the first arena of a class and of the last, if slots are smaller.
const FIRST: usize = 32 << 20;
const LARGEST: usize = 8 << 30;
/// Slots of an arena whose guards are mappings.
const MOST_MAPPED: usize = 256;

/// Arenas that can exist: 32 TiB, a quarter of the address space.
const MAX_ARENAS: usize = 4096;

pub(crate) fn stride(class: Class) -> usize {
    class.usable() + GUARD
}

/// First and last address of each arena: written before `COUNT` counts it,
/// never changed after, so that the fault handler reads it without a lock.
struct Bounds {
    start: AtomicUsize,
    end: AtomicUsize,
    class: AtomicU8,
}

static BOUNDS: [Bounds; MAX_ARENAS] = [const {
    Bounds { start: AtomicUsize::new(0), end: AtomicUsize::new(0), class: AtomicU8::new(0) }
}; MAX_ARENAS];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Held while an arena is added.
static ADDING: RawLock = RawLock::new();

/// Slots side by side that nobody has used yet.
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    next: *mut u8,
    left: usize,
}

impl Fresh {
    pub(crate) fn left(self) -> usize {
        self.left
    }

    /// Where the part begins that was never used.
    pub(crate) fn start(self) -> usize {
        self.next.addr()
    }

    /// The next slot; its guard is still to be installed, by [`guard`].
    pub(crate) fn take(&mut self, class: Class) -> Option<Stack> {
        self.left = self.left.checked_sub(1)?;
        self.next = self.next.wrapping_add(stride(class));
        Some(Stack { top: self.next, class })
    }
}

/// Reserves the arena number `nth` of a class.
pub(crate) fn reserve(class: Class, nth: usize) -> io::Result<Fresh> {
    let stride = stride(class);
    let bytes = FIRST.saturating_mul(1 << nth.min(32)).min(LARGEST);
    let mut slots = (bytes / stride).max(1);
    if !mem::has_guard_pages() {
        slots = slots.min(MOST_MAPPED);
    }
    loop {
        match mem::reserve(slots * stride) {
            Ok(base) => return add(class, base, slots),
            Err(_) if slots > 1 => slots /= 2,
            Err(error) => return Err(refusal::of_reservation(stride, &error)),
        }
    }
}

fn add(class: Class, base: *mut u8, mut slots: usize) -> io::Result<Fresh> {
    if !mem::has_guard_pages() {
        let guarded = guard_all(class, base, slots);
        let kept = *guarded.as_ref().unwrap_or(&0);
        // SAFETY: the range was reserved by the caller and nobody knows it (K1).
        unsafe {
            mem::release(base.wrapping_add(kept * stride(class)), (slots - kept) * stride(class));
        }
        slots = guarded?;
    }
    let start = base.expose_provenance();
    let added = ADDING.with(|| {
        // ORDERING: Relaxed; only written here, under the lock.
        let n = COUNT.load(Ordering::Relaxed);
        let bounds = BOUNDS.get(n)?;
        bounds.start.store(start, Ordering::Relaxed);
        bounds.end.store(start + slots * stride(class), Ordering::Relaxed);
        bounds.class.store(class.index() as u8, Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire in each(). Publishes the bounds.
        COUNT.store(n + 1, Ordering::Release);
        Some(Fresh { next: base, left: slots })
    });
    added.ok_or_else(|| io::Error::other("gopark: all 4096 arenas of stacks are in use"))
}

/// Guards that are mappings: all at once, as far as the system goes along.
fn guard_all(class: Class, base: *mut u8, slots: usize) -> io::Result<usize> {
    for n in 0..slots {
        // SAFETY: the range was reserved by the caller and nobody knows it (K1).
        let guard = || unsafe { mem::guard(base.wrapping_add(n * stride(class)), GUARD) };
        match refusal::room_for_mappings(2).and_then(|()| guard()) {
            Ok(()) => refusal::count_mappings(2),
            Err(error) if n == 0 => return Err(refusal::of_guard(&error)),
            Err(_) => return Ok(n),
        }
    }
    Ok(slots)
}

/// Installs the guard of a slot that is used for the first time (K3).
pub(crate) fn guard(stack: Stack) {
    if !mem::has_guard_pages() {
        return;
    }
    let lowest = stack.base().wrapping_sub(GUARD);
    // SAFETY: the slot was handed out just now and to nobody else (K1).
    if let Err(error) = unsafe { mem::guard(lowest, GUARD) } {
        crate::sys::fatal(format_args!("{}", refusal::of_guard(&error)));
    }
}

/// Every arena: first address, one past the last, class. Takes no lock.
pub(crate) fn each() -> impl Iterator<Item = (usize, usize, Class)> {
    // ORDERING: Acquire; pairs with the Release in add().
    let n = COUNT.load(Ordering::Acquire);
    BOUNDS[..n].iter().map(|bounds| {
        (
            bounds.start.load(Ordering::Relaxed),
            bounds.end.load(Ordering::Relaxed),
            Class::of_index(bounds.class.load(Ordering::Relaxed).into()),
        )
    })
}

/// The slot that contains the address, its guard included. Called by the fault
/// handler: takes no lock.
pub(crate) fn find(address: usize) -> Option<Stack> {
    let (start, _, class) = each().find(|(start, end, _)| (*start..*end).contains(&address))?;
    let slot = address - (address - start) % stride(class);
    Some(Stack { top: ptr::with_exposed_provenance_mut(slot + stride(class)), class })
}

/// If the address lies in the guard of a slot, that slot's stack.
pub(crate) fn guard_hit(address: usize) -> Option<Stack> {
    find(address).filter(|stack| address < stack.base().addr())
}
