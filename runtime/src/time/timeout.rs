//! A time limit for everything that a function waits for: `timeout`.
//!
//! Nobody can stop a stackful function from outside: it may be anywhere, in code
//! that cannot bear it. But a park can end before its time, every blocking call of
//! this crate knows how to leave then, and the reaper has it unwind from there. A
//! limit does the same: each park inside of it lasts no longer, and when one is
//! over for that reason, the call takes its waiter out of the queue and unwinds to
//! the limit that has passed, running destructors on the way. Between parks nothing
//! happens.
//!
//! # Rejected
//! - *Run the function in another task and leave that behind.* It could borrow
//!   nothing, would go on unseen, and be the leak that a check finds.
//! - *Return an error from every call.* Not all have one, and a `recv` that says
//!   "closed" because of a limit further out would be believed.
//!
//! # The frames
//! Limits of one task are a list through the frames of the calls, the innermost
//! first; its head lies in the record, in the body, which is empty while the task's
//! function runs (P1), and is there while the task has
//! [`flag::DEADLINE`].
//!
//! - **U1** A frame is in its task's list from before `f` until `f` has returned or
//!   unwound, and only that task looks at the list. So every frame in it is alive.

use super::{clock_after, room};
use crate::sched::park::{self, Unwinding};
use crate::sys::clock;
use crate::task;
use crate::task::record::{Record, flag};
use core::cell::Cell;
use core::ptr;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Unwinds that a function may swallow; after that its limit is none any more.
const PATIENCE: u8 = 16;

struct Frame {
    until: u64,
    outer: *const Frame,
    /// Unwinds for it so far.
    thrown: Cell<u8>,
}

/// Unwinds to the frame that is at this address.
struct Token(usize);

/// The time was over before the function had ended.
///
/// ```
/// use gopark::time::{self, Elapsed};
/// use std::time::Duration;
///
/// let forever = || gopark::chan::never::<()>().recv();
/// assert_eq!(time::timeout(Duration::from_millis(1), forever), Err(Elapsed));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl Error for Elapsed {}

/// Calls `f`, which may wait for so much time in all.
///
/// When the time is over and `f` waits in a call of this crate, or comes to one
/// where it would have to, that call does not return: `f` is unwound from there, its
/// destructors run, and this returns the error. What `f` was waiting for is left as
/// if it had not come: a value that was not sent is dropped with the rest, and none
/// that was received is lost. Limits nest; each wait ends with the earliest one, and
/// the unwind goes to the outermost that has passed.
///
/// It is the *waits* of `f` that end. What computes, or blocks its thread (in
/// [`blocking`](crate::blocking), [`offload`](crate::offload) or without saying so),
/// is not interrupted, nor are calls that need not wait; a function that ends late
/// has ended, and its value is returned. Tasks that `f` has started go on. Calls that
/// destructors make during an unwind wait as long as they have to. With `panic =
/// "abort"` nothing can be unwound, and only `f`'s own end ends it.
///
/// The unwind is no panic: no message, no hook. A `catch_unwind` in `f` stops it, and
/// the next wait starts it again, sixteen times. What `f` borrows mutably from
/// outside is as `f` left it, so look at it with the care that a caught panic needs.
/// Frames of other languages cannot be unwound.
///
/// On a thread that is not a task it does the same. Go has no such thing: there a
/// context is passed to every call.
///
/// # Errors
/// [`Elapsed`] if `f` was unwound because of this limit.
///
/// # Panics
/// A panic of `f` comes out here.
///
/// ```
/// use gopark::{chan, time};
/// use std::time::Duration;
///
/// let (tx, rx) = chan::rendezvous();
/// let handle = gopark::go(move || {
///     let first_three = || rx.iter().take(3).sum::<u32>();
///     time::timeout(Duration::from_millis(20), first_three)
/// });
/// tx.send(1).unwrap();
/// tx.send(2).unwrap();
/// // The third one does not come.
/// assert_eq!(handle.join().unwrap(), Err(time::Elapsed));
/// assert!(tx.send(3).is_err(), "the receiver went with the task");
/// ```
pub fn timeout<F, R>(duration: Duration, f: F) -> Result<R, Elapsed>
where
    F: FnOnce() -> R,
{
    let task = task::arrive().record();
    room::make_room();
    let frame = Frame { until: clock_after(duration), outer: first(task), thrown: Cell::new(0) };
    set_first(task, &raw const frame);
    // What is left half changed is the caller's affair, as the docs say.
    let outcome = catch_unwind(AssertUnwindSafe(f));
    set_first(task, frame.outer);
    let mine = (&raw const frame).addr();
    match outcome {
        Ok(value) => Ok(value),
        Err(payload) if payload.downcast_ref::<Token>().is_some_and(|token| token.0 == mine) => {
            Err(Elapsed)
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// The innermost frame of the running task.
fn first(task: &Record) -> *const Frame {
    if task.has(flag::DEADLINE) { task.body.local().cast() } else { ptr::null() }
}

fn set_first(task: &Record, frame: *const Frame) {
    if frame.is_null() {
        task.clear(flag::DEADLINE);
    } else {
        // SAFETY: the task is running its function, or is a thread (P1).
        unsafe { task.body.set_local(frame.cast()) };
        task.set(flag::DEADLINE);
    }
}

/// The frames of the running task whose limits count, the innermost first.
fn frames<'a>(task: &Record) -> impl Iterator<Item = &'a Frame> {
    let mut next = first(task);
    let all = std::iter::from_fn(move || {
        // SAFETY: null, or alive as long as the running task is inside of it (U1).
        let frame = unsafe { next.as_ref() }?;
        next = frame.outer;
        Some(frame)
    });
    all.filter(|frame| frame.thrown.get() < PATIENCE)
}

/// Until when a park of the running task lasts that would last until `until`;
/// `None` if a limit has passed already.
pub(crate) fn limit(task: &Record, until: u64) -> Option<u64> {
    let earliest = frames(task).map(|frame| frame.until).min().unwrap_or(u64::MAX);
    let counts = cfg!(panic = "unwind") && earliest < until;
    if !counts || park::unwinding_here() != Unwinding::No {
        return Some(until);
    }
    (earliest > clock::now()).then_some(earliest)
}

/// Unwinds the running task to the outermost of its limits that have passed.
/// Returns if none has.
pub(crate) fn expire(task: &Record) {
    let now = clock::now();
    if let Some(frame) = frames(task).filter(|frame| frame.until <= now).last() {
        frame.thrown.set(frame.thrown.get() + 1);
        resume_unwind(Box::new(Token(ptr::from_ref(frame).addr())));
    }
}
