//! The spans of `tracing` that a task has entered: what it carries of them.
//!
//! The task itself enters and leaves; observers read the text of the innermost one, under
//! the registry's lock. The task takes no lock for it: it publishes a pointer, and keeps
//! what was published before until it has had the lock once, which is so every
//! [`RETIRED`]th time. Whoever has read the pointer has let go of the text by then.
//!
//! - **Z1** `entered` and `retired` belong to the task, on its own thread.
//! - **Z2** `text` is null, or points into an `Arc` that is in `entered` or `retired`.
//!   Observers follow it under the registry's lock only, and `retired` is emptied under that
//!   lock; so does the task's own thread, in a signal handler too, which finds what was
//!   published last or before.

use super::registry;
use core::cell::UnsafeCell;
use core::ptr;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The label's key.
pub(crate) const KEY: &str = "span";

/// Texts that are kept without need.
const RETIRED: usize = 64;

/// Of one task.
#[derive(Default)]
pub(crate) struct Spans {
    text: AtomicPtr<String>,
    own: UnsafeCell<Own>,
}

#[derive(Default)]
struct Own {
    /// The innermost last.
    entered: Vec<(u64, Arc<String>)>,
    retired: Vec<Arc<String>>,
}

// SAFETY: `own` is the task's (Z1); the rest is atomic.
unsafe impl Sync for Spans {}

impl Spans {
    /// The running task has entered the span that has this number and text.
    ///
    /// # Safety
    /// They are the running task's, which is not in a section.
    pub(super) unsafe fn enter(&self, span: u64, text: Arc<String>) {
        // SAFETY: Z1, by contract; nothing below comes back here.
        let own = unsafe { &mut *self.own.get() };
        own.entered.push((span, text));
        self.publish(own);
    }

    /// It has left it; or another has, and this one knows nothing of it.
    ///
    /// # Safety
    /// As for [`enter`](Self::enter).
    pub(super) unsafe fn leave(&self, span: u64) {
        // SAFETY: Z1, by contract; nothing below comes back here.
        let own = unsafe { &mut *self.own.get() };
        let Some(n) = own.entered.iter().rposition(|(number, _)| *number == span) else { return };
        // Kept before it is taken away: a handler may look at any time.
        own.retired.push(own.entered[n].1.clone());
        self.publish_without(own, n);
        drop(own.entered.remove(n));
        if own.retired.len() >= RETIRED {
            let retired = registry::with_lock(|| core::mem::take(&mut own.retired));
            drop(retired);
        }
    }

    fn publish(&self, own: &Own) {
        self.publish_without(own, usize::MAX);
    }

    fn publish_without(&self, own: &Own, n: usize) {
        let last = own.entered.iter().enumerate().rfind(|(at, _)| *at != n);
        let text = last.map_or(ptr::null(), |(_, (_, text))| Arc::as_ptr(text));
        // ORDERING: Release; pairs with the Acquire in text(): the text is whole.
        self.text.store(text.cast_mut(), Ordering::Release);
    }

    /// The text of the innermost span.
    ///
    /// # Safety
    /// The caller holds the registry's lock, or is the task's own thread, and does not keep
    /// the text for longer.
    pub(super) unsafe fn text(&self) -> Option<&str> {
        // ORDERING: Acquire; pairs with the Release in publish_without().
        let text = self.text.load(Ordering::Acquire);
        // SAFETY: Z2.
        unsafe { text.as_ref() }.map(String::as_str)
    }
}

/// A task's are its own: a clone has none.
impl Clone for Spans {
    fn clone(&self) -> Spans {
        Spans::default()
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spans")
    }
}
