//! Address space for stacks, reserved in steps.

use super::Stack;
use crate::sys::{lock::RawLock, mem};
use core::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes below every stack that fault. 64 KiB, because code compiled without
/// stack probes may step over a single page.
pub(crate) const GUARD: usize = 64 << 10;

/// Usable bytes of a stack: twice as much in debug builds, whose frames are
/// several times larger.
const USABLE: usize = if cfg!(debug_assertions) { 1 << 20 } else { 512 << 10 };

/// Slots of the first arena; each later one has twice as many, up to the last.
const FIRST_SLOTS: usize = 64;
const MOST_SLOTS: usize = 16 << 10;

/// Arenas that can exist: 2^7 × 64 slots while doubling, then 16 K each.
const MAX_ARENAS: usize = 4096;

pub(crate) const fn usable() -> usize {
    USABLE
}

const fn stride() -> usize {
    USABLE + GUARD
}

struct Bump {
    next: *mut u8,
    left: usize,
    slots: usize,
}

/// The part of the newest arena that no task has used yet.
struct Fresh {
    lock: RawLock,
    bump: UnsafeCell<Bump>,
}

// SAFETY: `bump` is touched only under `lock`.
unsafe impl Sync for Fresh {}

static FRESH: Fresh = Fresh {
    lock: RawLock::new(),
    bump: UnsafeCell::new(Bump { next: core::ptr::null_mut(), left: 0, slots: FIRST_SLOTS / 2 }),
};

/// First and last address of each arena, for the fault handler: written before
/// `COUNT` counts it, never changed after.
static BOUNDS: [(AtomicUsize, AtomicUsize); MAX_ARENAS] =
    [const { (AtomicUsize::new(0), AtomicUsize::new(0)) }; MAX_ARENAS];
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A slot that was never used, with its guard installed (K3).
pub(crate) fn fresh() -> io::Result<Stack> {
    let slot = FRESH.lock.with(|| {
        // SAFETY: under the lock that guards it.
        let bump = unsafe { &mut *FRESH.bump.get() };
        if bump.left == 0 {
            grow(bump)?;
        }
        bump.left -= 1;
        let slot = bump.next;
        bump.next = slot.wrapping_add(stride());
        io::Result::Ok(slot)
    })?;
    // SAFETY: the slot was handed out just now and to nobody else (K1).
    unsafe { mem::guard(slot, GUARD)? };
    Ok(Stack { top: slot.wrapping_add(stride()) })
}

fn grow(bump: &mut Bump) -> io::Result<()> {
    // ORDERING: Relaxed; only written here, under the lock.
    let n = COUNT.load(Ordering::Relaxed);
    if n == MAX_ARENAS {
        return Err(io::Error::other("gopark: all stack arenas are in use"));
    }
    let slots = (bump.slots * 2).min(MOST_SLOTS);
    let base = mem::reserve(slots * stride())?;
    let start = base as usize;
    BOUNDS[n].0.store(start, Ordering::Relaxed);
    BOUNDS[n].1.store(start + slots * stride(), Ordering::Relaxed);
    // ORDERING: Release; pairs with the Acquire in guard_hit(). Publishes the bounds.
    COUNT.store(n + 1, Ordering::Release);
    *bump = Bump { next: base, left: slots, slots };
    Ok(())
}

/// If `address` lies in the guard of a slot, that slot's stack.
/// Called by the fault handler: takes no lock.
pub(crate) fn guard_hit(address: usize) -> Option<Stack> {
    // ORDERING: Acquire; pairs with the Release in grow().
    let n = COUNT.load(Ordering::Acquire);
    for (start, end) in &BOUNDS[..n] {
        let (start, end) = (start.load(Ordering::Relaxed), end.load(Ordering::Relaxed));
        if (start..end).contains(&address) {
            let within = (address - start) % stride();
            let slot = address - within;
            return (within < GUARD)
                .then(|| Stack { top: core::ptr::with_exposed_provenance_mut(slot + stride()) });
        }
    }
    None
}
