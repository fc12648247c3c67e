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
//! once, so its return addresses are the same in every call; [`marks`] learns them
//! from two calls. If none were found (they can be inlined under link-time
//! optimisation) every thread belongs to whoever made it.
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
use std::sync::{Arc, OnceLock};

use gopark::threads::{Birth, Origin};

/// Return addresses that are kept. Enough to reach from here through std to the
/// function that makes the thread, and through a `Once` around it; a debug build has
/// more frames for the same. Each costs 0.1 us.
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
        let on = std::env::var_os("LEAKCHECK_WRAP_THREADS").is_none_or(|value| value != "0");
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

fn origin() -> Origin {
    let frames = frames();
    let marks = if LEARNING.get() { &[] } else { marks() };
    let shared = frames.iter().any(|frame| marks.contains(frame));
    Origin { frames, shared }
}

/// Return addresses of the callers, the innermost first.
fn frames() -> Arc<[usize]> {
    let (mut frames, mut count) = ([0; DEPTH], 0);
    backtrace::trace(|frame| {
        frames[count] = frame.ip().addr();
        count += 1;
        count < DEPTH
    });
    Arc::from(&frames[..count])
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

/// What the stacks inside of two `Once`s have in common, and that of their caller has not.
#[inline(never)]
fn learn() -> Vec<usize> {
    let (first, second) = (OnceLock::new(), OnceLock::new());
    let outside = frames();
    let one: &Arc<[usize]> = first.get_or_init(frames);
    let two: &Arc<[usize]> = second.get_or_init(|| std::hint::black_box(frames()));
    let Some((inner, own)) = apart(one, &outside) else { return Vec::new() };
    inner.iter().filter(|it| two.contains(it) && !own.contains(it)).copied().collect()
}

/// Both stacks without the callers that they share: those may be inside of a `Once`
/// themselves.
fn apart<'a>(one: &'a [usize], other: &'a [usize]) -> Option<(&'a [usize], &'a [usize])> {
    let same = |i: usize, j: usize| {
        let len = (one.len() - i).min(other.len() - j);
        len >= 2 && one[i..][..len] == other[j..][..len]
    };
    let ends = (0..one.len()).flat_map(|i| (0..other.len()).map(move |j| (i, j)));
    let (i, j) = ends.into_iter().find(|&(i, j)| same(i, j))?;
    Some((&one[..i], &other[..j]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{LazyLock, Once};

    fn is_inside() -> bool {
        let marks = marks();
        frames().iter().any(|frame| marks.contains(frame))
    }

    #[test]
    fn who_is_inside_of_a_once_is_known() {
        assert!(!marks().is_empty());
        assert!(!is_inside());
        let lock = OnceLock::new();
        assert!(lock.get_or_init(is_inside));
        assert!(*LazyLock::new(is_inside));
        let mut inside = false;
        Once::new().call_once(|| inside = is_inside());
        assert!(inside);
        assert!(!is_inside(), "not any more");
    }

    #[test]
    fn inside_of_a_once_the_same_is_learned() {
        let lock = OnceLock::new();
        assert_eq!(lock.get_or_init(learn), marks());
    }
}
