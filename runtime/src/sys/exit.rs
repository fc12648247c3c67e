//! The end of the process by `exit`: whoever asks learns the code, and may change it.
//!
//! `main` returning and `std::process::exit` both end in C's `exit`, which runs
//! the handlers that were registered, the last one first. Only `on_exit`, which
//! glibc has and musl has not, tells a handler the code.
//!
//! The code is changed by calling `exit` once more, from inside the handler. The
//! C standard leaves that open; glibc promises it: the handlers that have not run
//! yet run, each once and with the new code, and then the streams are flushed.
//! (Since 2.41 `exit` takes a lock, a recursive one, for this reason.) The other way
//! would be `_exit`, and it would skip all of them: whoever was registered before us,
//! such as a writer of coverage data or a sanitizer's own check, would lose what it
//! had to say. `std::process::exit` will not do: it counts and aborts when it is
//! called twice.

use std::sync::OnceLock;

/// Takes the exit code, returns the one to end with.
type Asked = fn(i32) -> i32;

/// Who is asked at the end of which process.
static ASKED: OnceLock<(Asked, u32)> = OnceLock::new();

/// Why nobody will be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Somebody else has been registered already.
    Taken,
    /// The C library tells no handler the exit code.
    Untold,
}

/// Calls `f` with the exit code when the process ends by `exit`; what it returns
/// is the exit code then. `f` runs on the thread that ends the process, whose
/// thread-locals may be gone; a panic of it aborts. It does not run in children
/// that were forked, which have none of the other threads.
///
/// # Errors
/// If that cannot be.
pub(crate) fn at_exit(f: Asked) -> Result<(), Refused> {
    ASKED.set((f, std::process::id())).map_err(|_| Refused::Taken)?;
    if register() { Ok(()) } else { Err(Refused::Untold) }
}

/// Calls `f` when the process ends by `exit`, and in children that were forked, when they
/// do; a panic of it aborts.
pub(crate) fn also(f: extern "C" fn()) {
    // SAFETY: the function may run at any exit and does not unwind. A refusal means that
    // it does not run.
    unsafe { libc::atexit(f) };
}

#[cfg(target_env = "gnu")]
fn register() -> bool {
    // Only some C libraries have it, so `libc` has not.
    unsafe extern "C" {
        fn on_exit(
            f: extern "C" fn(libc::c_int, *mut libc::c_void),
            arg: *mut libc::c_void,
        ) -> libc::c_int;
    }
    extern "C" fn handler(code: libc::c_int, _: *mut libc::c_void) {
        let Some((f, process)) = ASKED.get() else { return };
        if std::process::id() != *process {
            return;
        }
        let new = f(code);
        if new != code {
            // SAFETY: takes a number, and may be called in a handler: see above.
            unsafe { libc::exit(new) }
        }
    }
    // SAFETY: the handler accepts every argument and does not unwind.
    unsafe { on_exit(handler, core::ptr::null_mut()) == 0 }
}

#[cfg(not(target_env = "gnu"))]
fn register() -> bool {
    false
}
