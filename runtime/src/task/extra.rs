//! What a minority of tasks carries: a name, labels, the stack that they were made on, spans.
//!
//! The spawner hands it over with the birth; with spans, a task may give itself one later. It
//! is freed at the task's end, which takes the pointer away under the registry's lock. So
//! observers copy it under that lock; the task's own thread needs none.

use super::record::Record;
use super::spans::{self, Spans};
use core::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[derive(Default, Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) name: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    /// The stack that it was made on, if that is kept (`lineage.rs`).
    pub(crate) stack: Option<Arc<[usize]>>,
    spans: Spans,
}

impl Record {
    #[inline]
    pub(crate) fn has_extra(&self) -> bool {
        !self.extra.load(Ordering::Relaxed).is_null()
    }

    /// Takes name and labels away. Only the task's end does it, under the
    /// registry's lock.
    pub(crate) fn take_extra(&self) -> Option<Box<Extra>> {
        let p = self.extra.swap(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: a non-null pointer came from Box::into_raw in fill() or enter_span(),
        // and the swap hands it out once.
        (!p.is_null()).then(|| unsafe { Box::from_raw(p) })
    }

    /// What the task carries, for its own thread only: the fault handler asks, and
    /// the interrupted code may hold the registry's lock.
    ///
    /// # Safety
    /// The task runs on the calling thread, or is interrupted there, and does not
    /// go on while this is in use.
    pub(crate) unsafe fn own_extra(&self) -> Option<&Extra> {
        let extra = self.extra.load(Ordering::Relaxed);
        // SAFETY: null, or from fill() before the task first ran, or from enter_span()
        // on the task itself. Only the task's own end frees it, after take_extra() made
        // the pointer null, and by contract the task does not come that far meanwhile.
        unsafe { extra.as_ref() }
    }

    /// The name of the task, for its own thread only.
    ///
    /// # Safety
    /// As [`own_extra`](Self::own_extra).
    pub(crate) unsafe fn own_name(&self) -> Option<&str> {
        // SAFETY: by contract.
        unsafe { self.own_extra() }.and_then(|extra| extra.name.as_deref())
    }

    /// Calls `f` with the name and the labels, for the task's own thread only, in a signal
    /// handler, say.
    ///
    /// # Safety
    /// As for [`own_name`](Self::own_name).
    pub(crate) unsafe fn own_labels(&self, mut f: impl FnMut(&str, &str)) {
        // SAFETY: by contract.
        let Some(extra) = (unsafe { self.own_extra() }) else { return };
        extra.name.iter().for_each(|name| f("name", name));
        extra.labels.iter().for_each(|(key, value)| f(key, value));
        // SAFETY: by contract.
        unsafe { extra.spans.text() }.into_iter().for_each(|text| f(spans::KEY, text));
    }

    /// The running task, outside of sections: it has entered the span of that number and
    /// text.
    #[cfg(feature = "tracing")]
    pub(crate) fn enter_span(&self, span: u64, text: Arc<String>) {
        if !self.has_extra() {
            let new = Box::into_raw(Box::default());
            // ORDERING: Release; pairs with the Acquire in clone_extra(). Only the running
            // task stores or takes it.
            self.extra.store(new, Ordering::Release);
        }
        // SAFETY: the running task, by contract.
        unsafe { self.own_extra() }.into_iter().for_each(|extra| {
            // SAFETY: as above.
            unsafe { extra.spans.enter(span, text.clone()) };
        });
    }

    /// The same for one that it leaves.
    #[cfg(feature = "tracing")]
    pub(crate) fn leave_span(&self, span: u64) {
        // SAFETY: the running task, by contract.
        if let Some(extra) = unsafe { self.own_extra() } {
            // SAFETY: as above.
            unsafe { extra.spans.leave(span) };
        }
    }

    /// Name and labels. The caller holds the registry's lock, so the end of the
    /// task cannot free them meanwhile.
    pub(crate) fn clone_extra(&self) -> Option<Extra> {
        // ORDERING: Acquire; pairs with the Release in fill() and enter_span().
        let p = self.extra.load(Ordering::Acquire);
        // SAFETY: non-null means that take_extra() did not run, and it cannot
        // run while the caller holds the registry's lock.
        let extra = unsafe { p.as_ref() }?;
        let mut copy = extra.clone();
        // SAFETY: the caller holds the registry's lock.
        if let Some(text) = unsafe { extra.spans.text() } {
            copy.labels.push((spans::KEY.to_owned(), text.to_owned()));
        }
        Some(copy)
    }
}
