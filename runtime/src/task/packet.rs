//! One allocation per task: its closure, then its result.
//!
//! ```text
//!   Packet          head: vtable, join word, waiter      known to everybody
//!   Full<F, T>      head, then union { F, Outcome<T> }   known to the vtable
//! ```
//!
//! - **P1** The body holds the closure from `new` until `run` takes it, then
//!   nothing, then the outcome until somebody takes or drops that.
//! - **P2** Who may touch the body: the spawner, then the task, then whoever
//!   the join word appoints (J1). Who frees the packet: J2.

use super::TaskRef;
use super::join::JoinWord;
use super::record::{Meta, Record};
use super::scope::{ScopeId, ScopeInner, UnseenPanic};
use core::any::Any;
use core::cell::{Cell, UnsafeCell};
use core::mem::{ManuallyDrop, needs_drop};
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

/// What can be done with a packet without knowing its type.
pub(crate) struct Vtable {
    pub(crate) meta: Meta,
    run: unsafe fn(*mut Packet, &'static Record) -> bool,
    dispose: unsafe fn(*mut Packet),
    body: unsafe fn(*mut Packet) -> *mut u8,
    free: unsafe fn(*mut Packet),
}

pub(crate) struct Packet {
    pub(crate) vtable: &'static Vtable,
    pub(crate) join: JoinWord,
    pub(crate) waiter: Cell<Option<TaskRef>>,
}

#[repr(C)]
struct Full<F, T> {
    head: Packet,
    body: UnsafeCell<Body<F, T>>,
}

#[repr(C)]
union Body<F, T> {
    closure: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<T>>,
}

/// Makes a packet around a closure.
pub(crate) fn new<F, T>(f: F) -> *mut Packet
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let vtable = const {
        &Vtable {
            meta: Meta { entry: core::any::type_name::<F> },
            run: run::<F, T>,
            dispose: dispose::<F, T>,
            body: body::<F, T>,
            free: free::<F, T>,
        }
    };
    let full = Box::new(Full::<F, T> {
        head: Packet { vtable, join: JoinWord::new(), waiter: Cell::new(None) },
        body: UnsafeCell::new(Body { closure: ManuallyDrop::new(f) }),
    });
    Box::into_raw(full).cast()
}

/// Runs the closure on the task's stack and stores its outcome. Returns whether
/// the outcome needs care when nobody wants it.
unsafe fn run<F, T>(packet: *mut Packet, record: &'static Record) -> bool
where
    F: FnOnce() -> T,
{
    let full = packet.cast::<Full<F, T>>();
    // SAFETY: P1, P2: the task runs once and owns the body now.
    let closure = unsafe { ManuallyDrop::take(&mut (*(*full).body.get()).closure) };
    let marked = record.has(super::record::flag::REAP);
    let result = catch_unwind(AssertUnwindSafe(|| {
        if marked {
            // The reaper came first: only the captured values are dropped.
            drop(closure);
            None
        } else {
            Some(closure())
        }
    }));
    let outcome = match result {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Ended::Reaped),
        Err(payload) => Err(classify(payload, record)),
    };
    let care = needs_drop::<T>() || matches!(outcome, Err(Ended::Panicked(_)));
    // SAFETY: P1: the body is empty, and still the task's.
    unsafe { (*(*full).body.get()).outcome = ManuallyDrop::new(outcome) };
    care
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
    let name = super::registry::with_lock(|| record.clone_extra()).and_then(|e| e.name);
    let seen = UnseenPanic {
        task: record.id(),
        name,
        message,
        created_at: record.created_at(),
        entry: record.entry(),
    };
    let scope = record.scope();
    Ended::Panicked(Box::new(Panic { payload, scope, scope_id: scope.id(), seen }))
}

/// Drops an outcome that nobody asked for.
unsafe fn dispose<F, T>(packet: *mut Packet) {
    let full = packet.cast::<Full<F, T>>();
    // SAFETY: P1, P2: by J1 the caller is the one that disposes of the outcome.
    let outcome = unsafe { ManuallyDrop::take(&mut (*(*full).body.get()).outcome) };
    if let Err(Ended::Panicked(panic)) = outcome {
        panic.report_unseen();
    }
}

/// Where the body is: the offset depends on the closure's alignment.
unsafe fn body<F, T>(packet: *mut Packet) -> *mut u8 {
    // SAFETY: the packet was made with these types.
    unsafe { (*packet.cast::<Full<F, T>>()).body.get().cast() }
}

/// Frees the packet; the body is empty or needs no drop.
unsafe fn free<F, T>(packet: *mut Packet) {
    // SAFETY: made by Box::into_raw in new() with these types; freed once (J2).
    drop(unsafe { Box::from_raw(packet.cast::<Full<F, T>>()) });
}

/// Runs the closure of a task that starts. Returns whether the outcome needs care.
///
/// # Safety
/// P2: the calling task owns the packet's body.
pub(crate) unsafe fn start(packet: *mut Packet, record: &'static Record) -> bool {
    // SAFETY: by contract; the vtable was made for this packet's types.
    unsafe { ((*packet).vtable.run)(packet, record) }
}

/// Drops the outcome, running user code.
///
/// # Safety
/// J1 appoints the caller.
pub(crate) unsafe fn dispose_outcome(packet: *mut Packet) {
    // SAFETY: by contract.
    unsafe { ((*packet).vtable.dispose)(packet) }
}

/// Frees the memory, running no user code.
///
/// # Safety
/// J2 appoints the caller.
pub(crate) unsafe fn free_packet(packet: *mut Packet) {
    // SAFETY: by contract.
    unsafe { ((*packet).vtable.free)(packet) }
}

/// Takes the outcome and frees the packet.
///
/// # Safety
/// The task is done, the caller is its only handle, and `T` is its type.
pub(crate) unsafe fn take<T>(packet: *mut Packet) -> Outcome<T> {
    // SAFETY: P1: the body holds an outcome of type T, at its start because the
    // union is repr(C); by contract nobody else takes it.
    unsafe {
        let body = ((*packet).vtable.body)(packet).cast::<Outcome<T>>();
        let outcome = body.read();
        free_packet(packet);
        outcome
    }
}
