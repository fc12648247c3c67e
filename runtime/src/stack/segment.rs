//! Growth beyond the reservation: a closure on a larger stack.
//!
//! A task's stack ends where its reservation does, since what lies below belongs
//! to others and nothing may move. Code that must go deeper says so, and runs on
//! a *segment*: another slot, of a class that is large enough, contiguous in
//! itself. When it returns the segment goes back to the pool.
//!
//! ```text
//!   the task's stack                 segment               segment
//!   ┌────────────────┐ top    ┌─▶┌───────────────┐   ┌─▶┌───────────────┐
//!   │ innermost ─────┼────────┼─ │ frames of f   │   │  │ frames of g   │
//!   ├────────────────┤        │  │               │   │  │   ← we are    │
//!   │ frames         │        │  ├───────────────┤   │  │     here      │
//!   ├────────────────┤        │  │ grow(_, g)    │   │  │               │
//!   │ grow(_, f)     │        │  │ Segment ──────┼───┘  │               │
//!   │ Segment ───────┼────────┘  │  ▲  outer ─┐  │      │               │
//!   │  ▲  outer: none│           └──┼─────────┼──┘      └───────────────┘
//!   └──┼─────────────┘              └ innermost points here
//!      └──────────────────────────────────────┘
//! ```
//!
//! # Why not as Go did it, before or now
//! Up to 1.2, Go's compiler began each function with a check, and one that did
//! not fit linked a small segment, which it left at its end. A call in a hot
//! loop just at the edge then allocated and freed a segment each time: the *hot
//! split*, a program that ran ten times slower or not depending on how deep it
//! happened to be. Go went over to copying: a stack that is too small moves to
//! one of twice the size. That needs to know every pointer into a stack, which
//! in Rust nobody does.
//!
//! Here the first answer is that a stack is reserved large and backed as it is
//! touched, so there is no edge to stand at. Behind it, segments are chosen by
//! the program, are large, and are not made and unmade: a call takes the slot
//! that the last one left, warm, from the top of its processor's list, and maps
//! nothing. It costs less than to start a task, and the same wherever it stands;
//! a thread that is no task takes the lock of the class twice besides.
//! Prologues in every function were rejected with that: the compiler would have
//! to help, C code would not take part, and the check would cost all code what
//! a few recursive functions need; those call [`ensure`].
//!
//! # What passes
//! Nothing unwinds through `call_on`. A panic of `f` (and the unwinds of
//! `goexit` and of the reaper) ends in a `catch_unwind` on the segment; the
//! segment goes back; then the same payload unwinds on from the frame of `grow`.
//! The hook ran when it was thrown, and does not run again.
//!
//! `f` may park, and in migrating mode go on on another thread, so nothing here
//! keeps a thread-local over the call. What is kept is the place of the chain's
//! head, which is in the task's own stack; an ordinary thread's is a
//! thread-local, but such a thread stays what it is.
//!
//! Alternate signal stacks are the thread's; one that is no worker gets one at
//! its first segment that is large enough to tell of an overflow. Stack probes
//! touch page by page whatever stack they are on. The guard of a segment is
//! found by its address, like a task's.
//!
//! Invariants:
//! - **G1** The topmost word of a task's stack, from its first start to its end,
//!   points to the record of its innermost segment, or is null; of a thread that
//!   is no task, `THREAD_CHAIN` does. A record lies in the frame of a `call` that
//!   does not return before its segment is empty.
//! - **G2** The chain is read by the task itself, by the fault handler on its
//!   thread, or by who holds the task while it does not run, wherever a signal has
//!   stopped it: so a record is whole before it is in the chain. But it is there before
//!   its segment is entered, when `left` is null, and a moment after it was left: whoever
//!   reads looks which piece the stack pointer is in.

use super::class::{Class, SIZES};
use super::{Stack, exact, pool, usage};
use crate::sched::SCHED;
use crate::sched::worker;
use crate::sys::mem::{self, PAGE};
use crate::sys::signal::AlternateStack;
use crate::sys::thread;
use crate::task::record::Record;
use crate::{arch, sched};
use core::cell::Cell;
use core::ptr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{Ordering, compiler_fence};

/// A segment in use. Lies in the frame that called [`grow`], on the stack that
/// is around it.
struct Segment {
    stack: Stack,
    /// The segment around this one; null if that is the task's or the thread's
    /// own stack.
    outer: *const Segment,
    /// The stack pointer at which the outer stack was left: what is in use of
    /// that begins here, with the words that `call_on` describes.
    left: *mut u8,
    /// How many there are with this one.
    depth: usize,
}

thread_local! {
    /// The innermost segment of a thread that is no task.
    static THREAD_CHAIN: Cell<*const Segment> = const { Cell::new(ptr::null()) };
    /// Bounds of the thread's own stack, once somebody asked.
    static THREAD_STACK: Cell<Option<Piece>> = const { Cell::new(None) };
}

/// The head of the chain of a thread that is no task. Opaque for the reason
/// given at [`worker::current`].
#[inline(never)]
fn thread_head() -> *mut *const Segment {
    // SAFETY: no instruction. Not `pure`, so calls are neither merged nor moved.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
    THREAD_CHAIN.with(Cell::as_ptr)
}

/// Runs `f` on a segment with at least `bytes` usable bytes and returns what it
/// returns.
///
/// For recursion that is deeper than the stack, or a call that needs much of it:
/// a task of any class, or an ordinary thread, can go on to
/// the largest class, 1 GiB, and to several of them by nesting. Only what `f`
/// touches takes memory. Some hundred of the bytes are used by the call itself.
///
/// `f` may do what its caller may: park, panic, end the task, call `grow`. A
/// segment is reused by the next call, so that one in a hot loop maps and unmaps
/// nothing. Go: what `runtime.morestack` does by itself.
///
/// An overflow of the segment ends the process as that of a task does.
///
/// # Panics
/// If `bytes` is more than 1 GiB, or the system refuses the address space; `f`
/// is dropped then. Panics of `f` pass through.
///
/// ```
/// fn depth(n: u64) -> u64 {
///     // Such a frame would overflow any task's stack soon.
///     let frame = std::hint::black_box([n; 1024]);
///     if n == 0 { 0 } else { 1 + depth(n - 1) + frame[1] - frame[0] }
/// }
///
/// let task = gopark::go(|| gopark::stack::grow(64 << 20, || depth(2000)));
/// assert_eq!(task.join().unwrap(), 2000);
/// ```
#[track_caller]
pub fn grow<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let mut result = None;
    let mut on_segment = || {
        let f = f.take().expect("called once");
        result = Some(catch_unwind(AssertUnwindSafe(f)));
    };
    on(bytes, &mut on_segment);
    match result.expect("it has run") {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

/// Calls `f`, here if at least `red_zone` bytes [remain](remaining), else through
/// [`grow`] with `bytes`.
///
/// At the beginning of a function that recurses, it lets the recursion go as
/// deep as memory allows. `red_zone` must be enough for what the function does
/// until the next check; `bytes` should be many times as much, so that few calls
/// pay for a segment.
///
/// # Panics
/// As [`grow`].
///
/// ```
/// use gopark::stack::ensure;
///
/// /// The sum of all numbers up to `n`, the hard way.
/// fn sum(n: u64) -> u64 {
///     ensure(32 << 10, 8 << 20, || if n == 0 { 0 } else { n + sum(n - 1) })
/// }
///
/// let task = gopark::go(|| sum(200_000));
/// assert_eq!(task.join().unwrap(), 20_000_100_000);
/// ```
#[inline]
#[track_caller]
pub fn ensure<R>(red_zone: usize, bytes: usize, f: impl FnOnce() -> R) -> R {
    if remaining() >= red_zone { f() } else { grow(bytes, f) }
}

/// Bytes between the caller's stack pointer and the lowest usable byte of the
/// contiguous piece of stack that it is on: the task's stack, the segment of the
/// innermost [`grow`], or the thread's stack.
///
/// On a thread's stack the lowest byte is the one above the thread's guard. For
/// the main thread it is where the limit of the stack's size (`ulimit -s`) ends
/// it, or the gap that the kernel keeps above what is mapped below; it is found
/// out at the first call on the thread, and a limit that is changed later is not
/// noticed. On a stack that is neither a task's nor the thread's own (an
/// alternate signal stack, another library's coroutine) it is 0.
///
/// ```
/// let inside = gopark::stack::grow(1 << 20, gopark::stack::remaining);
/// assert!((1 << 20) - inside < 4096);
/// ```
#[inline]
pub fn remaining() -> usize {
    let piece = Piece::current();
    piece.below(arch::stack_pointer()).unwrap_or(0)
}

/// The most bytes that were in use at a time of the contiguous piece of stack
/// that the caller is on (see [`remaining`]), rounded up to whole pages.
///
/// It is found by asking the kernel which pages are in memory, and so is exact
/// under these conditions:
///
/// - Stacks are reused, pages and all. From the first call of this function in
///   the process on, one that is handed out gives back what its former task
///   left; so the first call may see what others did with this stack, and those
///   in tasks that started, and closures of `grow` that began, after it do not.
///   With debug assertions it is so from the beginning of the process. This
///   makes deep tasks, and calls of `grow` that go deep, slower.
/// - A task that is parked for long may be trimmed, which gives back pages that
///   it does not use; they do not count any more.
/// - A page that was swapped out does not count.
/// - On a thread's stack the kernel may back many pages at once, and the system
///   library may have used the same stack for an earlier thread: the depth
///   may be less than what this says.
///
/// On a stack that is neither a task's nor the thread's own it is 0.
///
/// ```
/// use std::hint::black_box;
///
/// #[inline(never)]
/// fn deep() {
///     black_box([0_u8; 100 << 10]);
/// }
///
/// gopark::stack::high_water();
/// let task = gopark::go(|| {
///     deep();
///     gopark::stack::high_water()
/// });
/// assert!(task.join().unwrap() > 100 << 10);
/// ```
pub fn high_water() -> usize {
    exact::turn_on();
    let piece = Piece::current();
    let here = arch::stack_pointer();
    if piece.below(here).is_none() {
        return 0;
    }
    let page = here & !(PAGE - 1);
    let lowest = mem::lowest_resident(piece.base..piece.end).map_or(page, |low| low.min(page));
    piece.end - lowest
}

/// A contiguous part of a stack: addresses from `base` to `end`.
#[derive(Clone, Copy)]
struct Piece {
    base: usize,
    end: usize,
}

impl Piece {
    /// Where nothing is known: contains no address.
    const NOWHERE: Piece = Piece { base: 1, end: 0 };

    /// What the running task, or the thread, is on.
    #[inline]
    fn current() -> Piece {
        let Some(task) = worker::current_task() else { return Piece::of_thread() };
        let stack = own_stack(task);
        // SAFETY: G1, and the task itself reads it (G2).
        let innermost = unsafe { head(stack).read().as_ref() };
        Piece::of(innermost.map_or(stack, |segment| segment.stack))
    }

    #[inline]
    fn of(stack: Stack) -> Piece {
        Piece { base: stack.base().addr(), end: stack.top().addr() }
    }

    /// Not inlined, so that no address of a thread-local is kept by the caller,
    /// which may be about to become part of a task's frame (migrating mode).
    #[inline(never)]
    fn of_thread() -> Piece {
        // SAFETY: G1, and the thread itself reads it (G2).
        if let Some(segment) = unsafe { thread_head().read().as_ref() } {
            return Piece::of(segment.stack);
        }
        THREAD_STACK.get().unwrap_or_else(|| {
            let bounds = thread::stack();
            let piece = bounds.map_or(Piece::NOWHERE, |(base, end)| Piece { base, end });
            THREAD_STACK.set(Some(piece));
            piece
        })
    }

    /// Bytes of the piece below the address; `None` if it lies elsewhere.
    #[inline]
    fn below(self, address: usize) -> Option<usize> {
        (self.base..=self.end).contains(&address).then(|| address - self.base)
    }
}

/// The pieces of one stack, the innermost first: segments, and what they grow from.
///
/// Read it only while the task, or thread, stands still (G2).
#[derive(Clone, Copy)]
pub(crate) struct Pieces {
    innermost: *const Segment,
    own: Piece,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// Its lowest usable byte, and one past its highest.
    pub(crate) bounds: (usize, usize),
    /// Where the next one was left, which is further out: there stand the words that
    /// `call_on` describes.
    pub(crate) left: Option<usize>,
}

/// Of a task that has started, and stands still or is the calling one.
pub(crate) fn pieces_of(task: &Record) -> Option<Pieces> {
    let stack = task.place().stack()?;
    // SAFETY: G1; it stands still, so nobody changes the chain (G2).
    Some(Pieces { innermost: unsafe { head(stack).read() }, own: Piece::of(stack) })
}

/// Of the calling thread, which is no task. Allocates nothing: where the bounds of its
/// stack are not known it has none.
pub(crate) fn pieces_of_thread() -> Pieces {
    // SAFETY: G1, and the thread itself reads it (G2).
    let innermost = unsafe { thread_head().read() };
    Pieces { innermost, own: known_thread() }
}

/// Not inlined for the reason given at [`Piece::of_thread`].
#[inline(never)]
fn known_thread() -> Piece {
    THREAD_STACK.get().unwrap_or(Piece::NOWHERE)
}

/// Finds the bounds of the calling thread's stack, for [`pieces_of_thread`].
pub(crate) fn know_thread() {
    let _ = Piece::of_thread();
}

/// Whether one of those words stands on the calling stack, at the address `from` or further
/// out; also where no function uses the place any more.
pub(crate) fn has_word(from: usize, words: &[usize]) -> bool {
    // The stack has thousands: all but a few are told by two comparisons.
    let (Some(&low), Some(&high)) = (words.iter().min(), words.iter().max()) else { return false };
    let pieces = worker::current_task().and_then(pieces_of).unwrap_or_else(|| {
        know_thread();
        pieces_of_thread()
    });
    let mut start = from;
    let inner = |part: &Part| !(part.bounds.0..part.bounds.1).contains(&from);
    for Part { bounds: (base, end), left } in pieces.skip_while(inner) {
        if !(base..end).contains(&start) {
            return false;
        }
        let first = start.next_multiple_of(size_of::<usize>());
        for at in (first..end).step_by(size_of::<usize>()) {
            // SAFETY: a word of the calling stack, which is mapped up to its end; nobody else
            // writes to it.
            let word = unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
            if (low..=high).contains(&word) && words.contains(&word) {
                return true;
            }
        }
        start = left.unwrap_or(end);
    }
    false
}

impl Iterator for Pieces {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        // SAFETY: null, or a record on a stack that stands still (G1, G2).
        let (piece, left) = match unsafe { self.innermost.as_ref() } {
            Some(segment) => {
                self.innermost = segment.outer;
                (Piece::of(segment.stack), Some(segment.left.addr()))
            }
            None => (core::mem::replace(&mut self.own, Piece::NOWHERE), None),
        };
        (piece.end != 0).then_some(Part { bounds: (piece.base, piece.end), left })
    }
}

#[inline]
fn own_stack(task: &Record) -> Stack {
    task.place().stack().expect("a task that runs has a stack")
}

/// The head of the chain in a task's own stack.
#[inline]
fn head(stack: Stack) -> *mut *const Segment {
    stack.chain().cast()
}

/// Calls `f` on a segment.
#[track_caller]
fn on<F: FnMut()>(bytes: usize, f: &mut F) {
    extern "C" fn run<F: FnMut()>(data: *mut ()) {
        // SAFETY: call() passes on what on() gave it, a `&mut F` that nobody
        // uses until it returns.
        unsafe { (*data.cast::<F>())() }
    }
    // SAFETY: `run` takes the data beside it; an unwind out of it would abort.
    unsafe { call(bytes, run::<F>, ptr::from_mut(f).cast()) }
}

/// The part of [`grow`] that does not depend on types.
///
/// # Safety
/// `f` takes `data` and never unwinds.
#[inline(never)]
#[track_caller]
unsafe fn call(bytes: usize, f: extern "C" fn(*mut ()), data: *mut ()) {
    let Some(class) = Class::for_bytes(bytes) else { too_large(bytes) };
    let task = worker::current_task();
    let head = match task {
        Some(task) => head(own_stack(task)),
        None => {
            // The fault handler must know the guard, whoever runs into it.
            sched::start_default();
            AlternateStack::ensure();
            thread_head()
        }
    };
    let stack = SCHED.take_or_grow(class, || {
        with_local(|local| {
            let stack = pool::borrow(local, class)?;
            usage::segment_began(local);
            Some(stack)
        })
    });
    let stack = stack.unwrap_or_else(|error| refused(bytes, &error));
    // SAFETY: G1, and the task or thread itself reads it (G2).
    let outer = unsafe { head.read() };
    // SAFETY: as above.
    let outside = unsafe { outer.as_ref() }.map_or(0, |outer| outer.depth);
    let mut segment = Segment { stack, outer, left: ptr::null_mut(), depth: outside + 1 };
    let record = &raw mut segment;
    count(task, outside + 1);
    // ORDERING: Release, for the compiler; a signal that arrives from here on shows the
    // record to whoever asks for the task's frames (G2). What it waits for in the handler
    // brings the rest.
    compiler_fence(Ordering::Release);
    // SAFETY: the head is in the task's own stack, or in a thread-local of a
    // thread that is no task and so cannot leave (G1). A3: the slot was borrowed
    // just now, its top is page-aligned, and `f` fits `data` by contract. The
    // record outlives the call.
    unsafe {
        head.write(record);
        arch::call_on(stack.top(), f, data, &raw mut (*record).left);
        head.write((*record).outer);
    }
    count(task, outside);
    // Of the processor that we are on now. Nothing refers to the segment any
    // more (K1).
    with_local(|local| {
        pool::give_back(local, stack);
        usage::segment_ended(local);
    });
}

/// Calls `f` with the stacks of the processor that this thread holds; none in a
/// blocking call. In a section (N1).
#[inline]
fn with_local<R>(f: impl FnOnce(Option<&'static pool::Local>) -> R) -> R {
    worker::with_processor(|here| f(here.map(|p| &p.stacks)))
}

/// Observers see how many segments a task is on.
#[inline]
fn count(task: Option<&Record>, segments: usize) {
    if let Some(task) = task {
        task.set_place(task.place().with_segments(segments));
    }
}

#[cold]
#[track_caller]
fn too_large(bytes: usize) -> ! {
    panic!(
        "gopark::stack::grow was asked for {bytes} bytes, but the largest segment has {}: divide \
         the work among nested calls (gopark::stack::ensure does that at every level), or keep \
         its data on the heap",
        SIZES[Class::COUNT - 1]
    );
}

#[cold]
#[track_caller]
fn refused(bytes: usize, error: &io::Error) -> ! {
    panic!(
        "gopark::stack::grow was asked for {bytes} bytes and has no segment: {error}; or ask for \
         fewer bytes, or let fewer calls be under way at a time"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The innermost segment of this thread, and what `call_on` left behind:
    /// where, and the address to return to.
    fn innermost() -> Option<(usize, usize, usize)> {
        // SAFETY: G1, and the thread itself reads it (G2). The words at `left`
        // belong to the frame of call_on, which has not returned.
        unsafe {
            let segment = thread_head().read().as_ref()?;
            let back = segment.left.cast::<usize>().add(1).read();
            Some((ptr::from_ref(segment).addr(), segment.left.addr(), back))
        }
    }

    #[test]
    fn a_record_says_where_the_outer_stack_was_left() {
        let here = arch::stack_pointer();
        let mut backs = grow(64 << 10, || {
            let (record, left, back) = innermost().expect("a segment");
            assert!(left < record && record < here && here - left < 4096);
            let inner = grow(64 << 10, || innermost().expect("a segment"));
            assert_eq!(innermost(), Some((record, left, back)));
            // On the segment, not on the thread's stack.
            assert!(remaining() + inner.1 - arch::stack_pointer() < 64 << 10);
            vec![back, inner.2]
        });
        assert_eq!(innermost(), None);
        backs.dedup();
        assert_eq!(backs.len(), 1, "both return to the same instruction");
    }
}
