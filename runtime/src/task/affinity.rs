//! Which scopes share a primitive.
//!
//! A task of one test can be woken by a task of another only through something
//! that both use. Every primitive remembers the scope that used it last; when
//! another one comes, the newcomer notes the former as its partner. The
//! verifier follows partners in both directions and on to their partners.

use super::record::Record;
use std::sync::atomic::{AtomicU64, Ordering};

/// One per primitive: the number of the scope that used it last, 0 for none
/// (the root scope is not noted: it always counts).
pub(crate) struct Affinity(AtomicU64);

impl Affinity {
    pub(crate) const fn new() -> Self {
        Affinity(AtomicU64::new(0))
    }

    /// Notes that the running task or thread, which `record` is, uses the
    /// primitive. Not in a section: the note allocates (N1).
    #[inline]
    pub(crate) fn touch_by(&self, record: &Record) {
        if self.is_new_to(record) {
            self.note(record);
        }
    }

    /// Whether there is something to [note](Self::note).
    #[inline]
    pub(crate) fn is_new_to(&self, record: &Record) -> bool {
        let mine = record.scope().id().get();
        mine != self.0.load(Ordering::Relaxed) && mine != 0
    }

    #[cold]
    pub(crate) fn note(&self, record: &Record) {
        let mine = record.scope().id().get();
        // A swap, because there is no lock around this: of those who come at a
        // time each finds another one before it.
        let last = self.0.swap(mine, Ordering::Relaxed);
        if last != 0 && last != mine {
            record.scope().add_partner(last);
        }
    }
}
