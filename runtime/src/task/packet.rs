//! A task's closure, then its result: in the record itself if they are small,
//! else in a box that the record points to.
//!
//! - **P1** The body holds the closure from `put` until `run` takes it, then
//!   nothing, then the outcome until somebody takes or disposes of that.
//!   While it holds nothing, its last word is the running task's own.
//! - **P2** Who may touch the body: the spawner, then the task, then whoever
//!   the join word appoints (J1).

use super::record::{Meta, Record, flag};
use super::scope::{ScopeId, ScopeInner, UnseenPanic};
use crate::inspect::Trace;
use core::any::Any;
use core::cell::UnsafeCell;
use core::mem::{ManuallyDrop, MaybeUninit, needs_drop};
use core::ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a task ended without a value.
pub(crate) enum Ended {
    Panicked(Box<Panic>),
    Reaped,
    Exited,
}

/// A panic on its way to `join`.
pub(crate) struct Panic {
    pub(crate) payload: Box<dyn Any + Send>,
    scope: &'static ScopeInner,
    scope_id: ScopeId,
    seen: UnseenPanic,
}

impl Panic {
    /// Nobody joined: the scope keeps the panic for its check.
    fn report_unseen(self) {
        // A scope that was used again meanwhile has another number.
        if self.scope.id() == self.scope_id {
            self.scope.add_panic(self.seen);
        }
    }
}

pub(crate) type Outcome<T> = Result<T, Ended>;

/// Unwinds a task that the reaper has marked.
pub(crate) struct ReapToken;
/// Unwinds a task that called `goexit`.
pub(crate) struct ExitToken;

/// Room for small bodies: what is left of the record's third cache line.
pub(crate) struct Body(UnsafeCell<MaybeUninit<[usize; 5]>>);

#[repr(C)]
union Content<F, T> {
    closure: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<T>>,
}

/// Where a content of these types lies.
struct Place<F, T>(core::marker::PhantomData<Content<F, T>>);

impl<F, T> Place<F, T> {
    const INLINE: bool = size_of::<Content<F, T>>() <= size_of::<Body>()
        && align_of::<Content<F, T>>() <= align_of::<Body>();

    fn of(body: &Body) -> *mut Content<F, T> {
        let inline = body.0.get().cast::<Content<F, T>>();
        if Self::INLINE {
            inline
        } else {
            // SAFETY: P1: put() stored the box's pointer there.
            unsafe { inline.cast::<*mut Content<F, T>>().read() }
        }
    }

    /// Frees the box; its content is gone.
    fn free(body: &Body) {
        if !Self::INLINE {
            // SAFETY: put() made the pointer from a box of this type; the
            // outcome was taken, so this is the last use of the body (P1).
            drop(unsafe { Box::from_raw(Self::of(body)) });
        }
    }
}

impl Body {
    pub(crate) const fn new() -> Body {
        Body(UnsafeCell::new(MaybeUninit::new([0; 5])))
    }

    fn last_word(&self) -> *mut *const () {
        self.0.get().cast::<*const ()>().wrapping_add(4)
    }

    /// What [`set_local`](Self::set_local) was told last.
    pub(crate) fn local(&self) -> *const () {
        // SAFETY: initialised by new(), and later by whatever was put in; who asks
        // has set it before.
        unsafe { self.last_word().read() }
    }

    /// Keeps a pointer for the running task.
    ///
    /// # Safety
    /// The caller is that task, in its function, or an adopted thread, whose body
    /// is never used (P1).
    pub(crate) unsafe fn set_local(&self, pointer: *const ()) {
        // SAFETY: by contract there is nothing in the word: a content that is
        // inside has been taken out, and one in a box has its pointer in the first.
        unsafe { self.last_word().write(pointer) };
    }

    /// Puts a closure in and says what describes it: it runs an `As`, the program's closure,
    /// which a function of ours may have put into one of its own.
    ///
    /// # Safety
    /// The caller owns the record, and its former body is gone. What `f` borrows lasts
    /// until it has ended, or was dropped.
    #[inline]
    pub(crate) unsafe fn put<As, F, T>(&self, f: F) -> &'static Meta
    where
        F: FnOnce() -> T + Send,
        T: Send + 'static,
    {
        let content = Content::<F, T> { closure: ManuallyDrop::new(f) };
        let inline = self.0.get();
        // SAFETY: the body is ours and empty; the types fit, or the pointer does.
        unsafe {
            if Place::<F, T>::INLINE {
                inline.cast::<Content<F, T>>().write(content);
            } else {
                inline.cast::<*mut Content<F, T>>().write(Box::into_raw(Box::new(content)));
            }
        }
        const {
            &Meta {
                entry: core::any::type_name::<As>,
                run: run::<F, T>,
                dispose: dispose::<F, T>,
                take: take::<F, T>,
            }
        }
    }
}

/// Runs the closure on the task's stack and stores its outcome. Returns whether
/// the outcome must be disposed of if nobody wants it.
fn run<F, T>(record: &'static Record) -> bool
where
    F: FnOnce() -> T,
{
    let place = Place::<F, T>::of(&record.body);
    // SAFETY: P1, P2: the task runs once and owns the body now.
    let closure = unsafe { ManuallyDrop::take(&mut (*place).closure) };
    let marked = record.has(flag::REAP);
    let result = catch_unwind(AssertUnwindSafe(|| {
        if marked {
            // It has not begun: only the captured values are dropped. Where the reaper
            // came first, by an unwind, during which calls in destructors do not end
            // the task; where it is discarded, they are calls of who discards it.
            let _captured = closure;
            if super::running().is_some_and(|task| ptr::eq(task.record(), record)) {
                super::reap::unwind(record);
            }
            None
        } else {
            Some(__rust_begin_short_backtrace(closure))
        }
    }));
    let outcome = match result {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Ended::Reaped),
        Err(payload) => Err(classify(payload, record)),
    };
    let care =
        needs_drop::<T>() || !Place::<F, T>::INLINE || matches!(outcome, Err(Ended::Panicked(_)));
    // SAFETY: P1: the body is empty, and still the task's.
    unsafe { (*place).outcome = ManuallyDrop::new(outcome) };
    care
}

/// Calls a task's function. Backtraces end here, std's of a panic and those of
/// an overflow: they know the frame by this name, and everything behind it is
/// the same in every task.
#[inline(never)]
fn __rust_begin_short_backtrace<F, T>(f: F) -> T
where
    F: FnOnce() -> T,
{
    let value = f();
    // Not a tail call: the frame stays.
    core::hint::black_box(());
    value
}

/// Disposes of the outcome of the running task. Its destructor is user code:
/// what it throws goes where a panic of the task would go.
pub(crate) fn dispose_here(record: &'static Record) {
    // SAFETY: the caller is the task, whom J1 appoints.
    let disposed = catch_unwind(AssertUnwindSafe(|| unsafe { (record.meta().dispose)(record) }));
    if let Err(payload) = disposed
        && let Ended::Panicked(panic) = classify(payload, record)
    {
        panic.report_unseen();
    }
}

#[cold]
fn classify(payload: Box<dyn Any + Send>, record: &'static Record) -> Ended {
    if payload.is::<ReapToken>() {
        return Ended::Reaped;
    }
    if payload.is::<ExitToken>() {
        return Ended::Exited;
    }
    let message = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic whose payload is not text".to_owned());
    let extra = super::registry::with_lock(|| record.clone_extra()).unwrap_or_default();
    let seen = UnseenPanic {
        task: record.id(),
        parent: record.parent(),
        name: extra.name,
        message,
        creation_stack: extra.stack.as_deref().map(Trace::of_birth),
        created_at: record.created_at(),
        entry: record.entry(),
    };
    let scope = record.home();
    Ended::Panicked(Box::new(Panic { payload, scope, scope_id: scope.id(), seen }))
}

/// Takes the outcome out, to `into`, a place for an `Outcome<T>`.
///
/// # Safety
/// J1 appoints the caller, or it is the joiner; `into` is such a place.
unsafe fn take<F, T>(record: &'static Record, into: *mut ()) {
    let place = Place::<F, T>::of(&record.body);
    // SAFETY: P1: the body holds the outcome, and by contract it is the caller's.
    unsafe {
        let outcome = ManuallyDrop::take(&mut (*place).outcome);
        into.cast::<Outcome<T>>().write(outcome);
    }
    // Before anything of the outcome is dropped, which may unwind.
    Place::<F, T>::free(&record.body);
}

/// Drops an outcome that nobody asked for, running user code.
///
/// # Safety
/// J1 appoints the caller.
unsafe fn dispose<F, T>(record: &'static Record) {
    let mut outcome = MaybeUninit::<Outcome<T>>::uninit();
    // SAFETY: by contract; take() initialises the outcome.
    let outcome = unsafe {
        take::<F, T>(record, outcome.as_mut_ptr().cast());
        outcome.assume_init()
    };
    if let Err(Ended::Panicked(panic)) = outcome {
        panic.report_unseen();
    }
}

/// Takes the outcome of a task that is done.
///
/// # Safety
/// The caller is the joiner, and `T` is the type of the task's result.
pub(crate) unsafe fn take_outcome<T>(record: &'static Record) -> Outcome<T> {
    let mut outcome = MaybeUninit::<Outcome<T>>::uninit();
    // SAFETY: by contract; take() initialises the outcome.
    unsafe {
        (record.meta().take)(record, outcome.as_mut_ptr().cast());
        outcome.assume_init()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Place;
    use crate::chan;

    fn is_inline<F: FnOnce() -> T, T>(_: F) -> bool {
        Place::<F, T>::INLINE
    }

    #[test]
    fn a_closure_with_two_handles_and_a_word_stands_in_the_record() {
        let (tx, rx) = chan::rendezvous::<usize>();
        let word = 7;
        assert!(is_inline(move || rx.recv().is_ok_and(|n| tx.send(n + word).is_ok())));
    }
}
