//! `pthread_create`, wrapped: the one room of this crate with unsafe code.
//!
//! Whoever makes a thread in a program that is linked with this crate calls the
//! function below, std and C libraries too: a definition in the executable comes
//! before that of a shared library. It tells the runtime whose thread that will be,
//! and leaves the rest to the C library. It stands here and not in the runtime
//! because it is for test binaries only; a program that uses the runtime has none.
//!
//! The name is a *weak* symbol, written in assembly as Rust has no stable word for
//! that. A program that defines `pthread_create` itself still links, and ours is not
//! called; it can keep both by calling `leakcheck_pthread_create`, which is the same
//! function, from its own.
//!
//! It is off, and [`wrapped`] says so, where it could do harm or cannot work:
//!
//! - in a static executable, which has no next definition (decided when compiled);
//! - under a sanitizer, which must see every thread itself: its own function is called,
//!   and no more;
//! - with `LEAKCHECK_WRAP_THREADS=0` in the environment.
//!
//! # Who is nobody's
//!
//! A pool that some test starts because it is the first to need it (`rayon`'s, or
//! whatever stands in a `LazyLock`) serves all tests. Its threads run jobs of others
//! than the one that happened to be first, so they belong to no scope. They are known
//! by where they were made: inside of std's `Once`, on which `OnceLock`, `LazyLock`,
//! `lazy_static` and `rayon` are built. There is one function that runs what is to run
//! once, so the address that this returns to is the same in every call; [`marks`] learns it
//! from three calls. If none was found (they can be inlined under link-time
//! optimisation) every thread belongs to whoever made it. A pool may be made deep inside of
//! a `Once`: what is beyond the frames that are kept is unwound only if the address is
//! among the words of the stack.
//!
//! # Invariants
//!
//! - **L1** `real` is called with the caller's own arguments, except for the function
//!   and its argument, which are [`begin`] and a box that only `begin` opens.
//! - **L2** If `real` fails, `begin` does not run, and the box is still ours.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Once, OnceLock};

use gopark::threads::{self, Birth, Origin};

/// Return addresses that are kept. Enough to reach from here through std to the
/// function that makes the thread, and through a `Once` around it; a debug build has
/// more frames for the same.
const DEPTH: usize = if cfg!(debug_assertions) { 32 } else { 16 };

/// A thread's function. It may be unwound through: `pthread_exit` does.
type Main = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    Main,
    *mut c_void,
) -> c_int;

/// What the new thread is to do.
struct Start {
    main: Main,
    arg: *mut c_void,
    birth: Birth,
}

#[cfg(wrap_threads)]
std::arch::global_asm!(
    ".pushsection .text.leakcheck_pthread_create, \"ax\"",
    ".weak pthread_create",
    ".type pthread_create, %function",
    ".globl leakcheck_pthread_create",
    ".type leakcheck_pthread_create, %function",
    ".p2align 4",
    "pthread_create:",
    "leakcheck_pthread_create:",
    #[cfg(target_arch = "x86_64")]
    "jmp {create}",
    #[cfg(target_arch = "aarch64")]
    "b {create}",
    ".size pthread_create, . - pthread_create",
    ".size leakcheck_pthread_create, . - leakcheck_pthread_create",
    ".popsection",
    // What a sanitizer would bring along; 0 without it.
    ".weak __asan_init",
    ".weak __tsan_init",
    ".weak __msan_init",
    ".weak __hwasan_init",
    ".weak __interceptor_pthread_create",
    ".pushsection .data.rel.ro.leakcheck_sanitizers, \"aw\"",
    ".p2align 3",
    ".globl leakcheck_sanitizers",
    ".hidden leakcheck_sanitizers",
    "leakcheck_sanitizers:",
    ".quad __asan_init",
    ".quad __tsan_init",
    ".quad __msan_init",
    ".quad __hwasan_init",
    ".quad __interceptor_pthread_create",
    ".popsection",
    create = sym create,
);

/// How threads are really made, and whether that is told.
#[derive(Clone, Copy)]
struct Setting {
    real: Option<Create>,
    on: bool,
}

/// Whether all threads of the program come through here.
pub(crate) fn wrapped() -> bool {
    static WRAPPED: OnceLock<bool> = OnceLock::new();
    // Also asks the linker for the symbol, and with it for this room.
    *WRAPPED.get_or_init(|| ours_is_called() && setting().on)
}

#[cfg(wrap_threads)]
fn ours_is_called() -> bool {
    unsafe extern "C" {
        fn leakcheck_pthread_create();
    }
    // The optimiser takes two functions of different names for different ones.
    let ours = std::hint::black_box(leakcheck_pthread_create as *const ());
    libc::pthread_create as *const () == ours
}

#[cfg(not(wrap_threads))]
fn ours_is_called() -> bool {
    false
}

fn setting() -> Setting {
    static SETTING: OnceLock<Setting> = OnceLock::new();
    *SETTING.get_or_init(|| {
        let found = sanitizers();
        if found.iter().any(|address| *address != 0) {
            let theirs = ptr::with_exposed_provenance_mut(found[4]);
            return Setting { real: function(theirs).or_else(next), on: false };
        }
        let on =
            std::env::var_os(crate::settings::WRAP_THREADS_VAR).is_none_or(|value| value != "0");
        Setting { real: next(), on }
    })
}

#[cfg(wrap_threads)]
fn sanitizers() -> [usize; 5] {
    unsafe extern "C" {
        #[link_name = "leakcheck_sanitizers"]
        static SANITIZERS: [usize; 5];
    }
    // SAFETY: the table above, five words, which nobody writes to.
    unsafe { SANITIZERS }
}

#[cfg(not(wrap_threads))]
fn sanitizers() -> [usize; 5] {
    [0; 5]
}

/// The C library's function.
fn next() -> Option<Create> {
    // SAFETY: a C string.
    function(unsafe { libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr()) })
}

fn function(address: *mut c_void) -> Option<Create> {
    // SAFETY: null, or a function of that name, whose type this is.
    unsafe { mem::transmute::<*mut c_void, Option<Create>>(address) }
}

/// Tells of threads of no scope too.
static ALL: AtomicBool = AtomicBool::new(false);

/// From now on threads that belong to no scope are traced as well: they are reported
/// at the end of the program.
pub(crate) fn trace_all() {
    ALL.store(true, Ordering::Relaxed);
}

/// Makes a thread for this crate, which belongs to no scope: it marks itself as one of
/// the harness.
pub(crate) fn untold<R>(make: impl FnOnce() -> R) -> R {
    let before = UNTOLD.replace(true);
    let made = make();
    UNTOLD.set(before);
    made
}

/// In the place of `pthread_create`.
///
/// # Safety
/// As that.
unsafe extern "C" fn create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    main: Main,
    arg: *mut c_void,
) -> c_int {
    let Setting { real, on } = setting();
    let Some(real) = real else { return libc::ENOSYS };
    let all = ALL.load(Ordering::Relaxed);
    let told = on && !UNTOLD.get();
    let Some(birth) = told.then(|| Birth::announce(all, origin)).flatten() else {
        // SAFETY: by contract.
        return unsafe { real(thread, attributes, main, arg) };
    };
    let start = Box::into_raw(Box::new(Start { main, arg, birth }));
    // SAFETY: by contract, and L1.
    let failed = unsafe { real(thread, attributes, begin, start.cast()) };
    if failed != 0 {
        // SAFETY: made by a box above, and nobody else has it (L2).
        drop(unsafe { Box::from_raw(start) });
    }
    failed
}

/// The first function of the thread.
///
/// # Safety
/// The argument is a `Start` that a box was turned into; it is used up.
unsafe extern "C-unwind" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: by contract.
    let Start { main, arg, birth } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    birth.begin();
    // SAFETY: whoever made the thread vouches for both (L1). Nothing is left here that
    // an unwind would have to drop.
    unsafe { main(arg) }
}

thread_local! {
    /// The thread makes one for this crate.
    static UNTOLD: Cell<bool> = const { Cell::new(false) };
    /// The thread looks for the marks, and must not look for them then.
    static LEARNING: Cell<bool> = const { Cell::new(false) };
}

#[inline(never)]
fn origin() -> Origin {
    let frames = threads::callers(DEPTH);
    let marks = if LEARNING.get() { &[] } else { marks() };
    // The frames are in the call, and the marks are behind it.
    let mut shared = frames.iter().any(|frame| marks.contains(&(frame + 1)));
    // Most stacks have none of the words, and then nobody need unwind them to their ends.
    if !shared && frames.len() == DEPTH && threads::may_return_to(marks, (&raw const shared).addr())
    {
        backtrace::trace(|frame| {
            shared = marks.contains(&frame.ip().addr());
            !shared
        });
    }
    Origin { frames, shared }
}

/// Addresses that are on the stack of whoever is inside of a `Once`, and else never.
fn marks() -> &'static [usize] {
    static MARKS: OnceLock<Vec<usize>> = OnceLock::new();
    if let Some(marks) = MARKS.get() {
        return marks;
    }
    // Not inside of that `OnceLock`.
    LEARNING.set(true);
    let learned = learn();
    LEARNING.set(false);
    MARKS.get_or_init(|| learned)
}

/// What the stacks inside of three kinds of `Once` have in common, and that of their caller
/// has not. Whatever is made for a type or a closure is in one of them only.
#[inline(never)]
fn learn() -> Vec<usize> {
    let outside = whole();
    let lock = OnceLock::new();
    let mut once = Vec::new();
    Once::new().call_once(|| once = std::hint::black_box(whole()));
    let lazy = LazyLock::new(|| (whole(), 0_u8));
    let inside: [&Vec<usize>; 3] = [lock.get_or_init(whole), &once, &lazy.0];
    // The callers that all of them share may be inside of a `Once` themselves.
    let not_ours = &outside[..own(&outside, inside[0])];
    let [one, two, three] = inside.map(|stack| &stack[..own(stack, &outside)]);
    let everywhere = |it: &&usize| two.contains(it) && three.contains(it);
    one.iter().filter(everywhere).filter(|it| !not_ours.contains(it)).copied().collect()
}

/// The whole stack.
#[inline(never)]
fn whole() -> Vec<usize> {
    let mut frames = Vec::new();
    backtrace::trace(|frame| {
        frames.push(frame.ip().addr());
        true
    });
    frames
}

/// How many frames the stack has before those that it shares with the other.
fn own(stack: &[usize], other: &[usize]) -> usize {
    let pairs = stack.iter().rev().zip(other.iter().rev());
    stack.len() - pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is true inside of each kind of `Once`, and here.
    fn everywhere(ask: fn() -> bool) -> [bool; 5] {
        let lock = OnceLock::new();
        let mut once = false;
        Once::new().call_once(|| once = ask());
        let mut forced = false;
        Once::new().call_once_force(|_| forced = ask());
        [*lock.get_or_init(ask), *LazyLock::new(ask), once, forced, ask()]
    }

    fn shared() -> bool {
        origin().shared
    }

    #[inline(never)]
    fn deep<R>(n: usize, f: &dyn Fn() -> R) -> R {
        // Larger than a page, so that a stack of that many has stale words in between.
        let room = [n; 600];
        std::hint::black_box(&room);
        if n == 0 { f() } else { std::hint::black_box(deep(n - 1, f)) }
    }

    #[test]
    fn who_is_inside_of_a_once_is_known() {
        assert_eq!(marks().len(), 1, "the one call in std");
        assert_eq!(everywhere(shared), [true, true, true, true, false]);
        assert!(!shared(), "not any more");
    }

    /// What a program does before it makes a pool's threads can be deep.
    #[test]
    fn who_is_deep_inside_of_a_once_is_known() {
        for depth in [1, 10, 50, 200] {
            assert!(!deep(depth, &shared), "{depth}: not inside of any");
            let lock = OnceLock::new();
            assert!(lock.get_or_init(|| deep(depth, &shared)), "{depth}");
            // The words are still on the stack, below and above.
            assert!(!deep(depth, &shared) && !shared(), "{depth}: not any more");
            assert_eq!(deep(depth, &|| everywhere(shared)), [true, true, true, true, false]);
        }
        assert!(deep(100, &origin).frames.len() <= DEPTH);
    }

    #[test]
    fn the_same_is_learned_everywhere() {
        let lock = OnceLock::new();
        assert_eq!(lock.get_or_init(learn), marks());
        assert_eq!(deep(300, &learn), marks());
        let deep_inside = OnceLock::new();
        assert_eq!(deep_inside.get_or_init(|| deep(300, &learn)), marks());
    }

    /// On a task's stack, and on what it grows by.
    #[test]
    fn tasks_are_known_as_well() {
        let grown = |f: fn() -> bool| gopark::stack::grow(100 << 10, || deep(20, &f));
        let task = gopark::go(move || {
            let lock = OnceLock::new();
            (lock.get_or_init(|| grown(shared)).to_owned(), grown(shared))
        });
        assert_eq!(task.join().unwrap(), (true, false));
    }
}
