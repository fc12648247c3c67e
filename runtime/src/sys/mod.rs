//! The only door to the operating system.
//!
//! Everything that talks to libc stands here, so that a port to another system
//! has one room to fill. Nothing in this room knows what a task is.
//!
//! | file | what |
//! |---|---|
//! | [`atomic`] | the atomics of the runtime; loom's under `cfg(loom)` |
//! | [`turn`] | what one at a time may touch, in signal handlers too |
//! | [`barrier`] | asymmetric fence: free for tasks, dear for the verifier |
//! | [`futex`] | wait on a word, wake a word |
//! | [`lock`] | the futex lock of the runtime's own short sections |
//! | [`section`] | where a thread must not be suspended |
//! | [`mem`] | reserve, guard and give back address space; what backs it |
//! | [`limits`] | what the system allows |
//! | [`clock`] | monotonic time in nanoseconds |
//! | [`thread`] | raw threads, thread ids, the list of threads |
//! | [`program`] | where the program is loaded |
//! | [`exit`] | the exit code, before the process ends with it |
//! | [`last_words`] | what is said before the process dies of a fault |
//! | [`signal`] | fault handler and alternate stacks |
//! | [`epoll`] | which sockets are ready |
//! | [`socket`] | sockets that connect without blocking |
//! | [`tick`] | signals to one thread, by timers and by others |

pub(crate) mod atomic;
pub(crate) mod barrier;
#[cfg(runtime)]
pub(crate) mod clock;
#[cfg(runtime)]
pub(crate) mod epoll;
#[cfg(runtime)]
pub(crate) mod exit;
#[cfg(runtime)]
pub(crate) mod futex;
#[cfg(runtime)]
pub(crate) mod last_words;
#[cfg(runtime)]
pub(crate) mod limits;
#[cfg(runtime)]
pub(crate) mod lock;
#[cfg(runtime)]
pub(crate) mod mem;
#[cfg(runtime)]
pub(crate) mod prof;
#[cfg(runtime)]
pub(crate) mod program;
#[cfg(runtime)]
pub(crate) mod section;
#[cfg(runtime)]
pub(crate) mod signal;
#[cfg(runtime)]
pub(crate) mod socket;
#[cfg(runtime)]
pub(crate) mod thread;
#[cfg(runtime)]
pub(crate) mod tick;
pub(crate) mod turn;

/// Prints a message and ends the process: for states that must not exist.
///
/// Unlike a panic it cannot be caught, so no task goes on with broken state.
#[cfg(runtime)]
#[cold]
pub(crate) fn fatal(message: std::fmt::Arguments<'_>) -> ! {
    section::lift();
    say(format_args!("gopark: fatal error: {message}\n"));
    std::process::abort()
}

/// Prints something that is said once. In a section too: not as std prints, whose
/// lock may be held by somebody who is suspended (N1).
#[cfg(runtime)]
#[cold]
pub(crate) fn warn(message: &str) {
    // Waits for nobody, unless this process reads its own stderr and too slowly.
    let _exempt = section::Exempt::new();
    say(format_args!("gopark: warning: {message}\n"));
}

#[cfg(runtime)]
fn say(message: std::fmt::Arguments<'_>) {
    use core::fmt::Write;
    let mut text = last_words::Text::new();
    // `Text` never fails.
    let _ = text.write_fmt(message);
    text.say();
}
