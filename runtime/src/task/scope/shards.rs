//! Two sums, of births and of deaths, that processors add to without sharing a cache line
//! and without a read-modify-write.
//!
//! | shard | who writes |
//! |---|---|
//! | one for each processor, as far as there was one when this was made | who holds that processor |
//! | one for all others | anybody |

use crate::sys::atomic::{AtomicU64, Ordering};

pub(crate) struct Shards(Box<[Shard]>);

/// The births and deaths that one processor counted.
#[repr(align(128))]
struct Shard {
    born: AtomicU64,
    died: AtomicU64,
}

/// Adds one to a counter that only the caller writes.
#[inline]
fn bump(counter: &AtomicU64) {
    // ORDERING: Release; pairs with the Acquire in born() and died(): what happened
    // before the birth or death is visible to whoever counts it.
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
}

impl Shards {
    /// For so many processors.
    pub(crate) fn new(processors: usize) -> Shards {
        let shard = |_| Shard { born: AtomicU64::new(0), died: AtomicU64::new(0) };
        Shards((0..=processors).map(shard).collect())
    }

    /// The one that is shared.
    #[inline]
    fn others(&self) -> &Shard {
        &self.0[self.0.len() - 1]
    }

    #[inline]
    fn own(&self, processor: Option<u32>) -> Option<&Shard> {
        let n = processor? as usize;
        (n < self.0.len() - 1).then(|| &self.0[n])
    }

    /// Counts a birth on the processor, which the caller holds.
    #[inline]
    pub(crate) fn count_birth(&self, processor: Option<u32>) {
        match self.own(processor) {
            Some(shard) => bump(&shard.born),
            // ORDERING: Release; pairs with the Acquire in born().
            None => drop(self.others().born.fetch_add(1, Ordering::Release)),
        }
    }

    /// Counts a death on the processor, which the caller holds.
    #[inline]
    pub(crate) fn count_death(&self, processor: Option<u32>) {
        match self.own(processor) {
            Some(shard) => bump(&shard.died),
            // ORDERING: Release; pairs with the Acquire in died().
            None => drop(self.others().died.fetch_add(1, Ordering::Release)),
        }
    }

    pub(crate) fn born(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in bump() and count_birth().
        self.0.iter().map(|shard| shard.born.load(Ordering::Acquire)).sum()
    }

    /// To be asked before [`born`](Self::born): births that happened before a death that
    /// is counted here are in that sum.
    pub(crate) fn died(&self) -> u64 {
        // ORDERING: Acquire; pairs with the Release in bump() and count_death().
        self.0.iter().map(|shard| shard.died.load(Ordering::Acquire)).sum()
    }

    /// Begins again at 0. Nobody counts.
    #[cfg(not(loom))]
    pub(crate) fn reset(&self) {
        for shard in &self.0 {
            shard.born.store(0, Ordering::Relaxed);
            shard.died.store(0, Ordering::Relaxed);
        }
    }
}
