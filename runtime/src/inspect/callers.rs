//! Who has called: the addresses of the calling stack, for those who often want them.
//!
//! They are found as those of other tasks are (`unwind.rs`), by a walker of its own, which
//! nobody keeps for long; a frame takes some ten nanoseconds, a tenth of what the unwinder of
//! exceptions takes. Where that walker is in use, or the bounds of the stack are not known,
//! the other one does it.
#![expect(clippy::disallowed_types, reason = "asked by whoever makes tasks or threads")]

use super::unwind::{Found, Walker};
use crate::sched::look;
use crate::sys::section;
use std::ptr;
use std::sync::{Arc, Mutex};

static WALKER: Mutex<Option<(Walker, Found)>> = Mutex::new(None);

/// An address in each function that the caller is in, the innermost first; at most so many,
/// and no more than 64. Where they are found slowly, some of this module stand before.
#[inline(never)]
pub fn callers(most: usize) -> Arc<[usize]> {
    section::check_outside();
    // The allocator may be the program's, and may make a thread while we are at it.
    let Ok(mut walker) = WALKER.try_lock() else { return slowly(most) };
    let (walker, found) = walker.get_or_insert_with(|| (Walker::new(), Found::new()));
    walker.refresh();
    // This function is the first.
    found.most = most.min(63) + 1;
    let (at, stack) = look::here();
    // SAFETY: the walker asks for words of the parts of this stack, which are mapped; nobody
    // changes them, as this is the calling task or thread.
    let read = |at| unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
    walker.walk(&at, stack, read, found);
    match found.ends().0 {
        [] | [_] => slowly(most),
        [_, callers @ ..] => Arc::from(callers),
    }
}

#[cold]
fn slowly(most: usize) -> Arc<[usize]> {
    let mut addresses = Vec::with_capacity(most);
    backtrace::trace(|frame| {
        // What is returned to may belong to the next line, or function.
        addresses.extend(frame.ip().addr().checked_sub(1));
        addresses.len() < most
    });
    addresses.into()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[inline(never)]
    fn deep<R>(n: usize, f: &dyn Fn() -> R) -> R {
        if n == 0 { f() } else { std::hint::black_box(deep(n - 1, f)) }
    }

    /// From the innermost `deep` on, which both ways must find alike.
    fn both() -> [Vec<usize>; 2] {
        // Bounds are known of whoever has used the runtime.
        crate::inspect::current_task();
        [callers(64), slowly(64)].map(|all| {
            let names = |at: &usize| {
                let mut name = String::new();
                backtrace::resolve((at + 1) as *mut _, |it| {
                    name = it.name().map(|it| it.to_string()).unwrap_or_default();
                });
                name
            };
            let first = all.iter().position(|at| names(at).contains("deep"));
            all[first.expect("it was called")..].to_vec()
        })
    }

    #[test]
    fn both_ways_find_the_same() {
        for depth in [0, 5, 100] {
            let [quickly, slowly] = deep(depth, &both);
            let len = quickly.len().min(slowly.len());
            assert!(len >= depth.min(30), "{quickly:x?} {slowly:x?}");
            assert_eq!(quickly[..len], slowly[..len]);
        }
        let on_task = crate::go(|| deep(5, &both)).join().unwrap();
        let [quickly, slowly] = on_task;
        assert!(quickly.len() >= 6);
        assert_eq!(quickly, slowly, "to the end");
        assert!(deep(100, &|| callers(7)).len() == 7 && deep(100, &|| super::slowly(7)).len() == 7);
    }
}
